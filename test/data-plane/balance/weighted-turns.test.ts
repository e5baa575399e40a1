import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WeightedTurns } from '../../../src/data-plane/balance/weighted-turns.ts';

function take(turns: WeightedTurns, count: number): number[] {
  return Array.from({ length: count }, () => turns.next());
}

const weightLists = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 12 });

describe('weighted turns', () => {
  test('5:1:1 is spread out, period after period', () => {
    expect(take(new WeightedTurns([5, 1, 1]), 14).map((i) => 'abc'[i]).join('')).toBe('abaaacaabaaaca');
  });

  test('equal weights go round', () => {
    expect(take(new WeightedTurns([2, 2, 2]), 7)).toEqual([0, 1, 2, 0, 1, 2, 0]);
  });

  test('each gets exactly its weight in every period, and no long run of the heavy ones', () => {
    fc.assert(
      fc.property(weightLists, (weights) => {
        const period = weights.reduce((sum, weight) => sum + weight, 0);
        const turns = new WeightedTurns(weights);
        for (let round = 0; round < 3; round++) {
          const seen = take(turns, period);
          for (const [i, weight] of weights.entries()) expect(seen.filter((index) => index === i)).toHaveLength(weight);
        }
      }),
    );
  });

  test('at any moment nobody is further from its due than the number of different weights allows', () => {
    fc.assert(
      fc.property(weightLists, (weights) => {
        const period = weights.reduce((sum, weight) => sum + weight, 0);
        const classes = new Set(weights).size;
        const turns = new WeightedTurns(weights);
        const taken = weights.map(() => 0);
        let furthest = 0;
        for (let turn = 1; turn <= 2 * period; turn++) {
          taken[turns.next()]!++;
          for (const [i, weight] of weights.entries()) furthest = Math.max(furthest, Math.abs(taken[i]! - (turn * weight) / period));
        }
        expect(furthest).toBeLessThanOrEqual(1 + classes / 2);
      }),
    );
  });

  test('a start in the middle of the period goes on from there', () => {
    fc.assert(
      fc.property(weightLists, fc.double({ min: 0, max: 0.999, noNaN: true }), (weights, share) => {
        const period = weights.reduce((sum, weight) => sum + weight, 0);
        const turns = new WeightedTurns(weights);
        turns.startAt(share);
        take(turns, 2 * period);
        // Whole periods follow the broken one, however it began.
        const seen = take(turns, period);
        for (const [i, weight] of weights.entries()) expect(Math.abs(seen.filter((index) => index === i).length - weight)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('a thousand different weights', () => {
    const weights = Array.from({ length: 1000 }, (_, i) => i + 1);
    const counts = weights.map(() => 0);
    const turns = new WeightedTurns(weights);
    for (let i = 0; i < 500_500; i++) counts[turns.next()]!++;
    expect(counts).toEqual(weights);
  });
});
