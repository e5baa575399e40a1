import { expect, test } from 'vitest';
import { durationMs } from '../../src/base/duration.ts';

test.each([
  ['500ms', 500],
  ['1.5s', 1500],
  ['2m', 120_000],
  ['1h', 3_600_000],
  ['1d', 86_400_000],
  ['0s', 0],
])('%s is %d ms', (text, ms) => expect(durationMs(text)).toBe(ms));

test.each(['', '5', 's', '-1s', '1 s', '1S', '1.s', '.5s', '1e3ms', '1m30s'])('"%s" is no duration', (text) => expect(durationMs(text)).toBeNull());
