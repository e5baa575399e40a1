/** Connections of HTTP/2 to backends when the config changes. */
import { once } from 'node:events';
import { createServer as createHttp1 } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { makeListener, makePool } from '../../support/engine.ts';
import { Http2Origin, inFrontOf } from '../../support/http2-origin.ts';
import { until } from '../../support/weir-process.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const toStop: (() => void)[] = [];
afterEach(() => {
  for (const stop of toStop.splice(0)) stop();
});

/** A backend that speaks both, told apart by the first bytes. */
async function bothOrigin(): Promise<{ port: number; sockets: Socket[] }> {
  const http1 = createHttp1((_request, response) => void response.end('one'));
  const http2 = createHttp2((_request, response) => void response.end('two'));
  const sockets: Socket[] = [];
  const front = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.once('readable', () => {
      const first = socket.read() as Buffer | null;
      if (first === null) return;
      socket.unshift(first);
      (first.toString('latin1').startsWith('PRI') ? http2 : http1).emit('connection', socket);
    });
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  toStop.push(() => front.close(), () => sockets.forEach((socket) => socket.destroy()));
  return { port: (front.address() as AddressInfo).port, sockets };
}

describe('a pool whose protocol changes', () => {
  it('is spoken to otherwise from the next request on, both ways', async () => {
    const origin = await bothOrigin();
    const s = await inFrontOf([origin.port], { pool: { protocol: 'http1' } });
    const { connections } = s.engine.context.table.backend(0);
    expect(connections).toBe(0);
    for (const [protocol, answer] of [['h2c', 'two'], ['http1', 'one'], ['h2c', 'two']] as const) {
      await s.engine.load([makeListener(s.port)], [makePool([origin.port], { protocol })]);
      expect(await s.ask(GET)).toContain(answer);
      // Nothing is left of what was spoken before.
      await until(() => s.engine.context.table.backend(0).connections === 1);
    }
  });

  it('lets what is under way end', async () => {
    let answer = (): void => {};
    const origin = await Http2Origin.start((stream) => {
      answer = () => {
        stream.respond({ ':status': 200 });
        stream.end('late');
      };
    });
    const s = await inFrontOf([origin.port]);
    const asked = s.ask(GET);
    await until(() => origin.requests.length === 1);
    await s.engine.load([makeListener(s.port)], [makePool([origin.port], { protocol: 'http1' })]);
    answer();
    expect(await asked).toContain('late');
    await until(() => s.engine.context.table.backend(0).connections === 0);
  });
});

it('closes the connections of a backend that leaves the config once they are at rest', async () => {
  let answer = (): void => {};
  const gone = await Http2Origin.start((stream) => {
    answer = () => {
      stream.respond({ ':status': 200 });
      stream.end('late');
    };
  });
  const s = await inFrontOf([gone.port]);
  const asked = s.ask(GET);
  await until(() => gone.requests.length === 1);
  await s.engine.load([makeListener(s.port)], [makePool([])]);
  answer();
  expect(await asked).toContain('late');
  await until(() => gone.sessions.every((session) => session.destroyed));
});

it('keeps to perBackend with connections, not with requests', async () => {
  const held: (() => void)[] = [];
  const origin = await Http2Origin.start(
    (stream) => {
      held.push(() => {
        stream.respond({ ':status': 200 });
        stream.end('ok');
      });
    },
    { maxConcurrentStreams: 2 },
  );
  const s = await inFrontOf([origin.port], { pool: { connections: { perBackend: 1, connectTimeoutMs: 2000, idleMs: 4000 } } });
  const first = s.ask(GET);
  await until(() => held.length === 1);
  const second = s.ask(GET);
  await until(() => held.length === 2);
  // No place for a third: neither a stream nor a connection.
  expect(await s.ask(GET)).toMatch(/^HTTP\/1\.1 503 /);
  for (const answer of held) answer();
  for (const answer of await Promise.all([first, second])) expect(answer).toContain('ok');
  expect(origin.sessions).toHaveLength(1);
});
