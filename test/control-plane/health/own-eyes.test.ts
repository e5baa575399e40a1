import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tableTime } from '../../../src/shared/backend-table.ts';
import { placeEjection } from '../../../src/shared/ejections.ts';
import { healthSpec } from '../../support/backend-rig.ts';
import { MonitorRig } from '../../support/monitor-rig.ts';

const health = healthSpec();
const addresses = (count: number): string[] => Array.from({ length: count }, (_, i) => `127.0.0.1:${101 + i}`);

let rig: MonitorRig;
beforeEach(() => {
  rig = new MonitorRig();
  rig.tier.readyCount = 5;
  rig.tier.answers = false;
  rig.tier.place = () => null;
});
afterEach(() => rig.monitor.stop());

/** A pool of another's checks, all up. */
function up(count: number): string[] {
  const backends = addresses(count);
  rig.apply({ name: 'web', backends, health });
  for (const address of backends) {
    const { key } = rig.monitor.checksOf(number(address))[0]!.check;
    rig.monitor.acceptVerdict(key, { check: key, verdict: 'up', reason: '', atMs: 1, by: ['b'] });
  }
  return backends;
}

const number = (address: string): number => rig.backends.numberOf('web', address);

function refuse(address: string): void {
  placeEjection(rig.backends.pool('web'), rig.backends.row('web', address), tableTime(rig.clock.monotonicMs() + 1000), 1000);
  rig.monitor.refused(number(address));
}

describe('a refused connect', () => {
  it('is a suspicion, once in an interval', async () => {
    const [first] = up(9) as [string];
    refuse(first);
    await rig.clock.advance(990);
    refuse(first);
    expect(rig.tier.suspicions).toEqual([rig.monitor.checksOf(number(first))[0]!.check.key]);
    await rig.clock.advance(20);
    refuse(first);
    expect(rig.tier.suspicions).toHaveLength(2);
  });

  it('is none of a backend that is down, disabled or not probed at all', () => {
    const [first] = up(1) as [string];
    const { key } = rig.monitor.checksOf(number(first))[0]!.check;
    rig.monitor.acceptVerdict(key, { check: key, verdict: 'down', reason: '', atMs: 1, by: ['b'] });
    refuse(first);
    rig.apply({ name: 'web', backends: [first], health: null });
    refuse(first);
    rig.monitor.refused(12_345);
    expect(rig.tier.suspicions).toEqual([]);
  });

  it('is one of twenty in an interval at most', async () => {
    rig.tier.readyCount = 1;
    for (const address of up(60)) refuse(address);
    expect(rig.tier.suspicions).toHaveLength(20);
    await rig.clock.advance(1000);
    for (const address of addresses(60).slice(20)) refuse(address);
    expect(rig.tier.suspicions).toHaveLength(40);
  });

  it('is looked into at once by a proxy on duty itself', async () => {
    const [first] = up(1) as [string];
    rig.tier.place = () => ({ index: 0, of: 1 });
    rig.monitor.dutyChanged();
    rig.network.ports.set(101, 'ECONNREFUSED');
    const atMs = rig.clock.monotonicMs();
    refuse(first);
    while (rig.reports.length === 0) await rig.clock.advance(1);
    expect(rig.clock.monotonicMs() - atMs).toBeLessThanOrEqual(2 * 50 + 5);
  });
});

describe('isolated', () => {
  it('is a proxy that most of what it tries refuses: it raises no suspicion', async () => {
    const backends = up(10);
    for (const address of backends.slice(0, 5)) {
      refuse(address);
      await rig.clock.advance(110);
    }
    expect(rig.monitor.isolated).toBe(true);
    // The first two were no reason to doubt itself yet.
    expect(rig.tier.suspicions).toHaveLength(2);
  });

  it('is not one that gets answers from as many', async () => {
    const backends = up(10);
    for (const [at, address] of backends.slice(0, 5).entries()) {
      for (const other of backends.slice(5, 5 + at + 1)) rig.answers.set(number(other), at);
      refuse(address);
      await rig.clock.advance(110);
    }
    expect(rig.monitor.isolated).toBe(false);
    expect(rig.tier.suspicions).toHaveLength(5);
  });

  it('is a prober most of whose own probes fail against the verdicts, and no longer once they pass', async () => {
    const backends = up(5);
    for (let port = 101; port < 106; port++) rig.network.ports.set(port, 'silent');
    rig.tier.place = () => ({ index: 0, of: 1 });
    rig.monitor.dutyChanged();
    expect(backends).toHaveLength(5);
    await rig.clock.advance(3000);
    expect(rig.monitor.isolated).toBe(true);
    for (let port = 101; port < 106; port++) rig.network.ports.set(port, 'accept');
    await rig.clock.advance(3000);
    expect(rig.monitor.isolated).toBe(false);
  });

  it('is nobody in a tier of one', async () => {
    rig.tier.readyCount = 1;
    for (const address of up(10)) {
      refuse(address);
      await rig.clock.advance(110);
    }
    expect(rig.monitor.isolated).toBe(false);
    expect(rig.tier.suspicions).toHaveLength(10);
  });

  it('ends when the ejections do, and costs no timer afterwards', async () => {
    const backends = up(4);
    for (const address of backends) {
      refuse(address);
      await rig.clock.advance(110);
    }
    expect(rig.monitor.isolated).toBe(true);
    for (const address of backends) {
      rig.backends.row('web', address).readmit();
      rig.backends.pool('web').releaseEjection();
    }
    await rig.clock.advance(1100);
    expect(rig.monitor.isolated).toBe(false);
    expect(rig.clock.pending).toBe(0);
  });
});
