/** A client that goes away, at every point of an exchange: the origin's request is called off, nothing is left behind, and others are served. */
import { describe, expect, it } from 'vitest';
import type { Deadline, TimerWheel } from '../../../src/base/timer-wheel.ts';
import { backendColumns, listenerColumns } from '../../../src/shared/counter-pages.ts';
import { until } from '../../support/bad-origin.ts';
import { DeafBackend } from '../../support/deaf-backend.ts';
import { Engine, makeListener, makePool, RawClient } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { OK, scenario, type Scenario } from '../../support/engine-scenario.ts';

const GET = 'GET /slow HTTP/1.1\r\nHost: a\r\n\r\n';
const LENGTH = 'POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n';
const CHUNKED = 'POST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const UPGRADE = 'GET /slow HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n';

/** How far the exchange has come when the client goes. */
interface Point {
  readonly sends: string;
  /** The origin's part, once its connection is there. */
  readonly answers?: string;
  /** Waits until the point is reached. */
  readonly reached: (s: Scenario, client: RawClient) => Promise<unknown>;
  /** A request of the client is at the origin, or on its way. */
  readonly hasOrigin: boolean;
  /** A client that only shuts down its sending side is done here too; elsewhere it may still want its answer. */
  readonly endsToo?: boolean;
}

const atOrigin = (bytes: string) => (s: Scenario): Promise<unknown> => until(() => (seenBytes.get(s) ?? '').includes(bytes));
const atClient = (text: string) => (_s: Scenario, client: RawClient): Promise<unknown> => client.until((received) => received.includes(text));
const atProxy = (bytes: number) => (s: Scenario): Promise<unknown> => until(() => s.engine.context.counters.listeners.at(0).cells[listenerColumns.bytesIn]! >= bytes);
const connected = (s: Scenario): Promise<unknown> => until(() => s.engine.plane.openConnections === 1);

