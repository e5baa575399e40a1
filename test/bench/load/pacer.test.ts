/** The gaps between requests at a fixed rate. */
import { describe, expect, it } from 'vitest';
import { gapsMs } from '../../../bench/load/pacer.ts';

function firstOf(ratePerS: number, count: number): number[] {
  const gaps = gapsMs(ratePerS);
  return Array.from({ length: count }, () => gaps.next().value);
}

describe('gaps', () => {
  it('have the mean of the rate and the spread of independent clients', () => {
    const gaps = firstOf(2000, 20_000);
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    expect(mean).toBeCloseTo(0.5, 1);
    // Of exponential gaps 63 % are below the mean; of even ones none or all.
    expect(gaps.filter((gap) => gap < mean).length / gaps.length).toBeCloseTo(1 - Math.exp(-1), 1);
    expect(Math.min(...gaps)).toBeGreaterThan(0);
  });

  it('are the same in every run', () => {
    expect(firstOf(100, 50)).toEqual(firstOf(100, 50));
  });
});
