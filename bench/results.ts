/** Where results are kept: those worth showing are committed, the others stay on this machine. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const resultsDir = fileURLToPath(new URL('./results/', import.meta.url));

/** Writes `result` as bench/results/SAVE.json, or into bench/results/local by kind and time; answers with the path. */
export function saveResult(result: unknown, kind: string, save: string | null): string {
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-');
  const file = save === null ? join(resultsDir, 'local', `${kind}-${stamp}.json`) : join(resultsDir, `${save}.json`);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, roundNumbers, 2)}\n`);
  return relative(process.cwd(), file);
}

/** Microseconds with ten decimals say nothing; five significant digits do. */
function roundNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
}
