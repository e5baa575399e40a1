/** Backends as the admin interface shows them: from the config, the table, the counters and the monitor's notes. */
import { yieldToLoop } from '../../base/clock.ts';
import { BACKEND_FAILURES, backendColumns } from '../../shared/counter-pages.ts';
import type { BackendSpec, PoolSpec } from '../../shared/snapshot.ts';
import type { RunningConfig } from '../../observe/metrics-source.ts';
import type { AdminContext } from './admin-context.ts';
import type { BackendAnswer } from './answers.ts';

/** A backend of a config and its row. */
export interface Placed {
  readonly pool: PoolSpec;
  readonly backend: BackendSpec;
  readonly row: number;
}

/** Rows handled between two turns of the loop: two or three milliseconds. */
export const ROWS_PER_TURN = 500;

export function backendView(context: AdminContext, { backend, row }: Placed): BackendAnswer {
  const cells = context.table.backend(row);
  const note = context.backendNote(row);
  const { requests, failures } = backendTotals(context, row);
  return {
    address: backend.address,
    verdict: cells.verdict,
    state: cells.state,
    ejected: cells.ejected,
    since: new Date(note.sinceMs).toISOString(),
    reason: note.reason,
    weight: cells.weight,
    priority: backend.priority,
    inFlight: cells.inFlight,
    requests,
    failures,
    latencyMs: cells.latencyUs === 0 ? null : cells.latencyUs / 1000,
  };
}

/** 1xx … 5xx. */
const CODE_CLASSES = 5;

/** Attempts sent to a backend, and those of them that failed, over all workers. */
export function backendTotals(context: AdminContext, row: number): { requests: number; failures: number } {
  let requests = 0;
  let failures = 0;
  for (const pages of context.counters) {
    const { cells, base } = pages.backends.at(row);
    let answers = 0;
    for (let column = 0; column < CODE_CLASSES; column++) answers += cells[base + backendColumns.codeClass + column]!;
    // A tcp connection that was taken has its time as an answer has, and no code.
    requests += Math.max(answers, cells[base + backendColumns.responseCount]!) + cells[base + backendColumns.errors]!;
    for (let f = 0; f < BACKEND_FAILURES.length; f++) failures += cells[base + backendColumns.failures + f]!;
  }
  return { requests, failures };
}

/** A pool's backends with their rows: `first` is the place of its first one among all backends. */
export function placedOf(config: RunningConfig, pool: PoolSpec, first: number): Placed[] {
  return pool.backends.map((backend, i) => ({ pool, backend, row: config.rows.backends[first + i]! }));
}

const sortedByConfig = new WeakMap<object, readonly Placed[]>();

/**
 * All backends by pool and address, so that a page can go on behind any of
 * them, also if that one has gone meanwhile. Sorted once for each config, in
 * slices.
 */
export async function sortedBackends(config: RunningConfig): Promise<readonly Placed[]> {
  const known = sortedByConfig.get(config.rows);
  if (known !== undefined) return known;
  const sorted: Placed[] = [];
  const firsts = firstBackends(config);
  const pools = config.snapshot.pools.map((pool, i) => ({ pool, first: firsts[i]! })).sort((a, b) => compareText(a.pool.name, b.pool.name));
  for (const { pool, first } of pools) {
    for (const placed of placedOf(config, pool, first).sort((a, b) => compareText(a.backend.address, b.backend.address))) sorted.push(placed);
    await yieldToLoop();
  }
  sortedByConfig.set(config.rows, sorted);
  return sorted;
}

/** Place of each pool's first backend among all. */
export function firstBackends(config: RunningConfig): number[] {
  let next = 0;
  return config.snapshot.pools.map((pool) => {
    const first = next;
    next += pool.backends.length;
    return first;
  });
}

/** By UTF-16 units: the same order everywhere, which localeCompare's is not. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
