/** A pool whose `health` is a list: all must pass, and each is probed once for whoever names it. */
import { afterEach, describe, expect, it } from 'vitest';
import { tableTime } from '../../../src/shared/backend-table.ts';
import { placeEjection } from '../../../src/shared/ejections.ts';
import type { HealthSpec } from '../../../src/shared/snapshot.ts';
import { healthSpec } from '../../support/backend-rig.ts';
import { MonitorRig } from '../../support/monitor-rig.ts';

const ADDRESS = '127.0.0.1:81';
const near = healthSpec({ fall: 1, rise: 1 });
const far = healthSpec({ fall: 1, rise: 1, port: 82 });

let rig: MonitorRig;
afterEach(() => rig.monitor.stop());

function start(...health: readonly HealthSpec[]): MonitorRig {
  rig = new MonitorRig();
  rig.apply({ name: 'web', backends: [ADDRESS], health });
  return rig;
}

const verdict = (pool = 'web'): string => rig.backends.row(pool, ADDRESS).verdict;
const reason = (pool = 'web'): string | undefined => rig.monitor.verdicts.standing(rig.backends.numberOf(pool, ADDRESS))?.reason;
async function until(holds: () => boolean): Promise<void> {
  for (let ms = 0; !holds(); ms++) {
    if (ms > 10_000) throw new Error('waited for ten seconds of virtual time');
    await rig.clock.advance(1);
  }
}

describe('a backend with several checks', () => {
  it('is up once all have passed', async () => {
    const { clock, network } = start(near, far);
    network.ports.set(82, 100);
    await clock.advance(50);
    expect(rig.monitor.counts.of('web').passed).toBeGreaterThan(0);
    expect(verdict()).toBe('unknown');
    await clock.advance(60);
    expect(rig.changes()).toEqual(['unknown→up']);
  });

  it('is down while one of them is, and says which', async () => {
    const { clock, network } = start(near, far);
    await clock.advance(2);
    network.ports.set(82, 'ECONNREFUSED');
    await until(() => verdict() === 'down');
    expect(reason()).toBe('health[1] tcp: connection refused');
    network.ports.set(81, 'ECONNREFUSED');
    network.ports.set(82, 'accept');
    await until(() => reason() === 'health[0] tcp: connection refused');
    expect(verdict()).toBe('down');
    expect(rig.changes()).toEqual(['unknown→up', 'up→down']);
    network.ports.set(81, 'accept');
    await until(() => verdict() === 'up');
    expect(rig.events.at(-1)?.reason).toBe('probe passed');
  });

  it('is down by the first result of one, whatever the other has not said yet', async () => {
    const { clock, network } = start(near, far);
    network.ports.set(81, 'silent');
    network.ports.set(82, 'ECONNREFUSED');
    await clock.advance(50);
    expect(verdict()).toBe('down');
  });

  it('shares each with the pools that name it, and only that', async () => {
    const { clock, network } = start(near, far);
    rig.apply({ name: 'web', backends: [ADDRESS], health: [near, far] }, { name: 'api', backends: [ADDRESS], health: [near] }, { name: 'far', backends: [ADDRESS], health: far });
    await clock.advance(2);
    expect([network.timesOf(81).length, network.timesOf(82).length]).toEqual([1, 1]);
    network.ports.set(82, 'ECONNREFUSED');
    await until(() => verdict() === 'down');
    expect([verdict('api'), verdict('far')]).toEqual(['up', 'down']);
    expect(reason('far')).toBe('connection refused');
    // One change, told in each pool's own words.
    expect(rig.events.slice(-2).map(({ pools, reason: words }) => [pools, words])).toEqual([[['web'], 'health[1] tcp: connection refused'], [['far'], 'connection refused']]);
  });

  it('is probed once where the same check stands twice', async () => {
    const { clock, network } = start(near, near);
    await clock.advance(2);
    expect(network.timesOf(81)).toHaveLength(1);
    expect(verdict()).toBe('up');
  });

  it('has an ejection lifted only when all have passed often enough', async () => {
    const { clock, network, backends } = start(healthSpec({ rise: 1 }), healthSpec({ port: 82, rise: 3 }));
    await clock.advance(1500);
    placeEjection(backends.pool('web'), backends.row('web', ADDRESS), tableTime(clock.monotonicMs() + 30_000), 5);
    const begun = network.timesOf(82).length;
    await until(() => network.timesOf(82).length === begun + 2);
    await clock.advance(2);
    expect(network.timesOf(81).length).toBeGreaterThan(begun);
    expect(backends.row('web', ADDRESS).ejected).toBe(true);
    await until(() => !backends.row('web', ADDRESS).ejected);
    expect(network.timesOf(82)).toHaveLength(begun + 3);
  });

  it('has those suspected that probe the port where a connect was refused', async () => {
    const { clock, network, backends } = start(healthSpec({ intervalMs: 5000 }), healthSpec({ intervalMs: 5000, port: 82 }));
    await clock.advance(1500);
    const before = [network.timesOf(81).length, network.timesOf(82).length];
    rig.monitor.refused(backends.numberOf('web', ADDRESS));
    await clock.advance(10);
    expect([network.timesOf(81).length, network.timesOf(82).length]).toEqual([before[0]! + 1, before[1]!]);
  });
});

