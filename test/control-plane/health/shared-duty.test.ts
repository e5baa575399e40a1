/** How a prober shares its work with a tier: the tier's side is played by the test. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { healthSpec } from '../../support/backend-rig.ts';
import { MonitorRig } from '../../support/monitor-rig.ts';

const ADDRESS = '127.0.0.1:81';
const health = healthSpec();

let rig: MonitorRig;
beforeEach(() => (rig = new MonitorRig()));
afterEach(() => rig.monitor.stop());

const addresses = (count: number): string[] => Array.from({ length: count }, (_, i) => `127.0.0.1:${101 + i}`);
const keyOf = (address: string): string => rig.monitor.checksOf(rig.backends.numberOf('web', address))[0]!.check.key;
const verdict = (address: string, to: 'up' | 'down'): void => rig.monitor.acceptVerdict(keyOf(address), { check: keyOf(address), verdict: to, reason: 'seen', atMs: 5, by: ['b', 'c'] });
const said = (): (string | null)[] => rig.reports.map((report) => report.verdict);

/** On duty with the tier holding `up`, but not listening to what is reported. */
async function onDutyUp(...backends: string[]): Promise<void> {
  rig.tier.answers = false;
  rig.tier.place = () => null;
  rig.apply({ name: 'web', backends, health });
  for (const address of backends) verdict(address, 'up');
  rig.tier.place = () => ({ index: 0, of: 1 });
  rig.monitor.dutyChanged();
  await rig.clock.advance(0);
}

describe('a check of others', () => {
  it('is not probed, and its rows follow the verdict of the tier, with who decided it', async () => {
    rig.tier.place = () => null;
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await rig.clock.advance(5000);
    expect(rig.network.attempts).toEqual([]);
    expect([...rig.monitor.pending()]).toEqual([ADDRESS]);
    verdict(ADDRESS, 'down');
    expect(rig.backends.row('web', ADDRESS).verdict).toBe('down');
    expect(rig.events).toMatchObject([{ from: 'unknown', to: 'down', reason: 'seen', by: ['b', 'c'] }]);
    expect(rig.monitor.verdicts.standing(rig.backends.numberOf('web', ADDRESS))).toMatchObject({ by: ['b', 'c'] });
    expect([...rig.monitor.pending()]).toEqual([]);
  });

  it('that the tier has judged before is known at once', () => {
    const other = new MonitorRig();
    other.apply({ name: 'web', backends: [ADDRESS], health });
    const { key } = other.monitor.checksOf(other.backends.numberOf('web', ADDRESS))[0]!.check;
    other.monitor.stop();
    rig.tier.place = () => null;
    rig.monitor.acceptVerdict(key, { check: key, verdict: 'down', reason: 'seen', atMs: 5, by: ['b'] });
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    expect(rig.backends.row('web', ADDRESS).verdict).toBe('down');
    expect(rig.events).toMatchObject([{ to: 'down', by: ['b'] }]);
  });

  it('becomes ours: what the tier holds is where we start', async () => {
    rig.network.ports.set(81, 'ECONNREFUSED');
    await onDutyUp(ADDRESS);
    while (rig.reports.length === 0) await rig.clock.advance(1);
    expect(rig.network.timesOf(81)).toHaveLength(3);
    expect(said()).toEqual(['down']);
    expect(rig.backends.row('web', ADDRESS).verdict).toBe('up');
  });

  it('becomes ours: the first conclusion is reported, though it changes nothing', async () => {
    await onDutyUp(ADDRESS);
    await rig.clock.advance(4000);
    expect(said()).toEqual(['up']);
  });

  it('was ours: the report is withdrawn, and nothing is probed any more', async () => {
    await onDutyUp(ADDRESS);
    await rig.clock.advance(1100);
    rig.tier.place = () => null;
    rig.monitor.dutyChanged();
    const tried = rig.network.attempts.length;
    await rig.clock.advance(5000);
    expect(said()).toEqual(['up', null]);
    expect(rig.network.attempts).toHaveLength(tried);
    expect(rig.backends.row('web', ADDRESS).verdict).toBe('up');
    // What was seen then says nothing about now.
    expect(rig.monitor.checksOf(rig.backends.numberOf('web', ADDRESS))[0]!.check.lastResult).toBeNull();
  });

  it('is probed by whoever has it, if the committed config has not', async () => {
    rig.tier.place = () => null;
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    rig.apply({ name: 'web', backends: [ADDRESS, '127.0.0.1:82'], health });
    await rig.clock.advance(1000);
    expect(rig.network.attempts).toEqual([]);
    rig.monitor.setCommitted(false);
    await rig.clock.advance(1000);
    expect(rig.network.timesOf(81)).toEqual([]);
    expect(rig.network.timesOf(82).length).toBeGreaterThan(0);
    rig.monitor.setCommitted(true);
    const tried = rig.network.attempts.length;
    await rig.clock.advance(3000);
    expect(rig.network.attempts).toHaveLength(tried);
  });
});

