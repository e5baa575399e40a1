/** What the status gives as the reason of a verdict, while probes say other things than those that led to it. */
import { afterEach, expect, test } from 'vitest';
import { presentReason } from '../../../src/control-plane/health/row-verdict.ts';
import type { HealthSpec } from '../../../src/shared/snapshot.ts';
import { healthSpec } from '../../support/backend-rig.ts';
import { MonitorRig } from '../../support/monitor-rig.ts';

const ADDRESS = '127.0.0.1:81';

let rig: MonitorRig;
afterEach(() => rig.monitor.stop());

function start(...health: HealthSpec[]): MonitorRig {
  rig = new MonitorRig();
  rig.apply({ name: 'web', backends: [ADDRESS], health });
  return rig;
}

function reason(): string {
  const row = rig.backends.numberOf('web', ADDRESS);
  return presentReason(rig.monitor.checksOf(row), rig.backends.row('web', ADDRESS).verdict, rig.monitor.verdicts.standing(row)!);
}

test('down for another reason by now: the present one is what has to be mended', async () => {
  const { network, clock } = start(healthSpec());
  network.ports.set(81, 'ECONNREFUSED');
  await clock.advance(100);
  expect(reason()).toBe('connection refused');
  network.ports.set(81, 'silent');
  await clock.advance(2000);
  expect(rig.events).toHaveLength(1);
  expect(reason()).toBe('timed out after 500 ms');
});

test('down, and passing again: both are said until it is up', async () => {
  const { network, clock } = start(healthSpec({ rise: 3 }));
  network.ports.set(81, 'ECONNREFUSED');
  await clock.advance(100);
  network.ports.set(81, 'accept');
  await clock.advance(1100);
  expect(rig.backends.row('web', ADDRESS).verdict).toBe('down');
  expect(reason()).toBe('connection refused; the last probe passed');
  await clock.advance(3000);
  expect(rig.backends.row('web', ADDRESS).verdict).toBe('up');
  expect(reason()).toBe('probe passed');
});

test('up, and failing: the failure is said before it takes the backend down, and no longer than it lasts', async () => {
  const { network, clock } = start(healthSpec());
  await clock.advance(100);
  network.ports.set(81, 'ECONNREFUSED');
  await clock.advance(1000);
  expect(rig.backends.row('web', ADDRESS).verdict).toBe('up');
  expect(reason()).toBe('connection refused');
  network.ports.set(81, 'accept');
  await clock.advance(1000);
  expect(reason()).toBe('probe passed');
});

test('of several checks the one that is down speaks, whatever the others find', async () => {
  const { network, clock } = start(healthSpec(), healthSpec({ port: 82 }));
  network.ports.set(82, 'ECONNREFUSED');
  await clock.advance(100);
  network.ports.set(82, 'silent');
  await clock.advance(2000);
  expect(rig.backends.row('web', ADDRESS).verdict).toBe('down');
  expect(reason()).toBe('health[1] tcp: timed out after 500 ms');
});

test('a verdict that came after the last probe of ours is not doubted by it', async () => {
  const { clock } = start(healthSpec());
  await clock.advance(100);
  const { key } = rig.monitor.checksOf(rig.backends.numberOf('web', ADDRESS))[0]!.check;
  rig.monitor.acceptVerdict(key, { check: key, verdict: 'down', reason: 'seen by others', atMs: clock.wallMs(), by: ['b', 'c'] });
  expect(reason()).toBe('seen by others');
});
