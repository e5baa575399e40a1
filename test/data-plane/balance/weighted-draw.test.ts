import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { WeightedDraw } from '../../../src/data-plane/balance/weighted-draw.ts';
import { chiSquare, chiSquareBound } from '../../support/balance-rig.ts';

test.each([[[1, 1, 1, 1]], [[1000, 1, 1]], [[1, 2, 3, 4, 5, 6, 7]], [Array.from({ length: 200 }, (_, i) => 1 + (i * 7) % 50)]])('draws in proportion to weight: %j', (weights) => {
  const draw = new WeightedDraw(weights, seededRandom(11));
  const counts = weights.map(() => 0);
  for (let i = 0; i < 100_000; i++) counts[draw.draw()]!++;
  expect(chiSquare(counts, weights)).toBeLessThan(chiSquareBound(weights.length - 1));
});

test('the others keep their proportions when some are passed over', () => {
  const weights = [1000, 3, 2, 1];
  const draw = new WeightedDraw(weights, seededRandom(11));
  const counts = weights.map(() => 0);
  for (let i = 0; i < 30_000; i++) counts[draw.drawAllowed((index) => index === 0)]!++;
  expect(counts[0]).toBe(0);
  expect(chiSquare(counts.slice(1), weights.slice(1))).toBeLessThan(chiSquareBound(2));
});

test('whoever may be drawn can be, and nobody else', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.boolean()), { maxLength: 20 }), fc.integer(), (entries, seed) => {
      const draw = new WeightedDraw(entries.map(([weight]) => weight), seededRandom(seed));
      const index = draw.drawAllowed((at) => entries[at]![1]);
      if (entries.every(([, passed]) => passed)) expect(index).toBe(-1);
      else expect(entries[index]![1]).toBe(false);
    }),
  );
});
