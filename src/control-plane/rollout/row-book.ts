/**
 * Who has which row of shared memory. A row belongs to a stable identity
 * (backend: pool and address; listener; route: listener and name; pool), so
 * counters, verdicts and gauges outlive a reload. Used by the rollout alone,
 * one assignment at a time: `assign`, then `commit` once all workers run the
 * snapshot, or `abort`.
 *
 * A row passes to another identity only when no worker runs a snapshot that
 * has the former one and nothing is in flight or connected on it; until then
 * it is retired, and given back as it is if its owner returns.
 */
import type { BackendTable } from '../../shared/backend-table.ts';
import type { RowCounts } from '../../shared/counter-pages.ts';
import type { Snapshot } from '../../shared/snapshot.ts';
import type { SnapshotRows } from '../../shared/thread-messages.ts';
import { assert } from '../../base/assert.ts';

export type RowKind = keyof RowCounts;

export interface RowAssignment {
  readonly rows: SnapshotRows;
  /** Highest row in use of each kind, -1 for none: what must exist in memory before a worker sees `rows`. */
  readonly highest: RowCounts;
  /** Rows that an identity gets for the first time; the caller clears them. */
  readonly fresh: Readonly<Record<RowKind, readonly number[]>>;
}

/** Tells whether a retired identity has nothing open any more. */
export interface Idleness {
  backend(row: number): boolean;
  listener(row: number): boolean;
}

export function idlenessOf(table: BackendTable): Idleness {
  return {
    backend: (row) => table.backend(row).inFlight === 0 && table.backend(row).connections === 0,
    listener: (row) => table.listener(row).connections === 0,
  };
}

interface KindAssignment {
  readonly rows: Int32Array;
  readonly wanted: ReadonlySet<string>;
  readonly fresh: ReadonlyMap<string, number>;
}

/** The rows of one kind. */
class RowLedger {
  readonly #rows = new Map<string, number>();
  readonly #retired = new Set<string>();
  readonly #free: number[] = [];
  #next = 0;

  get highest(): number {
    return this.#next - 1;
  }

  keys(): Iterable<string> {
    return this.#rows.keys();
  }

  rowOf(key: string): number | undefined {
    return this.#rows.get(key);
  }

  reclaim(isIdle: (key: string, row: number) => boolean): void {
    for (const key of this.#retired) {
      const row = this.#rows.get(key)!;
      if (!isIdle(key, row)) continue;
      this.#retired.delete(key);
      this.#rows.delete(key);
      this.#free.push(row);
    }
  }

  assign(keys: readonly string[]): KindAssignment {
    const fresh = new Map<string, number>();
    const rows = Int32Array.from(keys, (key) => {
      const known = this.#rows.get(key) ?? fresh.get(key);
      if (known !== undefined) return known;
      const row = this.#free.pop() ?? this.#next++;
      fresh.set(key, row);
      return row;
    });
    return { rows, wanted: new Set(keys), fresh };
  }

  commit({ wanted, fresh }: KindAssignment): void {
    for (const [key, row] of fresh) this.#rows.set(key, row);
    for (const key of this.#rows.keys()) {
      if (wanted.has(key)) this.#retired.delete(key);
      else this.#retired.add(key);
    }
  }

  abort({ fresh }: KindAssignment): void {
    this.#free.push(...fresh.values());
  }
}

/** Names hold no line break, so the first one ends the owner's name. */
const keyOf = (owner: string, own: string): string => `${owner}\n${own}`;
const ownerOf = (key: string): string => key.slice(0, key.indexOf('\n'));

export class RowBook {
  readonly #ledgers = { backends: new RowLedger(), pools: new RowLedger(), routes: new RowLedger(), listeners: new RowLedger() };
  #open: Record<RowKind, KindAssignment> | null = null;

  /** Reserves rows for every part of `snapshot`. */
  assign(snapshot: Pick<Snapshot, 'listeners' | 'pools'>, idleness: Idleness): RowAssignment {
    assert(this.#open === null, 'the former row assignment is neither committed nor aborted');
    this.#reclaim(idleness);
    const { listeners, pools } = snapshot;
    const ledgers = this.#ledgers;
    const open = {
      listeners: ledgers.listeners.assign(listeners.map(({ name }) => name)),
      routes: ledgers.routes.assign(listeners.flatMap(({ name, routes }) => routes.map((route) => keyOf(name, route.name)))),
      pools: ledgers.pools.assign(pools.map(({ name }) => name)),
      backends: ledgers.backends.assign(pools.flatMap(({ name, backends }) => backends.map(({ address }) => keyOf(name, address)))),
    };
    this.#open = open;
    return {
      rows: { listeners: open.listeners.rows, routes: open.routes.rows, pools: open.pools.rows, backends: open.backends.rows },
      highest: { listeners: ledgers.listeners.highest, routes: ledgers.routes.highest, pools: ledgers.pools.highest, backends: ledgers.backends.highest },
      fresh: {
        listeners: [...open.listeners.fresh.values()],
        routes: [...open.routes.fresh.values()],
        pools: [...open.pools.fresh.values()],
        backends: [...open.backends.fresh.values()],
      },
    };
  }

  /** Every living worker runs the snapshot: what it lacks is retired. */
  commit(): void {
    this.#close((ledger, assignment) => ledger.commit(assignment));
  }

  /** No worker will ever run it. */
  abort(): void {
    this.#close((ledger, assignment) => ledger.abort(assignment));
  }

  #close(end: (ledger: RowLedger, assignment: KindAssignment) => void): void {
    assert(this.#open !== null, 'no row assignment is open');
    for (const kind of Object.keys(this.#ledgers) as RowKind[]) end(this.#ledgers[kind], this.#open[kind]);
    this.#open = null;
  }

  /**
   * A pool and a route have no gauge of their own: a pool's row is free once
   * no row of its backends is held, a route's once its listener has no
   * connection, since only an exchange of an open connection can count on it.
   */
  #reclaim(idleness: Idleness): void {
    const { backends, pools, routes, listeners } = this.#ledgers;
    backends.reclaim((_key, row) => idleness.backend(row));
    const held = new Set(Array.from(backends.keys(), ownerOf));
    pools.reclaim((pool) => !held.has(pool));
    routes.reclaim((key) => {
      const row = listeners.rowOf(ownerOf(key));
      return row === undefined || idleness.listener(row);
    });
    listeners.reclaim((_key, row) => idleness.listener(row));
  }
}
