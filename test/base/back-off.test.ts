import { expect, test } from 'vitest';
import { BackOff } from '../../src/base/back-off.ts';

const limits = { firstMs: 100, mostMs: 10_000, provenMs: 60_000 };

test('waits double up to the most', () => {
  const backOff = new BackOff(limits);
  const waits = Array.from({ length: 9 }, () => backOff.failed(0));
  expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
});

test('what has proven itself starts over', () => {
  const backOff = new BackOff(limits);
  for (let i = 0; i < 5; i++) backOff.failed(59_999);
  expect(backOff.failed(60_000)).toBe(100);
  expect(backOff.failed(0)).toBe(200);
});
