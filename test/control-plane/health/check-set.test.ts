/** What a reload does to checks and verdicts: CONFIG's table, through the monitor. */
import { afterEach, describe, expect, it } from 'vitest';
import { BACKENDS_PER_TURN } from '../../../src/control-plane/backend-rows.ts';
import { checkKey, digestOf } from '../../../src/control-plane/health/check-identity.ts';
import { healthSpec } from '../../support/backend-rig.ts';
import { MonitorRig } from '../../support/monitor-rig.ts';

const ADDRESS = '127.0.0.1:81';
const health = healthSpec();

let rig: MonitorRig;
const start = (...args: ConstructorParameters<typeof MonitorRig>): MonitorRig => (rig = new MonitorRig(...args));
afterEach(() => rig.monitor.stop());

describe('a reload', () => {
  it('keeps the verdict of a check that changed, and counts anew', async () => {
    const { clock, network, backends } = start();
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await clock.advance(2);
    network.ports.set(81, 'ECONNREFUSED');
    while (rig.monitor.counts.of('web').failed < 2) await clock.advance(1);
    rig.apply({ name: 'web', backends: [ADDRESS], health: healthSpec({ timeoutMs: 400 }) });
    expect(backends.row('web', ADDRESS).verdict).toBe('up');
    while (rig.monitor.counts.of('web').failed < 4) await clock.advance(1);
    expect(rig.changes()).toEqual(['unknown→up']);
    while (rig.monitor.counts.of('web').failed < 5) await clock.advance(1);
    await clock.advance(1);
    expect(rig.changes()).toEqual(['unknown→up', 'up→down']);
  });

  it('keeps counts of a check that did not change', async () => {
    const { clock, network } = start();
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await clock.advance(2);
    network.ports.set(81, 'ECONNREFUSED');
    while (rig.monitor.counts.of('web').failed < 2) await clock.advance(1);
    rig.apply({ name: 'web', backends: [{ address: ADDRESS, weight: 5 }, '127.0.0.1:82'], health });
    while (rig.monitor.counts.of('web').failed < 3) await clock.advance(1);
    await clock.advance(1);
    expect(rig.events.filter(({ address }) => address === ADDRESS).map(({ to }) => to)).toEqual(['up', 'down']);
  });

  it('probes an added backend at once and uses it from its first pass', async () => {
    const { clock, network, backends } = start();
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await clock.advance(1500);
    rig.apply({ name: 'web', backends: [ADDRESS, '127.0.0.1:82'], health });
    expect(backends.row('web', '127.0.0.1:82').verdict).toBe('unknown');
    await clock.advance(3);
    expect(network.timesOf(82)).toHaveLength(1);
    expect(backends.row('web', '127.0.0.1:82').verdict).toBe('up');
  });

  it('gives a backend added to another pool of the same check its verdict without waiting', async () => {
    const { clock, backends } = start();
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await clock.advance(2);
    rig.apply({ name: 'web', backends: [ADDRESS], health }, { name: 'api', backends: [ADDRESS], health });
    expect(backends.row('api', ADDRESS).verdict).toBe('up');
  });

  it('stops probing what was removed, and starts from nothing when it returns', async () => {
    const { clock, network, backends } = start();
    rig.apply({ name: 'web', backends: [ADDRESS, '127.0.0.1:82'], health });
    await clock.advance(2);
    rig.apply({ name: 'web', backends: ['127.0.0.1:82'], health });
    const tried = network.timesOf(81).length;
    await clock.advance(5000);
    expect(network.timesOf(81)).toHaveLength(tried);
    rig.apply({ name: 'web', backends: [ADDRESS, '127.0.0.1:82'], health });
    expect(backends.row('web', ADDRESS).verdict).toBe('unknown');
    await clock.advance(3);
    expect(backends.row('web', ADDRESS).verdict).toBe('up');
  });

  it('believes neither of two verdicts that become one check, until its first result', async () => {
    const { clock, network, backends } = start();
    const other = healthSpec({ port: 82 });
    network.ports.set(82, 'ECONNREFUSED');
    rig.apply({ name: 'web', backends: [ADDRESS], health }, { name: 'api', backends: [ADDRESS], health: other });
    await clock.advance(2);
    const third = healthSpec({ port: 83 });
    rig.apply({ name: 'web', backends: [ADDRESS], health: third }, { name: 'api', backends: [ADDRESS], health: third });
    expect([backends.row('web', ADDRESS).verdict, backends.row('api', ADDRESS).verdict]).toEqual(['up', 'down']);
    await clock.advance(2);
    expect([backends.row('web', ADDRESS).verdict, backends.row('api', ADDRESS).verdict]).toEqual(['up', 'up']);
  });

  it('takes a backend without probes as up when `health` goes', async () => {
    const { clock, network, backends } = start();
    network.ports.set(81, 'ECONNREFUSED');
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await clock.advance(2);
    rig.apply({ name: 'web', backends: [ADDRESS], health: null });
    expect(backends.row('web', ADDRESS).verdict).toBe('up');
  });

  it('loses no verdict of the tier that comes while many checks are built', () => {
    const { backends, monitor } = start();
    const addresses = Array.from({ length: 2 * BACKENDS_PER_TURN }, (_, at) => `127.0.${at >> 8}.${at & 255}:81`);
    const apply = monitor.apply(backends.place({ name: 'web', backends: addresses, health }));
    const told: string[] = [];
    // One in each pause, of the very first checks: they were built before it.
    while (apply.next().done !== true) {
      const address = addresses[told.length]!;
      told.push(address);
      monitor.acceptVerdict(checkKey(address, digestOf(health)), { check: '', verdict: 'up', reason: 'seen by others', atMs: 1, by: ['b'] });
    }
    expect(told.length).toBeGreaterThan(3);
    expect(told.map((address) => backends.row('web', address).verdict)).toEqual(told.map(() => 'up'));
  });
});

