/** Which backend takes a tcp connection, and what becomes of it when that fails. */
import { expect, test } from 'vitest';
import { BACKEND_FAILURES, backendColumns, listenerColumns, REFUSALS } from '../../../src/shared/counter-pages.ts';
import { DeafBackend } from '../../support/deaf-backend.ts';
import { makeRoute } from '../../support/engine.ts';
import { echo, listenerCount, openConnections, tcpScenario, until, type OnConnection, type TcpScenario } from '../../support/tcp-scenario.ts';

const first = { name: 'first', module: null, options: {}, key: { kind: 'client-ip', name: '' } } as const;
/** Once it was spoken to: then it is connected for certain. */
const resets: OnConnection = (socket) => void socket.once('data', () => socket.resetAndDestroy());
const outlier = { consecutiveFailures: 3, ejectForMs: 30_000, maxEjectedShare: 0.5 };

function backendCount({ engine }: TcpScenario, row: number, column: number): number {
  const { cells, base } = engine.context.counters.backends.at(row);
  return cells[base + column]!;
}

const refused = (s: TcpScenario, reason: (typeof REFUSALS)[number]): number => listenerCount(s, listenerColumns.refused + REFUSALS.indexOf(reason));

/** How a client finds itself turned away. The kernel connects it, so it may meet the reset before it knows that it is connected. */
async function turnedAway(s: TcpScenario, words = ''): Promise<string> {
  const client = await s.client().catch((error: NodeJS.ErrnoException) => error.code ?? error.message);
  if (typeof client === 'string') return client;
  if (words !== '') client.send(words);
  await until(() => client.isClosed);
  return client.isEnded || client.received !== '' ? 'it ended' : (client.error?.code ?? 'no error');
}

test('a refused connect goes to another backend, what the client sent meanwhile with it, and ejects the first', async () => {
  const s = await tcpScenario([echo, echo], { pool: { algorithm: first, outlier } });
  s.origins[0]!.stop();
  const client = await s.client();
  client.send('sent before anybody listened');
  await client.until((received) => received === 'sent before anybody listened');
  expect(s.origins[1]!.sockets).toHaveLength(1);
  expect(s.engine.messages).toContainEqual(expect.objectContaining({ kind: 'ejected', row: 0, reason: 'refused' }));
  expect(backendCount(s, 0, backendColumns.failures)).toBe(1);
  expect(backendCount(s, 0, backendColumns.errors)).toBe(1);
  expect(backendCount(s, 1, backendColumns.retries)).toBe(1);
  expect(backendCount(s, 0, backendColumns.inFlight)).toBe(0);
  expect(backendCount(s, 1, backendColumns.inFlight)).toBe(1);
  expect(s.engine.context.table.backend(0).connections).toBe(0);
});

test.each(['silent', 'who has spoken'])('when none is to be had, a client %s is reset and counted', async (how) => {
  const s = await tcpScenario([echo, echo]);
  for (const origin of s.origins) origin.stop();
  expect(await turnedAway(s, how === 'silent' ? '' : 'x')).toBe('ECONNRESET');
  expect(refused(s, 'no-backend')).toBe(1);
  // Three attempts, no more.
  expect(backendCount(s, 0, backendColumns.errors) + backendCount(s, 1, backendColumns.errors)).toBe(3);
  await until(() => openConnections(s) === 0);
});

test('a connect that takes too long goes to another backend', async () => {
  const deaf = await DeafBackend.start();
  const s = await tcpScenario(echo, { before: [deaf.port], pool: { algorithm: first, connections: { perBackend: 0, connectTimeoutMs: 200, idleMs: 4000 } } });
  const client = await s.client();
  client.send('over there');
  await client.until((received) => received === 'over there');
  expect(backendCount(s, 0, backendColumns.failures + BACKEND_FAILURES.indexOf('connect-timeout'))).toBe(1);
  await deaf.stop();
});