describe('places', () => {
  it('of three probers are evenly apart, whatever they know of each other', async () => {
    const phases: number[] = [];
    for (const index of [0, 1, 2]) {
      rig = new MonitorRig({ seed: index });
      rig.tier.place = () => ({ index, of: 3 });
      rig.apply({ name: 'web', backends: [ADDRESS], health });
      await rig.clock.advance(10_000);
      rig.monitor.stop();
      phases.push(rig.network.timesOf(81).at(-1)! % 1000);
    }
    const [first, second, third] = phases.sort((a, b) => a - b) as [number, number, number];
    for (const gap of [second - first, third - second, first + 1000 - third]) expect(Math.abs(gap - 1000 / 3)).toBeLessThanOrEqual(52);
  });

  it('that keep changing keep no backend from being probed', async () => {
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    for (let step = 0; step < 50; step++) {
      // Ever later: each change alone would put the next probe off.
      rig.tier.place = () => ({ index: step % 10, of: 10 });
      rig.monitor.dutyChanged();
      await rig.clock.advance(90);
    }
    expect(rig.network.timesOf(81).length).toBeGreaterThanOrEqual(4);
  });
});

describe('a conclusion that contradicts the verdict', () => {
  it('is repeated at each heartbeat, and probed faster, until the tier agrees', async () => {
    rig.network.ports.set(81, 'ECONNREFUSED');
    await onDutyUp(ADDRESS);
    while (rig.reports.length === 0) await rig.clock.advance(1);
    const before = rig.network.attempts.length;
    await rig.clock.advance(3050);
    expect(said()).toEqual(['down', 'down', 'down', 'down']);
    expect(rig.network.attempts.length - before).toBeGreaterThanOrEqual(6);
    verdict(ADDRESS, 'down');
    const agreed = rig.network.attempts.length;
    await rig.clock.advance(5000);
    expect(rig.reports).toHaveLength(4);
    expect(rig.network.attempts.length - agreed).toBeLessThanOrEqual(6);
  });

  it('on most of its verdicts for long makes a prober withdraw for a lease', async () => {
    const backends = addresses(5);
    for (const port of [101, 102, 103]) rig.network.ports.set(port, 'ECONNREFUSED');
    await onDutyUp(...backends);
    while (!said().includes(null)) await rig.clock.advance(10);
    const doubtedMs = rig.clock.monotonicMs();
    // Not before others had time to see the same: its own three failures, a lease and two heartbeats.
    expect(doubtedMs).toBeGreaterThan(1000 + 5000);
    expect(rig.reports.filter((report) => report.verdict === null).map(({ check }) => check.slice(0, 13)).sort()).toEqual(backends);
    const tried = rig.network.attempts.length;
    await rig.clock.advance(2900);
    expect(rig.network.attempts).toHaveLength(tried);
    await rig.clock.advance(1200);
    expect(rig.network.attempts.length).toBeGreaterThan(tried);
  });

  it.each([
    { count: 2, refused: 2 },
    { count: 6, refused: 3 },
  ])('on $refused of $count makes nobody withdraw', async ({ count, refused }) => {
    for (let i = 0; i < refused; i++) rig.network.ports.set(101 + i, 'ECONNREFUSED');
    await onDutyUp(...addresses(count));
    await rig.clock.advance(12_000);
    expect(said()).not.toContain(null);
  });
});

describe('a suspicion', () => {
  it('has those on duty probe every 50 ms, `fall` times at most, to a conclusion', async () => {
    await onDutyUp(ADDRESS);
    await rig.clock.advance(1500);
    rig.network.ports.set(81, 'ECONNREFUSED');
    const before = rig.network.attempts.length;
    const suspectedMs = rig.clock.monotonicMs();
    rig.monitor.suspected([keyOf(ADDRESS)]);
    rig.monitor.suspected([keyOf(ADDRESS)]);
    while (said().at(-1) !== 'down') await rig.clock.advance(1);
    expect(rig.clock.monotonicMs() - suspectedMs).toBeLessThanOrEqual(2 * 50 + 5);
    expect(rig.network.attempts.length - before).toBe(3);
    await rig.clock.advance(400);
    expect(rig.network.attempts.length - before).toBe(3);
  });

  it('ends with the first pass of a probe begun after it', async () => {
    rig.network.ports.set(81, 20);
    await onDutyUp(ADDRESS);
    while (rig.network.attempts.length === 0) await rig.clock.advance(5);
    await rig.clock.advance(5);
    const before = rig.network.attempts.length;
    rig.monitor.suspected([keyOf(ADDRESS)]);
    await rig.clock.advance(300);
    expect(rig.network.attempts.length - before).toBe(1);
  });

  it('of a check of others, or of one that is down already, is nothing to us', async () => {
    rig.tier.place = () => null;
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    verdict(ADDRESS, 'up');
    rig.monitor.suspected([keyOf(ADDRESS), 'no such check']);
    await rig.clock.advance(300);
    expect(rig.network.attempts).toEqual([]);
  });
});

