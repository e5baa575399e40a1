/** What every balancing algorithm of the registry promises; a new one is held to it by its line there. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mix32 } from '../../src/base/hash.ts';
import { balancers } from '../../src/data-plane/balance/registry.ts';
import { BalanceRig, algorithmNamed, chiSquare, chiSquareBound, countPicks, fakeCandidates, makeBalancer, pickedIndexes } from '../support/balance-rig.ts';

const weightLists = fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 1000 })), { maxLength: 80 });

/** A small table, so that hundreds of instances cost little. */
function optionsOf(name: string): Record<string, unknown> {
  return name === 'maglev' || name === 'source-hash' ? { tableSize: 251 } : {};
}

describe.each(balancers)('$name', (definition) => {
  const { name } = definition;

  test('picks within range and nobody passed over; -1 only if all are', () => {
    fc.assert(
      fc.property(weightLists, fc.integer(), fc.infiniteStream(fc.boolean()), (weights, seed, mask) => {
        const candidates = fakeCandidates(weights);
        for (const [i, candidate] of candidates.entries()) candidate.load = i % 5;
        const passed = candidates.map(() => mask.next().value);
        const balancer = makeBalancer(name, candidates, seed, optionsOf(name));
        for (let i = 0; i < 20; i++) {
          const free = balancer.pick({ keyHash: mix32(seed + i), isPassedOver: null });
          expect(free).toBeGreaterThanOrEqual(weights.length === 0 ? -1 : 0);
          expect(free).toBeLessThan(weights.length);
          const index = balancer.pick({ keyHash: mix32(seed + i), isPassedOver: (at) => passed[at]! });
          if (passed.includes(false)) expect(passed[index]).toBe(false);
          else expect(index).toBe(-1);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('nobody to pick gives -1, a single candidate takes everything', () => {
    expect(makeBalancer(name, []).pick({ keyHash: 5, isPassedOver: null })).toBe(-1);
    expect(makeBalancer(name, []).pick({ keyHash: 5, isPassedOver: () => true })).toBe(-1);
    expect(countPicks(makeBalancer(name, fakeCandidates([7])), 1, 100)).toEqual([100]);
  });

  test('a seed replays it', () => {
    const sequence = (): number[] => {
      const balancer = makeBalancer(name, fakeCandidates([3, 1, 4, 1, 5, 9]), 42);
      return Array.from({ length: 500 }, (_, i) => balancer.pick({ keyHash: mix32(i), isPassedOver: (index) => index === i % 7 }));
    };
    expect(sequence()).toEqual(sequence());
  });

  test.each([
    ['equal weights', [1, 1, 1, 1, 1]],
    ['5:1:1', [5, 1, 1]],
    ['weights 1 to 1000', [1000, 1, 500, 250, 1000]],
    ['fifty of two weights', Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? 2 : 10))],
    ['more than are compared one by one', Array.from({ length: 100 }, (_, i) => 1 + (i % 3))],
  ])('100,000 picks at equal load: %s', (_, weights) => {
    const counts = countPicks(makeBalancer(name, fakeCandidates(weights), 3), weights.length, 100_000);
    if (definition.expectedShares === 'first') {
      expect(counts[0]).toBe(100_000);
    } else if (definition.usesKey) {
      // A table or ring is uneven by its own make, whatever the number of keys: 4 standard deviations of 160 points.
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [i, count] of counts.entries()) {
        const expected = (100_000 * weights[i]!) / total;
        expect(Math.abs(count - expected)).toBeLessThan(4 * expected * Math.sqrt(1 / (160 * weights[i]!)) + 5 * Math.sqrt(expected));
      }
    } else {
      expect(chiSquare(counts, weights)).toBeLessThan(chiSquareBound(weights.length - 1));
    }
  });

  test('picks depend on the key if and only if it says so', () => {
    const candidates = fakeCandidates([1, 1, 1, 1]);
    const read: string[] = [];
    for (const candidate of candidates) {
      candidate.inFlight = () => {
        read.push(candidate.address);
        return 0;
      };
    }
    const balancer = makeBalancer(name, candidates);
    const same = new Set(Array.from({ length: 200 }, () => balancer.pick({ keyHash: 12345, isPassedOver: null })));
    if (definition.usesKey) {
      expect(same.size).toBe(1);
      expect(read, 'the key alone decides').toEqual([]);
    } else if (definition.expectedShares !== 'first') {
      expect(same.size).toBeGreaterThan(1);
    }
  });

  test('serves a pool: priorities, then weights, then whoever is left', () => {
    const rig = new BalanceRig([{ priority: 1, weight: 3 }, { weight: 2 }, { weight: 0 }, { weight: 5 }]);
    const balancer = rig.worker(algorithmNamed(name));
    const isFirst = definition.expectedShares === 'first';
    expect(pickedIndexes(balancer)).toEqual(isFirst ? [1] : [1, 3]);
    rig.change((rows) => (rows[1]!.verdict = 'down'));
    expect(pickedIndexes(balancer)).toEqual([3]);
    rig.change((rows) => (rows[3]!.state = 'drain'));
    expect(pickedIndexes(balancer), 'the other of priority 0 is down, so priority 1 joins').toEqual([0]);
    expect(balancer.pick(9, (index) => index === 0), 'who was tried is not tried again').toBe(-1);
  });

  test('options: an empty map has all defaults, an unknown one is refused, the result is plain data', () => {
    const options = definition.options.parse({});
    expect(JSON.parse(JSON.stringify(options))).toEqual(options);
    expect(definition.options.safeParse({ nonsense: 1 }).success).toBe(false);
  });

  test('is described for the reference page', () => {
    expect(name).toMatch(/^[a-z][a-z0-9-]*$/);
    expect(definition.summary).toMatch(/^[A-Z].*\.$/);
  });
});

test('the registry is sorted by name', () => {
  const names = balancers.map((definition) => definition.name);
  expect(names).toEqual([...names].sort());
});
