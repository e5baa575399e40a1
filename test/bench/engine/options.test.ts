/** What the engine bench understands of its command line. */
import { describe, expect, it } from 'vitest';
import { parseEngineFlags } from '../../../bench/engine/options.ts';
import { rows } from '../../../bench/engine/rows.ts';

describe('the flags of the engine bench', () => {
  it('are all rows, seven short rounds and two Weirs when none is given', () => {
    expect(parseEngineFlags([])).toEqual({ rows: rows.map((row) => row.name), rounds: 7, seconds: 0.7, warmUpSeconds: 5, rate: null, noise: true, save: null });
  });

  it('choose rows and lengths', () => {
    const flags = parseEngineFlags(['--rows', 'answer-64k,small', '--rounds', '3', '--seconds', '1', '--warm-up', '2', '--rate', '500', '--no-noise', '--save', 'one']);
    expect(flags).toEqual({ rows: ['answer-64k', 'small'], rounds: 3, seconds: 1, warmUpSeconds: 2, rate: 500, noise: false, save: 'one' });
  });

  it.each([
    [['--rows', 'smal'], 'no row "smal"; there are: small, '],
    [['--rounds', '0'], '--rounds wants a number above 0, not "0"'],
    [['--seconds', 'long'], '--seconds wants a number above 0, not "long"'],
    [['--rate', '1x'], '--rate wants a number above 0, not "1x"'],
    [['--round', '3'], "Unknown option '--round'"],
  ])('refuse %j', (args, message) => {
    expect(() => parseEngineFlags(args)).toThrow(message);
  });
});