describe('without the store', () => {
  it.each([
    { members: 6, everyMs: 2000 },
    { members: 300, everyMs: 30_000 },
  ])('each of $members members probes every $everyMs ms', async ({ members, everyMs }) => {
    rig.tier.place = () => null;
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    verdict(ADDRESS, 'up');
    rig.tier.state = { phase: 'autonomous', reason: 'refused' };
    rig.tier.readyCount = members;
    rig.monitor.dutyChanged();
    await rig.clock.advance(10 * everyMs + 100);
    expect(Math.abs(rig.network.timesOf(81).length - 10)).toBeLessThanOrEqual(1);
    rig.tier.state = { phase: 'connected', reason: '' };
    rig.monitor.dutyChanged();
    const tried = rig.network.attempts.length;
    await rig.clock.advance(2 * everyMs);
    expect(rig.network.attempts).toHaveLength(tried);
  });

  it('a result that changes is followed up as fast as ever', async () => {
    await onDutyUp(ADDRESS);
    rig.tier.answers = true;
    rig.tier.state = { phase: 'autonomous', reason: 'refused' };
    rig.tier.readyCount = 30;
    rig.monitor.dutyChanged();
    await rig.clock.advance(30_000);
    rig.network.ports.set(81, 'ECONNREFUSED');
    const tried = rig.network.attempts.length;
    while (rig.network.attempts.length === tried) await rig.clock.advance(10);
    await rig.clock.advance(1010);
    expect(rig.backends.row('web', ADDRESS).verdict).toBe('down');
  });

  it('nothing is probed while it is not known yet whether there is one', async () => {
    rig.tier.state = { phase: 'joining', reason: '' };
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await rig.clock.advance(2000);
    expect(rig.network.attempts).toEqual([]);
  });
});

describe('a verdict that no config asks for', () => {
  it('is forgotten at once by a tier of one, be it removed or disabled', async () => {
    rig.apply({ name: 'web', backends: [ADDRESS, '127.0.0.1:82', '127.0.0.1:83'], health });
    await rig.clock.advance(10);
    const [removed, disabled] = [keyOf(ADDRESS), keyOf('127.0.0.1:82')];
    rig.apply({ name: 'web', backends: [{ address: '127.0.0.1:82', state: 'disabled' }, '127.0.0.1:83'], health });
    await rig.clock.advance(10);
    expect(rig.tier.forgotten.sort()).toEqual([removed, disabled]);
    await rig.clock.advance(10_000);
    expect(rig.tier.forgotten).toHaveLength(2);
  });

  it('waits for a lease among several members, and for the end of a rollout', async () => {
    for (const id of ['a', 'b']) rig.tier.addMember(id);
    rig.apply({ name: 'web', backends: [ADDRESS, '127.0.0.1:82'], health });
    await rig.clock.advance(10);
    rig.monitor.rolloutChanged(true);
    rig.apply({ name: 'web', backends: ['127.0.0.1:82'], health });
    await rig.clock.advance(7000);
    expect(rig.tier.forgotten).toEqual([]);
    rig.monitor.rolloutChanged(false);
    await rig.clock.advance(2990);
    expect(rig.tier.forgotten).toEqual([]);
    await rig.clock.advance(20);
    expect(rig.tier.forgotten).toHaveLength(1);
  });

  it('may be one that the tier asks for, if this config is not the tier\'s', async () => {
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await rig.clock.advance(10);
    rig.monitor.setCommitted(false);
    rig.apply();
    await rig.clock.advance(10_000);
    expect(rig.tier.forgotten).toEqual([]);
    rig.monitor.setCommitted(true);
    await rig.clock.advance(3000);
    expect(rig.tier.forgotten).toHaveLength(1);
  });

  it('is left to the leader', async () => {
    rig.tier.leads = false;
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await rig.clock.advance(10);
    rig.apply();
    await rig.clock.advance(10_000);
    expect(rig.tier.forgotten).toEqual([]);
    rig.tier.leads = true;
    await rig.clock.advance(3000);
    expect(rig.tier.forgotten).toHaveLength(1);
  });
});
