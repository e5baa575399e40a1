/** What a route's `retry` sends again of requests of HTTP, to backends of HTTP/1.1. */
import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { backendColumns } from '../../../src/shared/counter-pages.ts';
import type { RetrySpec } from '../../../src/shared/snapshot.ts';
import { Engine, makeListener, makePool, RawClient, type PoolPatch, type RoutePatch } from '../../support/engine.ts';
import { OK } from '../../support/engine-scenario.ts';
import { freePort } from '../../support/free-port.ts';
import { dataFrame, Http2RawClient, headersFrame, POST as HTTP2_POST } from '../../support/http2-raw-client.ts';
import { FLAG } from '../../../src/data-plane/parse/http2-frames.ts';
import { ScriptedOrigin, type Script } from '../../support/scripted-origin.ts';
import { until } from '../../support/weir-process.ts';

const asked: RetrySpec = { attemptsMax: 2, statuses: [503], grpcStatuses: [], causes: [], budgetShare: 1, perTryMs: 0 };
const BUSY = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy';
const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const withBody = (method: string, fields = 'Content-Length: 5'): string => `${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields}\r\n\r\n`;

interface Rig {
  readonly engine: Engine;
  readonly origins: readonly ScriptedOrigin[];
  readonly port: number;
  ask(request: string): Promise<string>;
  client(): Promise<RawClient>;
  retries(): number;
}

async function rig(patch: Partial<RetrySpec>, scripts: readonly Script[], options: { route?: RoutePatch; pool?: PoolPatch } = {}): Promise<Rig> {
  const origins: ScriptedOrigin[] = [];
  for (const script of scripts) origins.push(await ScriptedOrigin.start(script));
  const port = await freePort();
  const route = { retry: { ...asked, ...patch }, ...options.route };
  const engine = await Engine.start([makeListener(port, { routes: [route] })], [makePool(origins.map((origin) => origin.port), options.pool)]);
  onTestFinished(() => {
    engine.stop();
    for (const origin of origins) origin.stop();
  });
  const client = async (): Promise<RawClient> => {
    const opened = await RawClient.open(port);
    onTestFinished(() => opened.close());
    return opened;
  };
  const cells = engine.context.counters.backends;
  return {
    engine,
    origins,
    port,
    client,
    async ask(request) {
      const opened = await client();
      opened.send(request);
      return opened.untilEnd();
    },
    retries: () => origins.reduce((sum, _, index) => sum + cells.at(index).cells[cells.at(index).base + backendColumns.retries]!, 0),
  };
}

/** `first` once, then `then`. */
function firstThen(first: string | null, then = OK): Script {
  let asks = 0;
  return () => (asks++ === 0 ? first : then);
}
const seenOf = ({ origins }: Rig): number => origins.reduce((sum, origin) => sum + origin.seen.length, 0);
const statusOf = (answer: string): string => answer.slice(9, 12);

