/**
 * What the text layer costs for 10,000 backends and 10,000 routes: the first
 * load (cold, as a starting proxy does it) and the median of those after it
 * (as a reload does it). Beside it the two parsers alone. Prints milliseconds
 * of CPU of the process, the compiler's and collector's threads included.
 */
import { parseEvents } from 'js-yaml';
import { parseDocument } from 'yaml';
import { loadYaml } from '../../src/config/load-yaml.ts';
import { processSubstitutions } from '../../src/config/substitute.ts';
import { largeConfig } from '../../test/support/large-config.ts';

const ROUNDS = 7;
const text = largeConfig({ backends: 10_000, routes: 10_000 });
const bytes = Buffer.from(text);

function measure(name: string, run: () => void): void {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    run();
    const spent = process.cpuUsage(before);
    rounds.push((spent.user + spent.system) / 1000);
  }
  const first = rounds.shift() ?? 0;
  rounds.sort((a, b) => a - b);
  console.log(`${name}: ${first.toFixed(0)} ms the first time, then ${rounds[rounds.length >> 1]!.toFixed(0)} (${rounds[0]!.toFixed(0)}–${rounds.at(-1)!.toFixed(0)})`);
}

console.log(`${text.split('\n').length - 1} lines, ${bytes.length} bytes`);
measure('loadYaml', () => {
  const { tree, problems } = loadYaml(bytes, 'large.yaml', processSubstitutions('large.yaml', {}));
  if (tree === null || problems.hasErrors) throw new Error('the generated config does not load: the figure would mean nothing');
});
measure('js-yaml, events only', () => parseEvents(text, {}));
measure('yaml, parseDocument only', () => parseDocument(text));
