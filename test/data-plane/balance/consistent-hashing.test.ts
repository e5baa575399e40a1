/** What ring-hash and maglev promise: a key's place depends on addresses and weights alone, and moves only when it must. */
import { describe, expect, test } from 'vitest';
import { mix32 } from '../../../src/base/hash.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { maglevTable } from '../../../src/data-plane/balance/maglev.ts';
import { algorithmNamed, fakeCandidates, makeBalancer, type FakeCandidate } from '../../support/balance-rig.ts';

const KEYS = 10_000;

/** The address each key goes to. */
function placesOf(name: string, candidates: readonly FakeCandidate[], options: Record<string, unknown> = {}): string[] {
  const balancer = makeBalancer(name, candidates, 1, options);
  return Array.from({ length: KEYS }, (_, i) => candidates[balancer.pick({ keyHash: mix32(i), isPassedOver: null })]!.address);
}

function movedShare(before: readonly string[], after: readonly string[]): number {
  return before.filter((address, i) => address !== after[i]).length / KEYS;
}

function shuffled<T>(list: readonly T[], seed: number): T[] {
  const random = seededRandom(seed);
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

const weightings: readonly (readonly [string, (i: number) => number])[] = [
  ['equal weights', () => 1],
  ['weights 1 to 4', (i) => 1 + (i % 4)],
  ['weights 1 to 1000', (i) => 1 + ((i * 37) % 1000)],
];

describe.each(['ring-hash', 'maglev', 'source-hash'])('%s', (name) => {
  describe.each(weightings)('with %s', (_, weightOf) => {
    const candidates = fakeCandidates(Array.from({ length: 100 }, (_, i) => weightOf(i)));
    const total = candidates.reduce((sum, candidate) => sum + candidate.weight, 0);
    const before = placesOf(name, candidates);

    test('another order gives the same answers', () => {
      expect(movedShare(before, placesOf(name, shuffled(candidates, 3)))).toBe(0);
    });

    test('when one of a hundred goes, at most two points more than its share of keys move', () => {
      for (const gone of [0, 3, 50, 99]) {
        const own = candidates[gone]!;
        const after = placesOf(name, candidates.filter((candidate) => candidate !== own));
        const needless = before.filter((address, i) => address !== own.address && address !== after[i]).length / KEYS;
        expect(movedShare(before, after)).toBeLessThan(own.weight / total + 0.02);
        expect(needless, 'keys of others that moved').toBeLessThan(0.02);
      }
    });
  });

  test('one more backend takes its share and hardly anything else moves', () => {
    const candidates = fakeCandidates(new Array<number>(51).fill(1));
    expect(movedShare(placesOf(name, candidates.slice(0, 50)), placesOf(name, candidates))).toBeLessThan(1 / 51 + 0.02);
  });

  test('a weight of zero and back is where it was', () => {
    const candidates = fakeCandidates([1, 2, 3, 4]);
    const before = placesOf(name, candidates);
    placesOf(name, candidates.slice(1));
    expect(movedShare(before, placesOf(name, candidates))).toBe(0);
  });

  test('the keys of one that is passed over spread over the others', () => {
    const candidates = fakeCandidates(new Array<number>(20).fill(1));
    const balancer = makeBalancer(name, candidates);
    const heirs = new Set<number>();
    let moved = 0;
    for (let i = 0; i < KEYS; i++) {
      const owner = balancer.pick({ keyHash: mix32(i), isPassedOver: null });
      const other = balancer.pick({ keyHash: mix32(i), isPassedOver: (index) => index === 7 });
      if (owner === 7) heirs.add(other);
      else if (other !== owner) moved++;
    }
    expect(moved).toBe(0);
    expect(heirs.size).toBe(19);
  });

  test('the first and the last key have a place', () => {
    const balancer = makeBalancer(name, fakeCandidates([1, 1, 1]));
    for (const keyHash of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]) expect([0, 1, 2]).toContain(balancer.pick({ keyHash, isPassedOver: null }));
  });
});

describe('ring-hash', () => {
  test('below the cap no key of another backend moves', () => {
    const candidates = fakeCandidates(new Array<number>(100).fill(1));
    const before = placesOf('ring-hash', candidates);
    const after = placesOf('ring-hash', candidates.slice(1));
    expect(before.filter((address, i) => address !== candidates[0]!.address && address !== after[i])).toEqual([]);
  });

  test('the keys of one that is passed over go where they go when it is removed', () => {
    const candidates = fakeCandidates([1, 2, 3, 1, 2]);
    const balancer = makeBalancer('ring-hash', candidates);
    const without = placesOf('ring-hash', candidates.slice(1));
    const passed = Array.from({ length: KEYS }, (_, i) => candidates[balancer.pick({ keyHash: mix32(i), isPassedOver: (index) => index === 0 })]!.address);
    expect(movedShare(passed, without)).toBe(0);
  });

  test('more points share more evenly', () => {
    const spread = (points: number): number => {
      const counts = new Map<string, number>();
      for (const address of placesOf('ring-hash', fakeCandidates(new Array<number>(20).fill(1)), { points })) counts.set(address, (counts.get(address) ?? 0) + 1);
      return Math.max(...counts.values()) / (KEYS / 20);
    };
    expect(spread(1000)).toBeLessThan(1.15);
    expect(spread(4)).toBeGreaterThan(1.3);
  });

  test('answers the same in every version', () => {
    expect(placesOf('ring-hash', fakeCandidates([1, 2, 3])).slice(0, 12).map((address) => address.slice(7, 8)).join('')).toBe('221221121211');
  });
});

describe('maglev', () => {
  test('places are shared by weight to within one', () => {
    const candidates = fakeCandidates([1, 2, 3, 10]);
    const counts = [0, 0, 0, 0];
    for (const owner of maglevTable(candidates, 65_537)) counts[owner]!++;
    for (const [i, { weight }] of candidates.entries()) expect(Math.abs(counts[i]! - (65_537 * weight) / 16)).toBeLessThanOrEqual(1);
  });

  test('more backends than places still serves', () => {
    const balancer = makeBalancer('maglev', fakeCandidates(new Array<number>(10).fill(1)), 1, { tableSize: 3 });
    expect(balancer.pick({ keyHash: 1, isPassedOver: null })).toBeGreaterThanOrEqual(0);
    const left = makeBalancer('maglev', fakeCandidates(new Array<number>(10).fill(1)), 1, { tableSize: 3 });
    for (let only = 0; only < 10; only++) expect(left.pick({ keyHash: 1, isPassedOver: (index) => index !== only })).toBe(only);
  });

  test.each([{ tableSize: 65_536 }, { tableSize: 1 }, { tableSize: 131_101 }])('refuses %j', (options) => {
    expect(algorithmNamed('maglev').definition.options.safeParse(options).success).toBe(false);
  });

  test('answers the same in every version', () => {
    expect(placesOf('maglev', fakeCandidates([1, 2, 3])).slice(0, 12).map((address) => address.slice(7, 8)).join('')).toBe('021001220021');
  });
});