describe('a reload', () => {
  it('that adds a check takes no backend away, and waits for its first result', async () => {
    const { clock, network } = start(near);
    await clock.advance(2);
    network.ports.set(82, 'silent');
    rig.apply({ name: 'web', backends: [ADDRESS], health: [near, far] });
    expect(verdict()).toBe('up');
    await clock.advance(400);
    expect(verdict()).toBe('up');
    await until(() => verdict() === 'down');
    expect(reason()).toContain('health[1] tcp: timed out');
  });

  it('that adds a check of which nothing can be known yet leaves what the others say', async () => {
    const { clock, network } = start(near);
    network.ports.set(82, 'ECONNREFUSED').set(83, 'silent');
    rig.apply({ name: 'web', backends: [ADDRESS], health: near }, { name: 'api', backends: [ADDRESS], health: far });
    await clock.advance(50);
    // Of its two rows one is up and one down: neither verdict can be the new check's own.
    const third = healthSpec({ port: 83, fall: 1 });
    rig.apply({ name: 'web', backends: [ADDRESS], health: [near, third] }, { name: 'api', backends: [ADDRESS], health: third });
    expect([verdict('web'), verdict('api')]).toEqual(['up', 'down']);
    await until(() => verdict('web') === 'down');
  });

  it('that takes away the one that failed leaves what the others say', async () => {
    const { clock, network } = start(near, far);
    network.ports.set(82, 'ECONNREFUSED');
    await clock.advance(50);
    expect(verdict()).toBe('down');
    rig.apply({ name: 'web', backends: [ADDRESS], health: near });
    expect(verdict()).toBe('up');
  });

  it('that adds a check to a backend that is down for another reason asks it once', async () => {
    const { clock, network } = start(near);
    network.ports.set(81, 'ECONNREFUSED');
    await clock.advance(50);
    rig.apply({ name: 'web', backends: [ADDRESS], health: [near, far] });
    await clock.advance(2);
    expect(network.timesOf(82)).toHaveLength(1);
    expect([verdict(), reason()]).toEqual(['down', 'health[0] tcp: connection refused']);
    network.ports.set(81, 'accept');
    await until(() => verdict() === 'up');
  });
});

describe('a backend with several checks that is disabled', () => {
  it('is probed by none, and decided anew by all when that ends', async () => {
    const { clock, network, backends } = start(near, far);
    await clock.advance(2);
    const row = backends.row('web', ADDRESS);
    row.state = 'disabled';
    rig.monitor.stateChanged(backends.numberOf('web', ADDRESS));
    expect(verdict()).toBe('unknown');
    const tried = network.attempts.length;
    await clock.advance(5000);
    expect(network.attempts).toHaveLength(tried);
    row.state = 'ready';
    network.ports.set(82, 100);
    rig.monitor.stateChanged(backends.numberOf('web', ADDRESS));
    await clock.advance(50);
    expect(verdict()).toBe('unknown');
    await clock.advance(100);
    expect(verdict()).toBe('up');
  });
});
