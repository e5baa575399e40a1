/**
 * npm run fuzz -- --target T --seconds N --seed S
 *
 * Searches one target, or all in turn (N seconds each). The corpus is kept,
 * cut down to what adds coverage; inputs that break a property, or show a
 * difference that nothing explains, go to findings/.
 */
import { parseArgs } from 'node:util';
import { seededRandom } from '../../src/base/random.ts';
import { corpusFolder, findingsFolder, keepInput, readInputs, replaceInputs } from './corpus.ts';
import { differentialTargets, type DifferentialTarget } from './differential/run.ts';
import { FuzzLoop } from './fuzz-loop.ts';
import { fuzzTargets } from './targets/registry.ts';
import type { FuzzTarget } from './targets/target.ts';

const INPUTS_KEPT_MAX = 80;

const { values } = parseArgs({ options: { target: { type: 'string', default: 'all' }, seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: String(process.pid) } } });
const seconds = Number(values.seconds);
const seed = Number(values.seed);

function untilTime(): () => boolean {
  const endMs = performance.now() + seconds * 1000;
  return () => performance.now() > endMs;
}

function show(target: string, input: Buffer, text: string): void {
  console.log(`${keepInput(findingsFolder, target, input)}\n  ${JSON.stringify(input.toString('latin1'))}\n  ${text}`);
}

/** Returns how many findings there are. */
function search(target: FuzzTarget): number {
  const isOver = untilTime();
  const corpus = [...readInputs(corpusFolder, target.name), ...readInputs(findingsFolder, target.name)].map(({ bytes }) => bytes);
  const run = new FuzzLoop(target, seededRandom(seed)).run(corpus, isOver);
  for (const { input, error } of run.findings) show(target.name, input, error.stack ?? error.message);
  // Run again from the shortest on: what longer ones add no more is let go.
  const kept = new FuzzLoop(target, seededRandom(seed)).run(run.kept, () => true).kept.filter((input) => !target.seeds.includes(input.toString('latin1')));
  replaceInputs(corpusFolder, target.name, kept.slice(0, INPUTS_KEPT_MAX));
  console.log(`${target.name}: ${run.executions} inputs in ${seconds} s, seed ${seed}; ${run.points} points, ${kept.length} inputs add some, ${run.findings.length} findings`);
  return run.findings.length;
}

async function compare(target: DifferentialTarget): Promise<number> {
  const corpus = [...readInputs(corpusFolder, target.name), ...readInputs(findingsFolder, target.name)].map(({ bytes }) => bytes);
  const run = await target.run(corpus, seededRandom(seed), untilTime());
  for (const name of run.missing) console.log(`${target.name}: ${name} is not on this machine, and left out`);
  for (const { input, text } of run.unexplained) show(target.name, input, text);
  console.log(`${target.name}: ${run.inputs} inputs in ${seconds} s, seed ${seed}; ${run.accepted} requests accepted, ${run.unexplained.length} findings; explained: ${[...run.classes].map(([id, count]) => `${id} ${count}`).join(', ')}`);
  return run.unexplained.length;
}

const isChosen = ({ name }: { name: string }): boolean => values.target === 'all' || values.target === name;
const chosen = [...fuzzTargets.filter(isChosen).map((target) => () => search(target)), ...differentialTargets.filter(isChosen).map((target) => () => compare(target))];
if (chosen.length === 0) {
  console.error(`No target "${values.target}". There are: all, ${[...fuzzTargets, ...differentialTargets].map(({ name }) => name).join(', ')}`);
  process.exitCode = 2;
}
for (const run of chosen) if ((await run()) > 0) process.exitCode = 1;