const points: Record<string, Point> = {
  'before a byte was sent': { sends: '', reached: connected, hasOrigin: false, endsToo: true },
  'in the request line': { sends: 'GET /sl', reached: atProxy(7), hasOrigin: false, endsToo: true },
  'in a field': { sends: 'GET /slow HTTP/1.1\r\nHost: a\r\nX-Y', reached: atProxy(32), hasOrigin: false, endsToo: true },
  'before the empty line': { sends: 'GET /slow HTTP/1.1\r\nHost: a\r\n', reached: atProxy(29), hasOrigin: false, endsToo: true },
  'after the head, before the body': { sends: LENGTH, reached: atOrigin('\r\n\r\n'), hasOrigin: true, endsToo: true },
  'in the body': { sends: `${LENGTH}hal`, reached: atOrigin('hal'), hasOrigin: true, endsToo: true },
  'in a chunk size': { sends: `${CHUNKED}1`, reached: atOrigin('\r\n\r\n1'), hasOrigin: true, endsToo: true },
  'in a chunk': { sends: `${CHUNKED}ff\r\nhal`, reached: atOrigin('hal'), hasOrigin: true, endsToo: true },
  'after the last chunk, before the empty line': { sends: `${CHUNKED}1\r\nh\r\n0\r\n`, reached: atOrigin('0\r\n'), hasOrigin: true, endsToo: true },
  'in a trailer': { sends: `${CHUNKED}1\r\nh\r\n0\r\nX: `, reached: atOrigin('0\r\n'), hasOrigin: true, endsToo: true },
  'while it waits for 100 (Continue)': { sends: LENGTH.replace('\r\n\r\n', '\r\nExpect: 100-continue\r\n\r\n'), reached: atOrigin('\r\n\r\n'), hasOrigin: true, endsToo: true },
  'in the wait for the answer': { sends: GET, reached: atOrigin('\r\n\r\n'), hasOrigin: true },
  'in the wait, with another request behind it': { sends: GET + GET, reached: atOrigin('\r\n\r\n'), hasOrigin: true },
  'after an interim answer': { sends: GET, answers: 'HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n', reached: atClient('103 Early'), hasOrigin: true },
  'after the head of the answer': { sends: GET, answers: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n', reached: atClient('\r\n\r\n'), hasOrigin: true },
  'in an answer with a length': { sends: GET, answers: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal', reached: atClient('hal'), hasOrigin: true },
  'in an answer of chunks': { sends: GET, answers: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhal\r\n', reached: atClient('hal'), hasOrigin: true },
  'in an answer until the close': { sends: GET, answers: 'HTTP/1.1 200 OK\r\n\r\nhal', reached: atClient('hal'), hasOrigin: true },
  'in an answer that began before the body was whole': { sends: `${LENGTH}hal`, answers: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal', reached: atClient('hal'), hasOrigin: true, endsToo: true },
  'in the second of two pipelined requests': { sends: `GET /fast HTTP/1.1\r\nHost: a\r\n\r\n${GET}`, reached: atOrigin('/slow'), hasOrigin: true },
  'in a tunnel': { sends: UPGRADE, answers: 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nup', reached: atClient('up'), hasOrigin: true },
  'at rest': { sends: 'GET /fast HTTP/1.1\r\nHost: a\r\n\r\n', reached: atClient('ok'), hasOrigin: false, endsToo: true },
  'after its request was refused': { sends: 'GET /slow HTTP/1.1\r\nHost : a\r\n\r\n', reached: atClient('400 Bad'), hasOrigin: false, endsToo: true },
};

/** What the origin of a scenario has read. */
const seenBytes = new WeakMap<Scenario, string>();

/** Every holder of a deadline of this wheel that has one now. */
function watchDeadlines(wheel: TimerWheel): () => Deadline[] {
  const holders = new Set<Deadline>();
  const setTick = wheel.setTick.bind(wheel);
  wheel.setTick = (holder, tick) => {
    holders.add(holder);
    setTick(holder, tick);
  };
  return () => [...holders].filter(({ deadlineTick }) => deadlineTick !== 0);
}

async function reach(point: Point): Promise<{ s: Scenario; client: RawClient; deadlines: () => Deadline[] }> {
  const s = await scenario(({ path }) => (path === '/slow' ? null : OK));
  const deadlines = watchDeadlines(s.engine.context.wheel);
  const client = await s.client();
  client.send(point.sends);
  if (point.hasOrigin) {
    await until(() => s.origin.origin.sockets.length === 1);
    const [socket] = s.origin.origin.sockets;
    socket!.on('data', (bytes: Buffer) => seenBytes.set(s, (seenBytes.get(s) ?? '') + bytes.toString('latin1')));
    if (point.answers !== undefined) socket!.write(point.answers);
  }
  await point.reached(s, client);
  return { s, client, deadlines };
}

/** The only things left are connections at rest to the origin, and what ends those. */
async function expectNothingLeft(s: Scenario, deadlines: () => Deadline[]): Promise<void> {
  const { table, counters } = s.engine.context;
  const backend = counters.backends.at(0);
  const atRest = (): number => backend.cells[backend.base + backendColumns.connectionsIdle]!;
  await until(() => s.engine.plane.openConnections === 0 && table.backend(0).connections === atRest());
  expect(table.listener(0).connections).toBe(0);
  expect(table.backend(0).inFlight).toBe(0);
  expect(backend.cells[backend.base + backendColumns.inFlight]).toBe(0);
  expect(backend.cells[backend.base + backendColumns.connections]).toBe(atRest());
  expect(deadlines()).toHaveLength(atRest());
}

const ways: [string, (client: RawClient) => void][] = [
  ['resets', (client) => client.socket.resetAndDestroy()],
  ['closes', (client) => client.socket.end()],
];

describe.each(ways)('a client that %s', (way, leave) => {
  const table = Object.entries(points).filter(([, point]) => way === 'resets' || point.endsToo === true);

  it.each(table)('%s', async (_name, point) => {
    const { s, client, deadlines } = await reach(point);
    leave(client);
    if (point.hasOrigin) {
      const [socket] = s.origin.origin.sockets;
      await until(() => socket!.destroyed || socket!.readableEnded);
    }
    await expectNothingLeft(s, deadlines);
    expect(await s.ask('GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/\r\n\r\nok$/);
    await expectNothingLeft(s, deadlines);
  });
});

describe('a client that shuts down its sending side behind pipelined requests', () => {
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

  it.each([
    ['whole ones: all are answered', get('/1') + get('/2') + get('/3'), 3],
    ['the last one in its head: those before are answered', `${get('/1') + get('/2')}GET /3 HT`, 2],
    ['the last one in its body: those before are answered', `${get('/1') + get('/2')}${LENGTH}hal`, 2],
  ])('%s', async (_name, requests, answers) => {
    let release = (): void => {};
    const s = await scenario(({ path, socket }) => {
      if (path !== '/1') return OK;
      release = () => void socket.write(OK);
      return null;
    });
    const deadlines = watchDeadlines(s.engine.context.wheel);
    const client = await s.client();
    client.send(requests);
    await s.origin.until(1);
    client.socket.end();
    // The end has been read when the proxy answers somebody else who came later.
    await s.ask('GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    release();
    const received = await client.untilEnd();
    expect(received.match(/\r\n\r\nok/g)).toHaveLength(answers);
    expect(received.match(/HTTP\/1\.1 /g)).toHaveLength(answers);
    await expectNothingLeft(s, deadlines);
  });
});

describe('a client that resets while bytes wait', () => {
  it('of an answer it does not read: the origin is cut off', async () => {
    const { s, client, deadlines } = await reach({ sends: GET, answers: 'HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n', reached: atClient('\r\n\r\n'), hasOrigin: true });
    const [socket] = s.origin.origin.sockets;
    client.socket.pause();
    const part = Buffer.alloc(1 << 20);
    await untilStalled(s, () => (socket!.writableLength === 0 ? void socket!.write(part) : undefined), () => socket!.bytesWritten - socket!.writableLength);
    client.socket.resetAndDestroy();
    await until(() => socket!.destroyed);
    await expectNothingLeft(s, deadlines);
  });

  it('of a body the origin does not read: the origin is cut off', async () => {
    const { s, client, deadlines } = await reach({ sends: `${LENGTH}hal`, reached: atOrigin('hal'), hasOrigin: true });
    const [socket] = s.origin.origin.sockets;
    socket!.pause();
    const part = Buffer.alloc(1 << 20);
    await untilStalled(s, () => (client.socket.writableLength === 0 ? void client.socket.write(part) : undefined), () => client.socket.bytesWritten - client.socket.writableLength);
    client.socket.resetAndDestroy();
    // The origin has still read nothing when all is over.
    await expectNothingLeft(s, deadlines);
    socket!.resume();
    await until(() => socket!.destroyed || socket!.readableEnded);
  });

  it('of requests behind one that waits, more than are held: the origin is cut off', async () => {
    const { s, client, deadlines } = await reach({ sends: GET + GET.repeat(4000), reached: atOrigin('\r\n\r\n'), hasOrigin: true });
    await until(() => s.engine.context.counters.listeners.at(0).cells[listenerColumns.bytesIn]! > 20_000);
    client.socket.resetAndDestroy();
    await until(() => s.origin.origin.sockets[0]!.destroyed || s.origin.origin.sockets[0]!.readableEnded);
    await expectNothingLeft(s, deadlines);
  });

  it('for a connection to the origin: none is left half open', async () => {
    const deaf = await DeafBackend.start();
    const port = await freePort();
    const engine = await Engine.start([makeListener(port)], [makePool([deaf.port], { connections: { perBackend: 0, connectTimeoutMs: 60_000, idleMs: 4000 } })]);
    const deadlines = watchDeadlines(engine.context.wheel);
    const client = await RawClient.open(port);
    client.send(`${LENGTH}hal`);
    await until(() => engine.context.table.backend(0).inFlight === 1);
    client.socket.resetAndDestroy();
    await until(() => engine.plane.openConnections === 0 && engine.context.table.backend(0).connections === 0);
    expect(engine.context.table.backend(0).inFlight).toBe(0);
    expect(deadlines()).toEqual([]);
    engine.stop();
    await deaf.stop();
  });
});

/** Feeds until nothing more is taken, while another client is served: its exchanges are the measure of time. */
async function untilStalled(s: Scenario, feed: () => void, taken: () => number): Promise<void> {
  let unchanged = 0;
  for (let before = -1; unchanged < 50; before = taken()) {
    feed();
    expect(await s.ask('GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/\r\n\r\nok$/);
    unchanged = taken() === before ? unchanged + 1 : 0;
    expect(taken()).toBeLessThan(64 << 20);
  }
}
