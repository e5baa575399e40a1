/** The backends of a snapshot, each with its place in shared memory. */
import type { BackendRow, BackendTable, PoolRow } from '../shared/backend-table.ts';
import type { BackendSpec, PoolSpec, Snapshot } from '../shared/snapshot.ts';
import type { SnapshotRows } from '../shared/thread-messages.ts';

export interface PlacedBackend {
  readonly pool: PoolSpec;
  readonly backend: BackendSpec;
  /** Row number in BackendTable. */
  readonly number: number;
  readonly row: BackendRow;
  readonly poolRow: PoolRow;
}

/** In the snapshot's order. */
export function placeBackends(snapshot: Pick<Snapshot, 'pools'>, rows: Pick<SnapshotRows, 'pools' | 'backends'>, table: BackendTable): PlacedBackend[] {
  const placed: PlacedBackend[] = [];
  snapshot.pools.forEach((pool, index) => {
    const poolRow = table.pool(rows.pools[index]!);
    for (const backend of pool.backends) {
      const number = rows.backends[placed.length]!;
      placed.push({ pool, backend, number, row: table.backend(number), poolRow });
    }
  });
  return placed;
}

/** Backends handled between two turns of the loop by whoever walks all of them: two milliseconds at most. */
export const BACKENDS_PER_TURN = 500;

/** How far a backend that takes nothing new has come. */
export interface DrainProgress {
  readonly inFlight: number;
  /** Connections in use; idle ones waiting for reuse are not. */
  readonly connections: number;
  /** Nothing is left on it. */
  readonly drained: boolean;
}

/** The row counts idle connections too; `connectionsIdle` (from the workers' counter pages) takes them off. Without it they count as in use until they close. */
export function drainProgress(row: BackendRow, connectionsIdle = 0): DrainProgress {
  const inFlight = Math.max(0, row.inFlight);
  const connections = Math.max(0, row.connections - connectionsIdle);
  return { inFlight, connections, drained: inFlight === 0 && connections === 0 };
}
