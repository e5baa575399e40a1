import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import type { Balancer } from '../../../src/data-plane/balance/balancer.ts';
import { roundRobin } from '../../../src/data-plane/balance/round-robin.ts';
import { countPicks, fakeCandidates, makeBalancer, type FakeCandidate } from '../../support/balance-rig.ts';

const any = { keyHash: 0, isPassedOver: null };

function after(previous: Balancer, candidates: FakeCandidate[]): Balancer {
  return roundRobin.create(candidates, {}, { random: seededRandom(99), previous });
}

describe('round-robin', () => {
  test('starts anywhere, so that many workers do not all begin with the first', () => {
    const starts = new Set(Array.from({ length: 100 }, (_, seed) => makeBalancer('round-robin', fakeCandidates([1, 1, 1, 1]), seed).pick(any)));
    expect([...starts].sort()).toEqual([0, 1, 2, 3]);
  });

  test('the heavy one of 5:1:1 never comes four times in a row', () => {
    const balancer = makeBalancer('round-robin', fakeCandidates([5, 1, 1]), 4);
    const picks = Array.from({ length: 700 }, () => 'abc'[balancer.pick(any)]).join('');
    expect(picks).not.toContain('aaaa');
  });

  test('goes on where it stood when the candidates change', () => {
    const candidates = fakeCandidates([1, 1, 1, 1, 1]);
    let balancer = makeBalancer('round-robin', candidates, 4);
    const seen = new Map<string, number>();
    // A rebuild after every second pick: starting anew each time would not go round.
    for (let i = 0; i < 50; i++) {
      const { address } = candidates[balancer.pick(any)]!;
      seen.set(address, (seen.get(address) ?? 0) + 1);
      if (i % 2 === 1) balancer = after(balancer, candidates);
    }
    expect([...seen.values()]).toEqual([10, 10, 10, 10, 10]);
  });

  test('stays smooth through a rebuild after every pick', () => {
    const candidates = fakeCandidates([5, 1, 1]);
    let balancer = makeBalancer('round-robin', candidates, 4);
    let picks = '';
    for (let i = 0; i < 70; i++) {
      picks += 'abc'[balancer.pick(any)];
      balancer = after(balancer, candidates);
    }
    expect([...'abc'].map((letter) => picks.split(letter).length - 1)).toEqual([50, 10, 10]);
    expect(picks).not.toContain('aaaa');
  });

  test('goes on with the next one when another has gone', () => {
    const candidates = fakeCandidates([1, 1, 1, 1]);
    const balancer = makeBalancer('round-robin', candidates, 4);
    const last = balancer.pick(any);
    const next = candidates[(last + 1) % 4]!;
    const rest = candidates.filter((_, i) => i !== last);
    expect(rest[after(balancer, rest).pick(any)]).toBe(next);
  });

  test('those left share by turns when some are passed over', () => {
    const counts = countPicks(makeBalancer('round-robin', fakeCandidates([1, 1, 1, 1])), 4, 900, (index) => index === 2);
    expect(counts[2]).toBe(0);
    for (const count of [counts[0], counts[1], counts[3]]) expect(count).toBe(300);
  });
});