describe('a status that the route names', () => {
  it.each(['GET', 'HEAD', 'OPTIONS', 'DELETE'])('sends a %s again, and only the last answer passes', async (method) => {
    const r = await rig({}, [firstThen(method === 'HEAD' ? BUSY.slice(0, -4) : BUSY, method === 'HEAD' ? OK.slice(0, -2) : OK)]);
    const answer = await r.ask(GET.replace('GET', method));
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(statusOf(answer)).toBe('200');
    expect([seenOf(r), r.retries()]).toEqual([2, 1]);
  });

  it.each(['POST', 'PATCH'])('lets a %s be: it may have had an effect', async (method) => {
    const r = await rig({}, [firstThen(BUSY)]);
    expect(await r.ask(`${withBody(method)}hello`)).toMatch(/^HTTP\/1\.1 503 [^]*busy$/);
    expect(seenOf(r)).toBe(1);
  });

  it('is that of another backend if there is one', async () => {
    const r = await rig({}, [() => BUSY, () => OK]);
    for (let i = 0; i < 6; i++) expect(statusOf(await r.ask(GET))).toBe('200');
    expect(r.origins[1]!.seen).toHaveLength(6);
  });

  it('passes when the attempts are over, and any other status does', async () => {
    const r = await rig({ attemptsMax: 3 }, [() => BUSY]);
    expect(await r.ask(GET)).toMatch(/^HTTP\/1\.1 503 [^]*busy$/);
    expect(seenOf(r)).toBe(3);
    const other = await rig({}, [() => BUSY.replace('503', '502')]);
    expect(statusOf(await other.ask(GET))).toBe('502');
    expect(seenOf(other)).toBe(1);
  });

  it('passes where a byte of the answer went out before: an interim one', async () => {
    const r = await rig({}, [firstThen(`HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${BUSY}`)]);
    expect(await r.ask(GET)).toMatch(/^HTTP\/1\.1 103 [^]*HTTP\/1\.1 503 /);
    expect(seenOf(r)).toBe(1);
  });

  it('keeps the connection of an answer that was whole, and ends that of another', async () => {
    const r = await rig({ attemptsMax: 4 }, [() => BUSY]);
    await r.ask(GET);
    expect(r.origins[0]!.origin.sockets).toHaveLength(2);
    const half = await rig({}, [firstThen(BUSY.slice(0, -2))]);
    expect(statusOf(await half.ask(GET))).toBe('200');
    await until(() => half.origins[0]!.origin.sockets[0]!.destroyed);
  });

  it('gives a waiting client of the same connection its own answer behind it', async () => {
    const r = await rig({}, [({ path }) => (path === '/' ? BUSY : OK)]);
    const client = await r.client();
    client.send(`GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    expect(await client.untilEnd()).toMatch(/^HTTP\/1\.1 503 [^]*busyHTTP\/1\.1 200 /);
    expect(r.origins[0]!.seen.map(({ path }) => path)).toEqual(['/', '/', '/b']);
  });
});

describe('a body', () => {
  it('that came with its head goes again', async () => {
    const r = await rig({}, [firstThen(BUSY)]);
    expect(statusOf(await r.ask(`${withBody('PUT')}hello`))).toBe('200');
    expect(r.origins[0]!.seen.map(({ raw }) => raw.split('\r\n\r\n')[1])).toEqual(['hello', 'hello']);
  });

  it.each([['of 40 KiB', 40_000, '200', 2], ['of more than is kept', 70_000, '503', 1]])('%s behind its head', async (_what, length, expected, sent) => {
    const body = 'abcdefghij'.repeat(length / 10);
    const r = await rig({}, [firstThen(BUSY)]);
    expect(statusOf(await r.ask(withBody('PUT', `Content-Length: ${length}`) + body))).toBe(expected);
    expect(r.origins[0]!.seen.map(({ raw }) => raw.slice(raw.indexOf('\r\n\r\n') + 4) === body)).toEqual(Array.from({ length: sent }, () => true));
  });

  it('in chunks, in pieces and with trailers, is the same each time', async () => {
    const r = await rig({}, [firstThen(BUSY)]);
    const client = await r.client();
    const pieces = [withBody('PUT', 'Transfer-Encoding: chunked'), '5\r\nhel', `lo\r\n1000;x=y\r\n${'m'.repeat(0x1000)}\r\n`, '3\r\nend\r\n', '0\r\nX-T: 1\r\n\r\n'];
    for (const piece of pieces) {
      client.send(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(statusOf(await client.untilEnd())).toBe('200');
    const bodies = r.origins[0]!.seen.map(({ raw }) => raw.slice(raw.indexOf('\r\n\r\n') + 4));
    expect(bodies).toHaveLength(2);
    for (const body of bodies) expect(body.replace(/(^|\r\n)[0-9a-f]+\r\n/g, '')).toBe(`hello${'m'.repeat(0x1000)}endX-T: 1\r\n\r\n`);
  });

  it('that is still on its way goes on to the next backend', async () => {
    const seen: string[] = [];
    const first = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.write(BUSY));
    });
    const second = createServer((socket) => {
      let text = '';
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        text += bytes.toString('latin1');
        if (text.endsWith('hello world')) socket.write(OK);
        seen.push(text);
      });
    });
    for (const each of [first, second]) {
      each.listen(0, '127.0.0.1');
      await once(each, 'listening');
      onTestFinished(() => void each.close());
    }
    const port = await freePort();
    const ports = [first, second].map((each) => (each.address() as { port: number }).port);
    const engine = await Engine.start([makeListener(port, { routes: [{ retry: asked }] })], [makePool(ports, { algorithm: { name: 'first', module: null, options: {}, key: { kind: 'client-ip', name: '' } } })]);
    onTestFinished(() => engine.stop());
    const client = await RawClient.open(port);
    onTestFinished(() => client.close());
    client.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello`);
    await until(() => seen.some((text) => text.endsWith('hello')));
    client.send(' world');
    expect(statusOf(await client.until((received) => received.includes('ok')))).toBe('200');
    // Its request was never whole: nothing else may be sent over it.
    const { cells, base } = engine.context.counters.backends.at(0);
    expect(cells[base + backendColumns.connectionsIdle]).toBe(0);
  });

  it('of a client of HTTP/2 goes again, too', async () => {
    const r = await rig({}, [firstThen(BUSY)]);
    const client = await Http2RawClient.open(r.port);
    onTestFinished(() => client.close());
    const put = HTTP2_POST.map(([name, value]) => [name, name === ':method' ? 'PUT' : value] as const);
    client.send(headersFrame(1, put, FLAG.endHeaders));
    await until(() => r.origins[0]!.origin.sockets.length === 1);
    client.send(dataFrame(1, 'hello'), dataFrame(1, ' world', true));
    expect((await client.frame((frame) => frame.fields.length > 0)).fields[0]).toBe(':status: 200');
    expect(r.origins[0]!.seen.map(({ raw }) => raw.split('\r\n\r\n')[1]!.includes('hello'))).toEqual([true, true]);
  });
});

