/** What can be asked of the load bench on its command line. */
import { parseArgs } from 'node:util';
import { defaultScenarios, scenarios } from './scenarios.ts';
import { targetKinds } from './targets.ts';

export interface LoadFlags {
  readonly scenarios: readonly string[];
  readonly proxies: readonly string[];
  readonly rounds: number;
  /** Length of each measurement. */
  readonly seconds: number;
  /** Also drive every proxy with autocannon. */
  readonly autocannon: boolean;
  /** Run the first proxy twice, as the noise floor. */
  readonly noise: boolean;
  /** Name under bench/results; null: bench/results/local, not committed. */
  readonly save: string | null;
}

export function parseLoadFlags(args: readonly string[]): LoadFlags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenarios: { type: 'string', default: defaultScenarios.join(',') },
      proxies: { type: 'string', default: targetKinds.map((kind) => kind.name).join(',') },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '1.5' },
      'no-autocannon': { type: 'boolean', default: false },
      'no-noise': { type: 'boolean', default: false },
      save: { type: 'string' },
    },
  });
  return {
    scenarios: values.scenarios === 'all' ? scenarios.map((scenario) => scenario.name) : values.scenarios.split(','),
    proxies: values.proxies.split(','),
    rounds: positive('rounds', values.rounds),
    seconds: positive('seconds', values.seconds),
    autocannon: !values['no-autocannon'],
    noise: !values['no-noise'],
    save: values.save ?? null,
  };
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${flag} wants a number above 0, not "${text}"`);
  return value;
}
