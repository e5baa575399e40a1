/** Shows that the search is guided by coverage: it finds what mutation alone meets about once in ten million inputs. */
import { seededRandom } from '../../src/base/random.ts';
import { FuzzLoop } from './fuzz-loop.ts';
import { hiddenTarget } from './targets/hidden.ts';

const BATCHES_MAX = 1000;

let batches = 0;
const run = new FuzzLoop(hiddenTarget, seededRandom(1)).run([], (findings) => findings > 0 || ++batches > BATCHES_MAX);
console.log(run.findings.length === 1 ? `found after ${run.executions} inputs` : `not found in ${run.executions} inputs`);