describe('a pool that asks for a role from now on', () => {
  const role = healthSpec({ role: 'primary' });

  it('has backends of which nothing is known until their roles are, though they were up', async () => {
    const { clock, network, backends } = start();
    rig.apply({ name: 'db', backends: [ADDRESS, '127.0.0.1:82'], health });
    await clock.advance(2);
    expect(rig.changes()).toEqual(['unknown→up', 'unknown→up']);
    network.ports.set(82, 'silent');
    rig.apply({ name: 'db', backends: [ADDRESS, '127.0.0.1:82'], health: role });
    expect([backends.row('db', ADDRESS).verdict, backends.row('db', '127.0.0.1:82').verdict]).toEqual(['unknown', 'unknown']);
    // Nothing is told of what is not known.
    expect(rig.reports.filter(({ reason }) => reason === 'as found before the config changed')).toEqual([]);
    await clock.advance(3);
    expect([backends.row('db', ADDRESS).verdict, backends.row('db', '127.0.0.1:82').verdict]).toEqual(['up', 'unknown']);
  });

  it('has them unknown also beside a check that goes on, and while another pool is still finding out', async () => {
    const { clock, network, backends } = start();
    rig.apply({ name: 'db', backends: [ADDRESS], health });
    await clock.advance(2);
    network.ports.set(81, 'silent');
    rig.apply({ name: 'db', backends: [ADDRESS], health }, { name: 'other', backends: [ADDRESS], health: role });
    rig.apply({ name: 'db', backends: [ADDRESS], health: [health, role] }, { name: 'other', backends: [ADDRESS], health: role });
    expect(backends.row('db', ADDRESS).verdict).toBe('unknown');
    rig.apply({ name: 'db', backends: [ADDRESS], health: role }, { name: 'other', backends: [ADDRESS], health: role });
    expect(backends.row('db', ADDRESS).verdict).toBe('unknown');
    network.ports.set(81, 'accept');
    await clock.advance(2000);
    expect(backends.row('db', ADDRESS).verdict).toBe('up');
  });

  it('has them unknown whatever their former checks find while the new ones are built', async () => {
    const { clock, backends, monitor } = start();
    const addresses = Array.from({ length: 2 * BACKENDS_PER_TURN }, (_, at) => `127.0.${at >> 8}.${at & 255}:81`);
    const first = monitor.apply(backends.place({ name: 'db', backends: addresses, health }));
    while (first.next().done !== true);
    await clock.advance(3000);
    expect(backends.row('db', addresses[0]!).verdict).toBe('up');
    const apply = monitor.apply(backends.place({ name: 'db', backends: addresses, health: role }));
    let pauses = 0;
    while (apply.next().done !== true) {
      pauses++;
      if (rig.monitor.checksOf(backends.numberOf('db', addresses[0]!))[0]!.check.plan!.spec.role !== null) break;
      monitor.acceptVerdict(checkKey(addresses[0]!, digestOf(health)), { check: '', verdict: 'up', reason: 'seen by others', atMs: 1, by: ['b'] });
    }
    expect(pauses).toBeGreaterThan(2);
    expect(backends.row('db', addresses[0]!).verdict).toBe('unknown');
    while (apply.next().done !== true);
  });

  it('keeps what is known when only its checks change', async () => {
    const { clock, backends } = start();
    rig.apply({ name: 'db', backends: [ADDRESS], health: role });
    await clock.advance(2);
    rig.apply({ name: 'db', backends: [ADDRESS], health: healthSpec({ role: 'primary', timeoutMs: 400 }) });
    expect(backends.row('db', ADDRESS).verdict).toBe('up');
  });
});
