import { afterEach, describe, expect, it } from 'vitest';
import { tableTime } from '../../../src/shared/backend-table.ts';
import { placeEjection } from '../../../src/shared/ejections.ts';
import { healthSpec } from '../../support/backend-rig.ts';
import { MonitorRig } from '../../support/monitor-rig.ts';

const ADDRESS = '127.0.0.1:81';
const health = healthSpec();

let rig: MonitorRig;
const start = (...args: ConstructorParameters<typeof MonitorRig>): MonitorRig => (rig = new MonitorRig(...args));
afterEach(() => rig.monitor.stop());

describe('an ejection', () => {
  function eject(name = ADDRESS): void {
    const until = tableTime(rig.clock.monotonicMs() + 30_000);
    expect(placeEjection(rig.backends.pool('web'), rig.backends.row('web', name), until, 5)).toBe(true);
  }

  it('is lifted by `rise` passes in a row of probes begun in it', async () => {
    const { clock, backends, network } = start();
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await clock.advance(1500);
    eject();
    const begun = network.timesOf(81).length;
    while (network.timesOf(81).length < begun + 1) await clock.advance(1);
    await clock.advance(2);
    expect(backends.row('web', ADDRESS).ejected).toBe(true);
    const epoch = backends.pool('web').epoch;
    while (network.timesOf(81).length < begun + 2) await clock.advance(1);
    await clock.advance(2);
    expect(backends.row('web', ADDRESS)).toMatchObject({ ejected: false, ejectionsInRow: 0 });
    expect(backends.pool('web').ejected).toBe(0);
    expect(backends.pool('web').epoch).toBeGreaterThan(epoch);
  });

  it('is not lifted by a probe that was under way already', async () => {
    const { clock, backends, network } = start();
    network.ports.set(81, 100);
    rig.apply({ name: 'web', backends: [ADDRESS], health: healthSpec({ rise: 1 }) });
    await clock.advance(200);
    const begun = network.timesOf(81).length;
    while (network.timesOf(81).length === begun) await clock.advance(1);
    eject();
    await clock.advance(101);
    expect(backends.row('web', ADDRESS).ejected).toBe(true);
  });

  it.each(['up', 'down'] as const)('ends when the verdict turns %s, and its place is free', async (to) => {
    const { clock, backends, network } = start();
    if (to === 'up') network.ports.set(81, 'ECONNREFUSED');
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await clock.advance(2);
    eject();
    network.ports.set(81, to === 'up' ? 'accept' : 'ECONNREFUSED');
    while (rig.events.length < 2) await clock.advance(1);
    expect(rig.events.at(-1)?.to).toBe(to);
    expect(backends.row('web', ADDRESS).ejected).toBe(false);
    expect(backends.pool('web').ejected).toBe(0);
    expect(backends.row('web', ADDRESS).ejectionsInRow).toBe(to === 'up' ? 0 : 1);
  });

  it('gives its place back when the backend leaves the config', async () => {
    const { clock, backends } = start();
    rig.apply({ name: 'web', backends: [ADDRESS, '127.0.0.1:82'], health });
    await clock.advance(2);
    eject();
    rig.apply({ name: 'web', backends: ['127.0.0.1:82'], health });
    expect(backends.pool('web').ejected).toBe(0);
  });
});
