/**
 * How a pool's backends stand at this moment, read from the table. Whether it
 * panics is told from this, by the workers' own rule, and not from the flag in
 * the table: workers renew that with the next request only, which an idle pool
 * may wait long for.
 */
import type { BackendTable } from '../shared/backend-table.ts';
import type { PoolSpec } from '../shared/snapshot.ts';
import { servingBackends, type Standing } from '../shared/usable-backends.ts';

/** `rows`: those of all backends; `first`: the place of the pool's first one. About 100 ns a backend. */
export function standingsOf(table: BackendTable, pool: PoolSpec, rows: Int32Array, first: number): Standing[] {
  return pool.backends.map(({ priority }, i) => {
    const { state, weight, verdict, ejected, withdrawn } = table.backend(rows[first + i]!);
    return { state, weight, verdict, ejected, priority, withdrawn };
  });
}

export function isPanicking(pool: PoolSpec, standings: readonly Standing[]): boolean {
  return servingBackends(standings, pool.panicShare).panic;
}
