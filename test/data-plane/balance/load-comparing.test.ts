/** What algorithms that compare load do with it. */
import { describe, expect, test } from 'vitest';
import { mix32 } from '../../../src/base/hash.ts';
import { seededRandom } from '../../../src/base/random.ts';
import type { Balancer } from '../../../src/data-plane/balance/balancer.ts';
import { algorithmNamed, BalanceRig, countPicks, fakeCandidates, makeBalancer, type FakeCandidate } from '../../support/balance-rig.ts';

const any = { keyHash: 0, isPassedOver: null };

/** Keeps `busy` requests under way; each ends at random. Returns the loads at the end. */
function run(balancer: Balancer, candidates: FakeCandidate[], busy: number, steps: number): number[] {
  const random = seededRandom(5);
  const underWay: number[] = [];
  for (let i = 0; i < steps; i++) {
    const index = balancer.pick(any);
    candidates[index]!.load++;
    underWay.push(index);
    if (underWay.length <= busy) continue;
    const at = random.below(underWay.length);
    candidates[underWay[at]!]!.load--;
    underWay[at] = underWay.at(-1)!;
    underWay.pop();
  }
  return candidates.map((candidate) => candidate.load);
}

describe('least-connections', () => {
  test('takes the least loaded by weight', () => {
    const candidates = fakeCandidates([1, 4, 1]);
    [candidates[0]!.load, candidates[1]!.load, candidates[2]!.load] = [2, 7, 2];
    expect(makeBalancer('least-connections', candidates).pick(any)).toBe(1);
  });

  test('those equally loaded take turns by weight, not whoever follows the busy one', () => {
    const candidates = fakeCandidates([1, 1, 1, 1]);
    candidates[1]!.load = 9;
    const counts = countPicks(makeBalancer('least-connections', candidates), 4, 3000);
    expect(counts[1]).toBe(0);
    for (const index of [0, 2, 3]) expect(Math.abs(counts[index]! - 1000)).toBeLessThan(100);
  });

  test.each([10, 64])('is exact over %d backends', (count) => {
    const candidates = fakeCandidates(new Array<number>(count).fill(1));
    const loads = run(makeBalancer('least-connections', candidates), candidates, count * 10, count * 200);
    expect(Math.max(...loads)).toBeLessThanOrEqual(12);
  });

  test('stays close to even over a thousand', () => {
    const candidates = fakeCandidates(new Array<number>(1000).fill(1));
    const loads = run(makeBalancer('least-connections', candidates), candidates, 10_000, 100_000);
    expect(Math.max(...loads)).toBeLessThanOrEqual(14);
  });
});

describe('power-of-two', () => {
  test('never takes the busier of two', () => {
    const candidates = fakeCandidates([1, 1]);
    candidates[0]!.load = 1;
    expect(countPicks(makeBalancer('power-of-two', candidates), 2, 1000)).toEqual([0, 1000]);
  });

  test('never takes the busiest of many', () => {
    const candidates = fakeCandidates([1, 1, 1, 1, 1, 1]);
    candidates[3]!.load = 5;
    expect(countPicks(makeBalancer('power-of-two', candidates), 6, 5000)[3]).toBe(0);
  });

  test('weights count for as much as load', () => {
    const candidates = fakeCandidates([8, 1]);
    [candidates[0]!.load, candidates[1]!.load] = [7, 1];
    expect(countPicks(makeBalancer('power-of-two', candidates), 2, 200)).toEqual([200, 0]);
    candidates[0]!.load = 9;
    expect(countPicks(makeBalancer('power-of-two', candidates), 2, 200)).toEqual([0, 200]);
  });

  test('evens out far better than chance', () => {
    const busiest = (name: string): number => {
      const candidates = fakeCandidates(new Array<number>(100).fill(1));
      return Math.max(...run(makeBalancer(name, candidates), candidates, 1000, 20_000));
    };
    expect(busiest('power-of-two')).toBeLessThanOrEqual(14);
    expect(busiest('random')).toBeGreaterThan(14);
  });

  test('more choices find the idle one more often', () => {
    const share = (choices: number): number => {
      const candidates = fakeCandidates(new Array<number>(20).fill(1));
      for (const candidate of candidates.slice(1)) candidate.load = 3;
      return countPicks(makeBalancer('power-of-two', candidates, 1, { choices }), 20, 10_000)[0]! / 10_000;
    };
    expect(share(2)).toBeGreaterThan(0.07);
    expect(share(2)).toBeLessThan(0.13);
    expect(share(8)).toBeGreaterThan(0.25);
  });

  test.each([{ choices: 1 }, { choices: 17 }, { choices: 2.5 }])('refuses %j', (options) => {
    expect(algorithmNamed('power-of-two').definition.options.safeParse(options).success).toBe(false);
  });
});

test.each(['least-connections', 'power-of-two', 'ewma'])('%s sees the load that another worker makes', (name) => {
  const rig = new BalanceRig([{}, {}]);
  const [mine, other] = [rig.worker(algorithmNamed(name)), rig.worker(algorithmNamed(name))];
  for (const row of rig.rows) row.storeLatency(1000, rig.clock.nowMs);
  for (let i = 0; i < 50; i++) {
    const index = other.pick(mix32(i), null);
    if (index === 0) rig.rows[0]!.addInFlight(1);
  }
  expect(rig.rows[0]!.inFlight).toBeGreaterThan(0);
  for (let i = 0; i < 100; i++) expect(mine.pick(mix32(i), null)).toBe(1);
});