describe('what comes in place of an answer', () => {
  it('connection-lost: a PUT with its body goes again, a POST does not', async () => {
    const close: Script = ({ socket }) => {
      socket.resetAndDestroy();
      return null;
    };
    const r = await rig({ causes: ['connection-lost'] }, [close, () => OK]);
    for (let i = 0; i < 4; i++) expect(statusOf(await r.ask(`${withBody('PUT')}hello`))).toBe('200');
    expect(r.origins[1]!.seen).toHaveLength(4);
    const statuses = new Set<string>();
    for (let i = 0; i < 4; i++) statuses.add(statusOf(await r.ask(`${withBody('POST')}hello`)));
    expect(statuses).toContain('502');
  });

  it('response-timeout: perTry ends an attempt, and another backend is asked', async () => {
    const r = await rig({ causes: ['response-timeout'], perTryMs: 100 }, [() => null, () => OK]);
    for (let i = 0; i < 2; i++) expect(statusOf(await r.ask(GET))).toBe('200');
    expect(r.origins[0]!.seen.length).toBeGreaterThan(0);
    const alone = await rig({ causes: ['response-timeout'], perTryMs: 100 }, [() => null]);
    expect(statusOf(await alone.ask(GET))).toBe('504');
    expect(seenOf(alone)).toBe(2);
  });

  it('connect-failure: more often than always', async () => {
    const port = await freePort();
    const backends = [1, 2, 3, 4].map((last) => ({ address: `127.0.0.${last}:${port}`, host: `127.0.0.${last}`, port }));
    const attempts: unknown[] = [];
    for (const causes of [[], ['connect-failure']] as const) {
      const r = await rig({ attemptsMax: 5, causes }, [], { pool: { backends } });
      expect(statusOf(await r.ask(GET))).toBe('503');
      attempts.push(r.engine.messages.filter((message) => message.kind === 'log' && message.text === 'an attempt failed').length);
    }
    expect(attempts).toEqual([3, 5]);
  });
});

it('without retry on its route a 503 passes as it came', async () => {
  const r = await rig({}, [() => BUSY], { route: { retry: null } });
  expect(await r.ask(GET)).toMatch(/^HTTP\/1\.1 503 [^]*busy$/);
  expect(seenOf(r)).toBe(1);
});

it('the budget holds over all requests of a route', async () => {
  const r = await rig({ budgetShare: 0.1 }, [() => BUSY]);
  const answers = await Promise.all(Array.from({ length: 100 }, () => r.ask(GET)));
  expect(answers.every((answer) => statusOf(answer) === '503')).toBe(true);
  expect(r.retries()).toBeGreaterThanOrEqual(10);
  expect(r.retries()).toBeLessThan(60);
});
