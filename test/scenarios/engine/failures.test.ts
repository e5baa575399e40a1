import { describe, expect, it } from 'vitest';
import type { Socket } from 'node:net';
import { Engine, makeListener, makePool, makeRoute, RawClient, RawOrigin, type RoutePatch } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { OK, scenario } from '../../support/engine-scenario.ts';
import { ScriptedOrigin } from '../../support/scripted-origin.ts';
import { backendColumns } from '../../../src/shared/counter-pages.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** Resolves when the socket is closed, by whatever error. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => (socket.closed ? resolve() : socket.on('close', () => resolve())));
}

/** Turns the loop until `condition` holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

async function withBackends(ports: number[], run: (port: number, engine: Engine) => Promise<void>): Promise<void> {
  const port = await freePort();
  const engine = await Engine.start([makeListener(port)], [makePool(ports, { algorithm: { name: 'first', module: null, options: {}, key: { kind: 'client-ip', name: '' } } })]);
  try {
    await run(port, engine);
  } finally {
    engine.stop();
  }
}

async function ask(port: number, request: string): Promise<string> {
  const client = await RawClient.open(port);
  client.send(request);
  const answer = await client.untilEnd();
  client.close();
  return answer;
}

describe('a request is sent again exactly where it may be', () => {
  it('to another backend when the connect is refused, body and all', async () => {
    const good = await ScriptedOrigin.start(() => OK);
    await withBackends([await freePort(), await freePort(), good.port], async (port) => {
      expect(await ask(port, 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello')).toMatch(/^HTTP\/1\.1 200 /);
      expect(good.seen[0]!.raw).toMatch(/\r\n\r\nhello$/);
    });
    good.stop();
  });

  it('to the same one when there is no other, three times in all, then 503', async () => {
    await withBackends([await freePort()], async (port, engine) => {
      expect(await ask(port, GET)).toMatch(/^HTTP\/1\.1 503 /);
      const { cells, base } = engine.context.counters.backends.at(0);
      expect(cells[base + backendColumns.failures]).toBe(3);
      expect(cells[base + backendColumns.retries]).toBe(2);
      expect(engine.context.table.backend(0).inFlight).toBe(0);
      expect(engine.context.table.backend(0).connections).toBe(0);
    });
  });

  it('a large body that came before the connection did is not lost', async () => {
    const good = await ScriptedOrigin.start(() => OK);
    const body = 'z'.repeat(300_000);
    await withBackends([await freePort(), good.port], async (port) => {
      expect(await ask(port, `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`)).toMatch(/^HTTP\/1\.1 200 /);
      expect(good.seen[0]!.raw.endsWith(body)).toBe(true);
    });
    good.stop();
  });

  it('a body that met no backend is forgotten: it is no request in front of the next one', async () => {
    const port = await freePort();
    const origin = await ScriptedOrigin.start(() => OK);
    const origins = [await freePort(), origin.port];
    const routes: RoutePatch[] = origins.map((_, i) => ({ match: { ...makeRoute().match, path: [{ kind: 'prefix', value: `/${i}` }] }, action: { kind: 'pool', pool: `web${i}` } }));
    const engine = await Engine.start([makeListener(port, { routes })], origins.map((each, i) => ({ ...makePool([each]), name: `web${i}` })));
    const client = await RawClient.open(port);
    const smuggled = 'GET /1/smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
    const body = smuggled.repeat(1000);
    client.send(`POST /0 HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await client.until((received) => received.startsWith('HTTP/1.1 503 ') && received.includes('\r\n\r\n'));
    client.send('GET /1/next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await client.untilEnd();
    expect(origin.seen.map(({ path }) => path)).toEqual(['/1/next']);
    client.close();
    engine.stop();
    origin.stop();
  });

  it.each(['GET', 'HEAD', 'OPTIONS'])('%s once more when the connection is lost before any byte of answer', async (method) => {
    let count = 0;
    const s = await scenario((request) => {
      if (++count > 1) return 'HTTP/1.1 204 No Content\r\n\r\n';
      request.socket.destroy();
      return null;
    });
    expect(await s.ask(`${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 204 /);
    expect(count).toBe(2);
  });

  it.each([
    ['a POST', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi'],
    ['a POST without body', 'POST / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a GET with body', 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi'],
    ['a DELETE', 'DELETE / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('%s that is lost is never sent again: 502', async (_name, request) => {
    const s = await scenario((seen) => {
      seen.socket.destroy();
      return null;
    });
    expect(await s.ask(request, '502')).toMatch(/^HTTP\/1\.1 502 /);
    expect(s.origin.seen).toHaveLength(1);
  });

  it('a GET that is lost twice gives 502', async () => {
    const s = await scenario((request) => {
      request.socket.destroy();
      return null;
    });
    expect(await s.ask(GET)).toMatch(/^HTTP\/1\.1 502 /);
    expect(s.origin.seen).toHaveLength(2);
  });

  it('nothing is sent again once a byte of the answer came', async () => {
    const s = await scenario((request) => {
      request.socket.end('HTTP/1.1 20');
      return null;
    });
    expect(await s.ask(GET)).toMatch(/^HTTP\/1\.1 502 /);
    expect(s.origin.seen).toHaveLength(1);
  });

  it('an idle connection that the backend closed does not cost a request', async () => {
    const s = await scenario(() => OK);
    await s.ask(GET);
    const [socket] = s.origin.origin.sockets;
    socket!.end();
    await closed(socket!);
    expect(await s.ask('POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('timeouts', () => {
  it('of the answer: 504', async () => {
    const s = await scenario(() => null, { listener: { routes: [{ timeouts: { responseMs: 200, idleMs: 0, totalMs: 0 } }] } });
    expect(await s.ask(GET)).toMatch(/^HTTP\/1\.1 504 /);
  });

  it('of silence in the answer: the client sees it end early', async () => {
    const s = await scenario(() => 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal', { listener: { routes: [{ timeouts: { responseMs: 0, idleMs: 200, totalMs: 0 } }] } });
    expect(await s.ask(GET)).toMatch(/\r\n\r\nhal$/);
  });

  it('of the whole exchange: 504', async () => {
    const s = await scenario(() => null, { listener: { routes: [{ timeouts: { responseMs: 0, idleMs: 0, totalMs: 200 } }] } });
    expect(await s.ask(GET)).toMatch(/^HTTP\/1\.1 504 /);
  });

  it('of the head: 408, or a silent close when no byte came', async () => {
    const s = await scenario(() => OK, { listener: { timeouts: { headerMs: 200 } } });
    expect(await s.ask('GET / HTTP/1.1\r\nHost')).toMatch(/^HTTP\/1\.1 408 /);
    expect(await s.ask('')).toBe('');
  });

  it('of the body: 408, and the backend is let go', async () => {
    const s = await scenario(() => OK, { listener: { timeouts: { bodyMs: 200 } } });
    expect(await s.ask('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe')).toMatch(/^HTTP\/1\.1 408 /);
    await until(() => s.engine.context.table.backend(0).inFlight === 0);
  });

  it('of idleness: the connection closes', async () => {
    const s = await scenario(() => OK, { listener: { timeouts: { idleMs: 200 } } });
    expect(await s.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/ok$/);
  });

  it('of a client that takes no bytes', async () => {
    const s = await scenario(() => `HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n${'x'.repeat(50_000_000)}`, { listener: { timeouts: { sendMs: 300 } } });
    const client = await s.client();
    client.socket.pause();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await s.origin.until(1);
    await closed(s.origin.origin.sockets[0]!);
    await until(() => s.engine.context.table.backend(0).inFlight === 0);
  });

  it('of idle backend connections', async () => {
    const s = await scenario(() => OK, { pool: { connections: { perBackend: 0, connectTimeoutMs: 2000, idleMs: 200 } } });
    await s.ask(GET);
    await closed(s.origin.origin.sockets[0]!);
    await until(() => s.engine.context.table.backend(0).connections === 0);
  });
});

describe('clients that go away', () => {
  it('in the wait for an answer: the backend request is called off', async () => {
    const s = await scenario(() => null);
    const client = await s.client();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await s.origin.until(1);
    client.socket.resetAndDestroy();
    await closed(s.origin.origin.sockets[0]!);
    await until(() => s.engine.context.table.backend(0).inFlight === 0);
  });

  it('in the middle of their body', async () => {
    const s = await scenario(() => OK);
    const client = await s.client();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhe');
    while (s.origin.origin.sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
    client.socket.end();
    await closed(s.origin.origin.sockets[0]!);
    expect(s.origin.seen).toHaveLength(0);
  });
});

describe('limits', () => {
  it('of connections per listener: the oldest at rest goes, else the new one', async () => {
    const s = await scenario(() => null, { listener: { limits: { connections: 2 } } });
    const first = await s.client();
    const second = await s.client();
    second.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await s.origin.until(1);
    const third = await s.client();
    await first.untilEnd();
    third.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await s.origin.until(2);
    const fourth = await s.client();
    await fourth.untilEnd();
    expect(s.engine.context.table.listener(0).connections).toBe(2);
  });

  it('of connections per backend: passed over, then 503', async () => {
    const s = await scenario(() => null, { pool: { connections: { perBackend: 1, connectTimeoutMs: 2000, idleMs: 4000 } } });
    const first = await s.client();
    first.send(GET);
    await s.origin.until(1);
    expect(await s.ask(GET)).toMatch(/^HTTP\/1\.1 503 /);
    s.origin.origin.sockets[0]!.write(OK);
    expect(await first.untilEnd()).toMatch(/ok$/);
    const again = await s.client();
    again.send(GET);
    await s.origin.until(2);
  });

  it.each([
    ['431', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(33_000)}\r\n\r\n`],
    ['414', `GET /${'a'.repeat(33_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['400', 'GET / HTTP/1.1\r\n\r\n'],
    ['501', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['505', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n'],
    ['400', 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['400', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n'],
  ])('%s and a closed connection', async (status, request) => {
    const s = await scenario(() => OK);
    const answer = await s.ask(request);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toContain('\r\nConnection: close\r\n');
    expect(s.origin.seen).toHaveLength(0);
  });

  it('a head sent byte by byte is taken', async () => {
    const s = await scenario(() => OK);
    const client = await s.client();
    client.socket.setNoDelay(true);
    for (const char of GET) {
      client.send(char);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await client.untilEnd()).toMatch(/ok$/);
  });
});

describe('own replies', () => {
  it('speak JSON to who asks for it', async () => {
    const s = await scenario(() => OK, { listener: { routes: [] } });
    const text = await s.ask(GET);
    expect(text).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
    expect(text).toContain('Content-Type: text/plain');
    const json = await s.ask('GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\nConnection: close\r\n\r\n');
    expect(JSON.parse(json.slice(json.indexOf('\r\n\r\n') + 4))).toMatchObject({ status: 404, error: 'no-route' });
    expect(await s.ask('HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/Content-Length: \d+\r\n[^]*\r\n\r\n$/);
  });

  it('keep the connection, in a row of ten thousand', async () => {
    const s = await scenario(() => OK, { listener: { routes: [{ action: { kind: 'respond', status: 200, body: 'hi', contentType: 'text/plain' } }] } });
    const client = await s.client();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(10_000));
    await client.until((received) => received.split('\r\n\r\nhi').length === 10_001);
  });

  it('redirect with the query kept', async () => {
    const s = await scenario(() => OK, {
      listener: { routes: [{ action: { kind: 'redirect', status: 308, to: null, scheme: 'https', host: null, port: null, path: null, prefix: null } }] },
    });
    expect(await s.ask('GET /a?b=c HTTP/1.1\r\nHost: x.example\r\nConnection: close\r\n\r\n')).toContain('\r\nLocation: https://x.example/a?b=c\r\n');
  });
});

describe('upgrades', () => {
  const upgrade = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n';

  it('become a tunnel, with early bytes of both sides and half-closes', async () => {
    const origin = await RawOrigin.start((socket) => {
      let text = '';
      let isUp = false;
      socket.on('data', (bytes) => {
        text += bytes.toString('latin1');
        if (!isUp && text.includes('\r\n\r\n')) {
          isUp = true;
          socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly');
          text = text.slice(text.indexOf('\r\n\r\n') + 4);
        }
        if (isUp && text !== '') {
          socket.write(`[${text}]`);
          text = '';
        }
      });
      socket.on('end', () => socket.end('bye'));
    });
    const port = await freePort();
    const engine = await Engine.start([makeListener(port)], [makePool([origin.port])]);
    const client = await RawClient.open(port);
    client.send(`${upgrade}first`);
    await client.until((received) => received.includes('[first]'));
    expect(client.received).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly\[first\]/);
    client.send('more');
    await client.until((received) => received.endsWith('[more]'));
    client.socket.end();
    expect(await client.untilEnd()).toMatch(/bye$/);
    while (engine.context.table.backend(0).inFlight !== 0) await new Promise((resolve) => setImmediate(resolve));
    engine.stop();
    origin.stop();
  });

  it('that are refused leave an ordinary connection', async () => {
    const s = await scenario(() => OK);
    const client = await s.client();
    client.send(`${upgrade}GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    expect((await client.untilEnd()).match(/200 OK/g)).toHaveLength(2);
    expect(s.origin.seen.map((request) => request.path)).toEqual(['/ws', '/next']);
  });

  it('to h2c are not passed on', async () => {
    const s = await scenario(() => OK);
    await s.ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n');
    expect(s.origin.seen[0]!.raw).not.toMatch(/upgrade|http2/i);
  });
});
