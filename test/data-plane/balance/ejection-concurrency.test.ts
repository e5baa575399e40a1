/** The pool's count of ejected backends never leaks, however the steps of several threads fall between each other. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { Ejection } from '../../../src/data-plane/balance/ejection.ts';
import { BackendTable, type BackendRow, type PoolRow } from '../../../src/shared/backend-table.ts';
import { ejectionLimit, liftEjection, liftExpiredEjection, placeEjection } from '../../../src/shared/ejections.ts';
import type { EjectingWork } from '../../support/ejecting-worker.ts';

const BACKENDS = 4;
const SHARE = 0.5;

/** Calls `between` before each operation on the row, as if another thread had its turn there. */
function interrupted<T extends object>(row: T, between: () => void): T {
  return new Proxy(row, {
    get(target, property) {
      between();
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

interface Step {
  readonly kind: 'refused' | 'reset' | 'expire' | 'liftAll' | 'drop';
  readonly index: number;
  readonly waitMs: number;
  /** After how many operations of this step the other thread's step runs. */
  readonly interruptAt: number;
  readonly other: Step | null;
}

const anyStep = fc.letrec<{ step: Step }>((tie) => ({
  step: fc.record({
    kind: fc.constantFrom('refused', 'refused', 'reset', 'expire', 'liftAll', 'drop'),
    index: fc.integer({ min: 0, max: BACKENDS - 1 }),
    waitMs: fc.constantFrom(0, 0, 300, 1500),
    interruptAt: fc.integer({ min: 0, max: 12 }),
    other: fc.option(tie('step'), { nil: null, maxDepth: 3 }),
  }),
})).step;

class Interleaving {
  readonly #pool: PoolRow;
  readonly #rows: readonly BackendRow[];
  nowMs = 0;

  constructor(pool: PoolRow, rows: readonly BackendRow[]) {
    this.#pool = pool;
    this.#rows = rows;
  }

  run(step: Step): void {
    this.nowMs += step.waitMs;
    let operations = 0;
    let other = step.other;
    const between = (): void => {
      if (operations++ < step.interruptAt || other === null) return;
      const now = other;
      other = null;
      this.run(now);
    };
    const pool = interrupted(this.#pool, between);
    const rows = this.#rows.map((row) => interrupted(row, between));
    const outlier = { consecutiveFailures: 2, ejectForMs: 4000, maxEjectedShare: SHARE };
    const ejection = new Ejection(outlier, pool, rows, { random: seededRandom(this.nowMs), ejected() {} });
    if (step.kind === 'expire') ejection.readmitExpired(this.nowMs);
    else if (step.kind === 'liftAll') ejection.liftAll();
    else if (step.kind === 'drop') ejection.drop(step.index);
    else ejection.onFailure(step.index, step.kind, this.nowMs);
    if (other !== null) this.run(other);
  }
}

test('one step of a thread inside another, nested', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 12 }), (steps) => {
      const table = new BackendTable();
      table.ensure({ backends: BACKENDS, pools: 1, listeners: 0 });
      const rows = Array.from({ length: BACKENDS }, (_, i) => table.backend(i));
      for (const row of rows) Object.assign(row, { verdict: 'up', state: 'ready', weight: 1 });
      const pool = table.pool(0);
      const threads = new Interleaving(pool, rows);
      for (const step of steps) {
        threads.run(step);
        const ejected = rows.filter((row) => row.ejected).length;
        expect(pool.ejected).toBe(ejected);
        expect(ejected).toBeLessThanOrEqual(ejectionLimit(BACKENDS, SHARE));
      }
    }),
    { numRuns: 1000 },
  );
});

test('a thread that sees the flag sees the end of this ejection, not of an earlier one', () => {
  const table = new BackendTable();
  table.ensure({ backends: 1, pools: 1, listeners: 0 });
  const [pool, row] = [table.pool(0), table.backend(0)];
  placeEjection(pool, row, 1000, 1);
  liftEjection(pool, row);
  const exchange = Atomics.compareExchange.bind(Atomics);
  const spy = vi.spyOn(Atomics, 'compareExchange').mockImplementationOnce((...cell: Parameters<typeof exchange>) => {
    const result = exchange(...cell);
    // Here another thread's tick looks for ejections that have ended.
    expect(liftExpiredEjection(pool, row, 5000)).toBe(false);
    return result;
  });
  expect(placeEjection(pool, row, 9000, 1)).toBe(true);
  spy.mockRestore();
  expect([row.ejected, pool.ejected]).toEqual([true, 1]);
});

test('real threads on the same memory', async () => {
  const table = new BackendTable();
  table.ensure({ backends: BACKENDS, pools: 1, listeners: 0 });
  const rows = Array.from({ length: BACKENDS }, (_, i) => table.backend(i));
  for (const row of rows) Object.assign(row, { verdict: 'up', state: 'ready', weight: 1 });
  const workers = [1, 2].map((seed) => {
    const work: EjectingWork = { memory: table.memory(), backends: BACKENDS, steps: 50_000, seed };
    return new Worker(new URL('../../support/ejecting-worker.ts', import.meta.url), { workerData: work });
  });
  const results = await Promise.all(workers.map(async (worker) => ((await once(worker, 'message')) as [{ made: number; highest: number }])[0]));
  await Promise.all(workers.map((worker) => worker.terminate()));
  expect(table.pool(0).ejected).toBe(rows.filter((row) => row.ejected).length);
  for (const { made, highest } of results) {
    expect(made).toBeGreaterThan(100);
    // A thread reads the flags one by one while the other moves an ejection, so it may see one twice.
    expect(highest).toBeLessThanOrEqual(BACKENDS);
  }
});
