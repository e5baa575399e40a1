/** The fleet's promises to the rollout and to the operator, with real threads that really listen. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemClock, type Clock } from '../../../src/base/clock.ts';
import { ask, FleetRig } from '../../support/fleet-rig.ts';
import { plainListener } from '../../support/plain-snapshot.ts';
import { until } from '../../support/weir-process.ts';

const rigs: FleetRig[] = [];
function makeRig(workers: number, clock: Clock = systemClock): FleetRig {
  const rig = new FleetRig(workers, clock);
  rigs.push(rig);
  return rig;
}
afterEach(async () => {
  await Promise.all(rigs.splice(0).map(({ fleet }) => fleet.terminate()));
});

/** Time passes ten times as often as it should: ticks come early, everything else is the system's. */
const hastyClock: Clock = { ...systemClock, every: (periodMs, run) => systemClock.every(periodMs / 10, run) };

test('a config runs in all workers after commit, on one port', async () => {
  const rig = makeRig(2);
  const port = await rig.run(await rig.config(1, [plainListener('web')]));
  expect(await ask(port)).toMatchObject({ number: 1 });
  expect(rig.fleet.views().map(({ state, restarts }) => [state, restarts])).toEqual([['running', 0], ['running', 0]]);
});

test('one worker that refuses keeps the former config in all', async () => {
  const rig = makeRig(2);
  const port = await rig.run(await rig.config(1, [plainListener('web')]));
  const outcome = await rig.fleet.prepare(await rig.config(2, [plainListener('web', port), plainListener('refuse')]));
  expect(outcome.problems).toEqual(['listener refuse: refused by the test']);
  rig.fleet.abort();
  expect(await ask(port)).toMatchObject({ number: 1 });
  await rig.run(await rig.config(3, [plainListener('web', port)]));
  expect(await ask(port)).toMatchObject({ number: 3 });
});

test('a port taken by another process is refused by the workers with its name', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const rig = makeRig(1);
  const config = await rig.config(1, [plainListener('web')]);
  const outcome = await rig.fleet.prepare({ ...config, ports: [[(other.address() as { port: number }).port]] });
  expect(outcome.problems.join()).toContain('EADDRINUSE');
  rig.fleet.abort();
  other.close();
});

test('a worker that crashes is replaced, brought to the newest config, and its gauges are taken back', async () => {
  const rig = makeRig(2);
  const port = await rig.run(await rig.config(1, [plainListener('web')]));
  const sockets = await Promise.all(Array.from({ length: 8 }, async () => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }));
  await until(() => rig.table.listener(0).connections === 8);
  for (const index of [0, 1]) {
    const exited = rig.event((event) => event.type === 'worker' && event.change === 'exited');
    rig.fleet.crash(index);
    expect(await exited).toMatchObject({ worker: index, reason: expect.stringContaining('crashed for a test') });
  }
  expect(rig.table.listener(0).connections).toBe(0);
  await rig.allRunning();
  expect(rig.fleet.views().map(({ restarts }) => restarts)).toEqual([1, 1]);
  expect(await ask(port)).toMatchObject({ number: 1 });
  for (const socket of sockets) socket.destroy();
});

test('a worker whose loop stands still is killed and replaced', async () => {
  const rig = makeRig(1, hastyClock);
  const port = await rig.run(await rig.config(1, [plainListener('web')]));
  const { thread } = await ask(port);
  const exited = rig.event((event) => event.type === 'worker' && event.change === 'exited');
  await expect(ask(port, '/hang')).rejects.toThrow();
  expect(await exited).toMatchObject({ reason: expect.stringContaining('stood still') });
  await rig.allRunning();
  expect((await ask(port)).thread).not.toBe(thread);
});

test('a stall of the main thread kills no worker', async () => {
  const rig = makeRig(1, hastyClock);
  await rig.run(await rig.config(1, [plainListener('web')]));
  const { startedAtMs } = rig.fleet.views()[0]!;
  // Longer than the ten ticks of 50 ms after which a still worker is killed.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  // The heartbeat is seen again, by ticks after the stall.
  await until(() => rig.fleet.views()[0]!.silentMs < 500);
  expect(rig.fleet.views()[0]).toMatchObject({ state: 'running', restarts: 0, startedAtMs });
});

test('a worker that dies while it prepares ends the round, and its replacement takes the newest committed config', async () => {
  const rig = makeRig(2);
  const port = await rig.run(await rig.config(1, [plainListener('web')]));
  const outcome = await rig.fleet.prepare(await rig.config(2, [plainListener('web', port), plainListener('crash-on-prepare')]));
  expect(outcome.lost).toHaveLength(2);
  rig.fleet.abort();
  await rig.allRunning();
  expect(await ask(port)).toMatchObject({ number: 1 });
});

test('a worker that hangs while it prepares does not hang the round', async () => {
  const rig = makeRig(1, hastyClock);
  const port = await rig.run(await rig.config(1, [plainListener('web')]));
  const outcome = await rig.fleet.prepare(await rig.config(2, [plainListener('hang-on-prepare', port)]));
  expect(outcome.lost[0]).toContain('stood still');
  rig.fleet.abort();
});

test('a worker that dies between its answer and the commit is replaced with the new config', async () => {
  const rig = makeRig(2);
  const port = await rig.run(await rig.config(1, [plainListener('web')]));
  const config = await rig.config(2, [plainListener('web', port)]);
  expect(await rig.fleet.prepare(config)).toEqual({ problems: [], lost: [] });
  rig.fleet.crash(0);
  await rig.fleet.commit();
  await rig.allRunning();
  expect(await ask(port)).toMatchObject({ number: 2 });
});

test('workers that die before the first config refuse it instead of being restarted for ever', async () => {
  const rig = makeRig(2);
  const config = await rig.config(1, [plainListener('web')]);
  const exited = rig.event((event) => event.type === 'worker' && event.change === 'exited');
  rig.fleet.crash(0);
  await exited;
  const outcome = await rig.fleet.prepare(config);
  expect(outcome.lost[0]).toContain('crashed for a test');
});

test('stop resolves when the last connection of every worker is gone', async () => {
  const rig = makeRig(2);
  const port = await rig.run(await rig.config(1, [plainListener('web')]));
  const socket = connect(port, '127.0.0.1', () => socket.write('GET /wait HTTP/1.1\r\nhost: x\r\n\r\n'));
  await once(socket, 'data');
  let stopped = false;
  const stop = rig.fleet.stop().then(() => (stopped = true));
  await expect(ask(port)).rejects.toThrow();
  expect(stopped).toBe(false);
  socket.destroy();
  await stop;
});
