/** Medians, spreads and columns of the benches. */
import { describe, expect, it } from 'vitest';
import { figure, spread, table } from '../../bench/statistics.ts';

describe('spread', () => {
  it('takes the middle one, or the mean of the middle two, whatever the order', () => {
    expect(spread([9, 1, 4])).toEqual({ median: 4, min: 1, max: 9 });
    expect(spread([10, 1, 4, 2])).toEqual({ median: 3, min: 1, max: 10 });
  });

  it('says that there is nothing instead of inventing a figure', () => {
    expect(spread([])).toEqual({ median: Number.NaN, min: Number.NaN, max: Number.NaN });
  });
});

describe('figure', () => {
  it('carries three digits', () => {
    expect([figure(0.12345), figure(11.649), figure(1234.5), figure(Number.NaN)]).toEqual(['0.123', '11.6', '1235', '–']);
  });
});

describe('table', () => {
  it('aligns the first column to the left and the others to the right', () => {
    expect(table([['', 'a'], ['name', '12']])).toBe('       a\nname  12');
  });
});
