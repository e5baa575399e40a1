/** A thread that ejects and readmits backends of a pool as fast as it can. workerData: EjectingWork. */
import { parentPort, workerData } from 'node:worker_threads';
import { seededRandom } from '../../src/base/random.ts';
import { Ejection } from '../../src/data-plane/balance/ejection.ts';
import { BackendTable, type BackendTableMemory } from '../../src/shared/backend-table.ts';
import { liftEjection } from '../../src/shared/ejections.ts';

export interface EjectingWork {
  readonly memory: BackendTableMemory;
  readonly backends: number;
  readonly steps: number;
  readonly seed: number;
}

const { memory, backends, steps, seed } = workerData as EjectingWork;
const table = new BackendTable();
table.adopt(memory);
const pool = table.pool(0);
const rows = Array.from({ length: backends }, (_, i) => table.backend(i));
const random = seededRandom(seed);
const ejection = new Ejection({ consecutiveFailures: 2, ejectForMs: 4000, maxEjectedShare: 0.5 }, pool, rows, { random, ejected() {} });
let made = 0;
let highest = 0;
for (let step = 0; step < steps; step++) {
  const index = random.below(backends);
  const choice = random.below(4);
  if (choice === 0) liftEjection(pool, rows[index]!);
  else if (choice === 1) ejection.readmitExpired(step * 10);
  else if (ejection.onFailure(index, choice === 2 ? 'refused' : 'reset', step * 10)) made++;
  highest = Math.max(highest, rows.filter((row) => row.ejected).length);
}
parentPort!.postMessage({ made, highest });
