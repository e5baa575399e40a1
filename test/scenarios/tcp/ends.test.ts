/** What ends a tcp connection besides its own two peers: time, limits, the backend's verdict, a reload, the end of the proxy. */
import { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test, vi } from 'vitest';
import { BACKEND_FAILURES, backendColumns, listenerColumns, REFUSALS } from '../../../src/shared/counter-pages.ts';
import type { RawClient } from '../../support/engine.ts';
import { echo, listenerCount, openConnections, tcpScenario, until, type TcpScenario } from '../../support/tcp-scenario.ts';

/** Connected, and the backend has answered. */
async function busy(s: TcpScenario): Promise<RawClient> {
  const client = await s.client();
  client.send('x');
  await client.until((received) => received === 'x');
  return client;
}

/** As the control plane does it. */
function goDown({ engine }: TcpScenario, row: number): void {
  engine.context.table.backend(row).verdict = 'down';
  engine.context.table.pool(0).bumpEpoch();
}

const first = { name: 'first', module: null, options: {}, key: { kind: 'client-ip', name: '' } } as const;

const isReset = (client: RawClient): boolean => client.isClosed && client.error?.code === 'ECONNRESET';

test('silence in both directions ends it; bytes in either keep it', async () => {
  const s = await tcpScenario(echo, { listener: { timeouts: { idleMs: 300 } } });
  const [silent, lively] = [await busy(s), await busy(s)];
  const talk = setInterval(() => lively.send('y'), 50);
  await silent.untilEnd();
  expect(silent.error).toBeNull();
  const { wheel } = s.engine.context;
  const fromTick = wheel.now;
  await until(() => lively.isEnded || wheel.now > fromTick + 6);
  expect(lively.isEnded).toBe(false);
  clearInterval(talk);
  await lively.untilEnd();
  await until(() => openConnections(s) === 0 && s.origins[0]!.sockets.every(({ readableEnded }) => readableEnded));
});

test('a connection of some age is asked by the kernel whether its peers live', async () => {
  const s = await tcpScenario(echo);
  await busy(s);
  const { wheel } = s.engine.context;
  const asked = vi.spyOn(Socket.prototype, 'setKeepAlive');
  for (let i = 0; i < 90; i++) wheel.advance();
  expect(asked).not.toHaveBeenCalled();
  for (let i = 0; i < 20; i++) wheel.advance();
  expect(asked.mock.calls.map(([isOn]) => isOn)).toEqual([true, true]);
  asked.mockRestore();
});

test('when all places are taken, newcomers are closed and those that are there stay', async () => {
  const s = await tcpScenario(echo, { listener: { limits: { connections: 2 } } });
  const held = [await busy(s), await busy(s)];
  const refused = await s.client();
  await until(() => refused.isClosed || refused.isEnded);
  expect(listenerCount(s, listenerColumns.refused + REFUSALS.indexOf('limit'))).toBe(1);
  held[0]!.socket.end();
  await until(() => openConnections(s) === 1);
  await busy(s);
  expect(held[1]!.isEnded).toBe(false);
});

test('onDown: close resets the connections of a backend that goes down, on both sides, and no others', async () => {
  const s = await tcpScenario([echo, echo], { pool: { onDown: 'close' } });
  const clients = [await busy(s), await busy(s)];
  let error: NodeJS.ErrnoException | null = null;
  s.origins[0]!.sockets[0]!.on('error', (met) => (error = met));
  goDown(s, 0);
  await until(() => clients.some(isReset) && error !== null);
  expect(error!.code).toBe('ECONNRESET');
  expect(clients.filter(isReset)).toHaveLength(1);
  const other = clients.find((client) => !isReset(client))!;
  other.send('y');
  await other.until((received) => received === 'xy');
  await until(() => openConnections(s) === 1);
});

test('onDown: close leaves alone what came to a backend since it went down, in panic', async () => {
  const s = await tcpScenario(echo, { pool: { onDown: 'close' } });
  const before = await busy(s);
  goDown(s, 0);
  await until(() => isReset(before));
  const since = await busy(s);
  s.engine.context.table.pool(0).bumpEpoch();
  s.engine.plane.tick(s.engine.context.clock.monotonicMs());
  since.send('y');
  await since.until((received) => received === 'xy');
});

test('onDown: keep goes on', async () => {
  const s = await tcpScenario(echo);
  const client = await busy(s);
  goDown(s, 0);
  s.engine.plane.tick(s.engine.context.clock.monotonicMs());
  client.send('y');
  await client.until((received) => received === 'xy');
});

test('a reload leaves connections as they are; the next one meets the new timeouts', async () => {
  const s = await tcpScenario(echo);
  const old = await busy(s);
  await s.reload({ listener: { timeouts: { idleMs: 200 } } });
  const next = await busy(s);
  await next.untilEnd();
  old.send('y');
  await old.until((received) => received === 'xy');
});

test('the proxy stops: no more connections, those that are open go on until they are cut, by RST', async () => {
  const s = await tcpScenario(echo);
  const client = await busy(s);
  s.engine.plane.stop();
  await expect(s.client()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  client.send('y');
  await client.until((received) => received === 'xy');
  expect(s.engine.plane.openConnections).toBe(1);
  s.engine.plane.cut();
  await until(() => isReset(client));
  expect(s.engine.plane.openConnections).toBe(0);
  expect(s.engine.context.table.backend(0).connections).toBe(0);
  expect(s.engine.context.table.backend(0).inFlight).toBe(0);
});

test('a backend that never speaks keeps no former config alive, and is not held to have failed when it ends after a while', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const s = await tcpScenario([(socket) => void socket.resume(), echo], { pool: { algorithm: first, outlier: { consecutiveFailures: 1, ejectForMs: 30_000, maxEjectedShare: 1 } } });
  const client = await s.client();
  client.send('x');
  await until(() => s.origins[0]?.sockets[0]?.bytesRead === 1);
  const former = new WeakRef(s.engine.plane.config!.pools.get('web')!);
  await s.reload({});
  const { wheel } = s.engine.context;
  for (let i = 0; i < 110; i++) wheel.advance();
  while (former.deref() !== undefined) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    collect();
  }
  s.origins[0]!.sockets[0]!.resetAndDestroy();
  await until(() => isReset(client));
  const { cells, base } = s.engine.context.counters.backends.at(0);
  expect(cells[base + backendColumns.failures + BACKEND_FAILURES.indexOf('lost')]).toBe(1);
  expect(s.engine.messages).not.toContainEqual(expect.objectContaining({ kind: 'ejected' }));
});
