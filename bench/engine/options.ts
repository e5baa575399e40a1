/** What can be asked of the engine bench on its command line. */
import { parseArgs } from 'node:util';
import { findRow, rows } from './rows.ts';

export interface EngineFlags {
  readonly rows: readonly string[];
  readonly rounds: number;
  /** Length of each measurement. */
  readonly seconds: number;
  /** Before the first one, for every contender. */
  readonly warmUpSeconds: number;
  /** Requests a second instead of as many as possible; null: as each row says. */
  readonly rate: number | null;
  /** Run Weir twice, as the noise floor. */
  readonly noise: boolean;
  /** Name under bench/results; null: bench/results/local, not committed. */
  readonly save: string | null;
}

export function parseEngineFlags(args: readonly string[]): EngineFlags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: 'string', default: 'all' },
      rounds: { type: 'string', default: '7' },
      seconds: { type: 'string', default: '0.7' },
      'warm-up': { type: 'string', default: '5' },
      rate: { type: 'string' },
      'no-noise': { type: 'boolean', default: false },
      save: { type: 'string' },
    },
  });
  const names = values.rows === 'all' ? rows.map((row) => row.name) : values.rows.split(',');
  return {
    rows: names.map((name) => findRow(name).name),
    rounds: Math.ceil(positive('rounds', values.rounds)),
    seconds: positive('seconds', values.seconds),
    warmUpSeconds: positive('warm-up', values['warm-up']),
    rate: values.rate === undefined ? null : positive('rate', values.rate),
    noise: !values['no-noise'],
    save: values.save ?? null,
  };
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new Error(`--${flag} wants a number above 0, not "${text}"`);
  return value;
}