test('a client that gives up while it waits for a backend costs nothing more', async () => {
  const deaf = await DeafBackend.start();
  const s = await tcpScenario([], { before: [deaf.port] });
  const client = await s.client();
  await until(() => openConnections(s) === 1);
  client.socket.resetAndDestroy();
  await until(() => openConnections(s) === 0);
  expect(backendCount(s, 0, backendColumns.inFlight)).toBe(0);
  expect(s.engine.context.table.backend(0).connections).toBe(0);
  expect(backendCount(s, 0, backendColumns.errors)).toBe(0);
  await deaf.stop();
});

test('a source that no route names is reset', async () => {
  const match = { ...makeRoute().match, source: ['192.0.2.0/24'] };
  const s = await tcpScenario(echo, { listener: { routes: [{ match }] } });
  expect(await turnedAway(s)).toBe('ECONNRESET');
  expect(refused(s, 'no-route')).toBe(1);
  await s.reload({ listener: { routes: [{ match: { ...match, source: ['127.0.0.0/8'] } }] } });
  const client = await s.client();
  client.send('x');
  await client.until((received) => received === 'x');
});

test('a backend that resets what it took, without a byte, is ejected after so many', async () => {
  const s = await tcpScenario([resets, echo], { pool: { outlier } });
  const isEjected = (): boolean => s.engine.context.table.backend(0).ejected;
  for (let i = 0; i < 20 && !isEjected(); i++) {
    const client = await s.client();
    client.send('x');
    await until(() => client.isClosed || client.received === 'x');
  }
  expect(isEjected()).toBe(true);
  expect(backendCount(s, 0, backendColumns.errors)).toBe(3);
  const client = await s.client();
  client.send('x');
  await client.until((received) => received === 'x');
});

test('an answer in between begins the count of failures anew', async () => {
  let count = 0;
  const s = await tcpScenario([(socket, origin) => (count++ % 2 === 0 ? resets : echo)(socket, origin), echo], { pool: { algorithm: first, outlier } });
  for (let i = 0; i < 8; i++) {
    const client = await s.client();
    client.send('x');
    await until(() => client.isClosed || client.received === 'x');
  }
  expect(count).toBe(8);
  expect(backendCount(s, 0, backendColumns.errors)).toBe(4);
  expect(s.engine.context.table.backend(0).ejected).toBe(false);
});

test('a backend at its limit of connections is passed over; at all limits newcomers are reset', async () => {
  const s = await tcpScenario([echo, echo], { pool: { connections: { perBackend: 1, connectTimeoutMs: 2000, idleMs: 4000 } } });
  const [one, two] = [await s.client(), await s.client()];
  for (const client of [one, two]) {
    client.send('x');
    await client.until((received) => received === 'x');
  }
  expect(s.origins.map(({ sockets }) => sockets.length)).toEqual([1, 1]);
  // It is turned away at once: its words may come before that, while it happens, or not at all.
  expect(['ECONNRESET', 'EPIPE']).toContain(await turnedAway(s, 'x'));
  expect(refused(s, 'no-backend')).toBe(1);
  one.socket.end();
  await one.untilEnd();
  await until(() => openConnections(s) === 1);
  const next = await s.client();
  next.send('y');
  await next.until((received) => received === 'y');
});

test('the least loaded takes the next one, by connections that are open', async () => {
  const s = await tcpScenario([echo, echo], { pool: { algorithm: { name: 'least-connections', module: null, options: {}, key: { kind: 'client-ip', name: '' } } } });
  const held = [await s.client(), await s.client()];
  await until(() => s.origins.every(({ sockets }) => sockets.length === 1));
  held[0]!.socket.destroy();
  await until(() => openConnections(s) === 1);
  const free = s.origins.findIndex(({ sockets }) => sockets[0]!.destroyed || sockets[0]!.readableEnded);
  await s.client();
  await until(() => s.origins[free]!.sockets.length === 2);
  expect(s.origins[1 - free]!.sockets).toHaveLength(1);
});
