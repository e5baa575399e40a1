import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, formatRate, formatShare, formatSize, parseDuration, parseRate, parseShare, parseSize, type Parsed } from '../../src/config/units.ts';

function value<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

function refusal<T>(parsed: Parsed<T>): { message: string; suggestion: string | undefined } {
  if (parsed.ok) throw new Error(`taken as ${JSON.stringify(parsed.value)}`);
  expect(parsed.expected).not.toBe('');
  return { message: parsed.message, suggestion: parsed.suggestion };
}

describe('durations', () => {
  test.each([['500ms', 500], ['1.5s', 1500], ['1.1s', 1100], ['2m', 120_000], ['1h', 3_600_000], ['1d', 86_400_000], ['0s', 0], ['0', 0], [0, 0], ['365d', 31_536_000_000]])('%s', (text, ms) => {
    expect(value(parseDuration(text))).toBe(ms);
  });

  test.each([
    [5, '`5` has no unit', undefined],
    ['5', '`5` has no unit', undefined],
    ['1h30m', '`1h30m` has more than one unit', '1.5h'],
    ['500 ms', '`500 ms` holds a space', '500ms'],
    ['2sec', '`sec` is no unit here', '2s'],
    ['2S', '`S` is no unit here', '2s'],
    ['3weeks', '`weeks` is no unit here', undefined],
    ['-1s', '`-1s` is negative', undefined],
    ['0.4ms', '`0.4ms` is not a whole number of milliseconds', undefined],
    ['366d', '`366d` is more than 365d', undefined],
    ['', '`` is not one number and one unit', undefined],
    ['1e3s', '`1e3s` is not one number and one unit', undefined],
    ['.5s', '`.5s` is not one number and one unit', undefined],
    ['2constructor', '`constructor` is no unit here', undefined],
  ])('%s is refused', (text, message, suggestion) => {
    expect(refusal(parseDuration(text))).toEqual({ message, suggestion });
  });

  test('nothing but a zero means no limit: too small a value is refused, not rounded to it', () => {
    fc.assert(fc.property(fc.double({ min: 1e-6, max: 0.99, noNaN: true }), (ms) => {
      const parsed = parseDuration(`${ms.toFixed(6)}ms`);
      if (parsed.ok) expect(Number(ms.toFixed(6))).toBe(0);
    }));
  });
});

describe('sizes', () => {
  test.each([['64KiB', 65_536], ['1MB', 1_000_000], ['1.5GiB', 1_610_612_736], ['12B', 12], ['3GB', 3e9], ['2MiB', 2_097_152], ['7KB', 7000], ['0', 0], [0, 0]])('%s', (text, bytes) => {
    expect(value(parseSize(text))).toBe(bytes);
  });

  test.each([['64k', '64KiB'], ['64kb', '64KB'], ['1mib', '1MiB'], ['10bytes', '10B'], ['1g', '1GiB'], ['1MiB512KiB', '1.5MiB'], ['64', undefined], ['0.5B', undefined], ['9999999GiB', undefined]])('%s is refused', (text, suggestion) => {
    expect(refusal(parseSize(text)).suggestion).toBe(suggestion);
  });
});

describe('shares', () => {
  test.each([['20%', 0.2], ['0%', 0], ['100%', 1], ['12.5%', 0.125], [0, 0], ['0', 0]])('%s', (text, share) => {
    expect(value(parseShare(text))).toBe(share);
  });

  test.each([[0.2, '20%'], ['0.5', '50%'], [50, '50%'], [1, undefined], ['101%', undefined], ['-1%', undefined], ['half', undefined], [200, undefined]])('%s is refused', (text, suggestion) => {
    expect(refusal(parseShare(text)).suggestion).toBe(suggestion);
  });
});

describe('rates', () => {
  test.each([['100/s', { count: 100, periodMs: 1000 }], ['10/m', { count: 10, periodMs: 60_000 }], ['5/h', { count: 5, periodMs: 3_600_000 }], [0, { count: 0, periodMs: 1000 }]])('%s', (text, rate) => {
    expect(value(parseRate(text))).toEqual(rate);
  });

  test.each([['10/min', '10/m'], ['10/sec', '10/s'], ['10', undefined], [10, undefined], ['10 / s', undefined], ['10/ms', undefined], ['10/d', undefined], ['9999999999/s', undefined], ['-1/s', undefined]])('%s is refused', (text, suggestion) => {
    expect(refusal(parseRate(text)).suggestion).toBe(suggestion);
  });
});

describe('formatters', () => {
  test('give the shortest usual form', () => {
    expect([0, 500, 1500, 90_000, 60_000, 1234, 86_400_000].map(formatDuration)).toEqual(['0', '500ms', '1.5s', '1.5m', '1m', '1234ms', '1d']);
    expect([0, 100, 65_536, 1_000_000, 1_610_612_736, 33].map(formatSize)).toEqual(['0', '100B', '64KiB', '1MB', '1.5GiB', '33B']);
    expect([0, 0.2, 0.125, 1].map(formatShare)).toEqual(['0%', '20%', '12.5%', '100%']);
    expect(formatRate({ count: 10, periodMs: 60_000 })).toBe('10/m');
    expect(formatRate({ count: 10, periodMs: 500 })).toBe('20/s');
  });

  test('what they write is read back as the same value', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 31_536_000_000 }), (ms) => {
      expect(value(parseDuration(formatDuration(ms)))).toBe(ms);
    }));
    fc.assert(fc.property(fc.integer({ min: 0, max: 1024 ** 5 }), (bytes) => {
      expect(value(parseSize(formatSize(bytes)))).toBe(bytes);
    }));
    fc.assert(fc.property(fc.integer({ min: 0, max: 10_000 }), (points) => {
      expect(value(parseShare(formatShare(points / 10_000)))).toBeCloseTo(points / 10_000, 12);
    }));
    fc.assert(fc.property(fc.integer({ min: 0, max: 1e9 }), fc.constantFrom(1000, 60_000, 3_600_000), (count, periodMs) => {
      expect(value(parseRate(formatRate({ count, periodMs })))).toEqual({ count, periodMs: count === 0 ? 1000 : periodMs });
    }));
  });

  test('no text makes a parser throw', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9.]{0,30}[a-zA-Z%/ ]{0,5}$/), fc.double()), (text) => {
      for (const parse of [parseDuration, parseSize, parseShare, parseRate]) parse(text);
    }));
  });
});
