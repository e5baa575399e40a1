/**
 * What all threads of one process know about each backend, pool and listener:
 * one fixed-size row each, in shared memory. This file alone touches `Atomics`
 * on it. Rows are keyed by stable identity, so verdicts, ejections and
 * in-flight counts outlive a reload.
 *
 * A `…Hint` is a plain read of a cell: 3 ns where Atomics.load takes 25. It is
 * never torn, and may lag behind other threads by an instant; for what every
 * request reads anew anyway (loads to compare, whether an epoch has moved).
 *
 * "main" is the main thread, "worker" any worker. Times are milliseconds of
 * Clock.monotonicMs() cut to int32; they wrap, so only differences count.
 */
import { SharedRows, type SharedRowsMemory } from './shared-rows.ts';
import type { BackendState } from './snapshot.ts';

export type Verdict = 'unknown' | 'up' | 'down';

const verdicts: readonly Verdict[] = ['unknown', 'up', 'down'];
const states: readonly BackendState[] = ['ready', 'drain', 'disabled'];

/** Columns of a backend's row. */
const B = {
  verdict: 0, // writer: main. readers: all
  state: 1, // writer: main (the stricter of file and operator)
  weight: 2, // writer: main (the file's, or the operator's)
  inFlight: 3, // writers: workers, atomic add; main, for a dead worker
  connections: 4, // writers: workers, atomic add; main, for a dead worker
  failuresInRow: 5, // writers: workers
  ejectedUntil: 6, // writers: workers (compare and set), main (lifts it)
  ejected: 7, // writers: workers (compare and set), main: 1 while ejected
  ejectionsInRow: 8, // writers: workers count up; main resets, and workers after a long time without an ejection
  latencyUs: 9, // writers: workers; a lost update costs one sample of an average
  latencyAt: 10, // writers: workers
  addressVersion: 11, // writer: main; odd while the words below change
  addressFamily: 12, // writer: main; 0 none, 4, 6
  address: 13, // 13..16: the resolved address, network order
  placesWanted: 17, // writers: workers, atomic add: how often one met the limit; wraps
  withdrawn: 18, // writer: main. readers: all. 1: its role pool serves another
} as const;
const BACKEND_COLUMNS = 19;

/** Columns of a pool's row. */
const P = {
  epoch: 0, // writers: all, atomic add, after any change that moves candidates
  ejected: 1, // writers: workers and main, atomic add: how many are ejected now
  panic: 2, // writers: workers, on each rebuild of candidates; 1 while panicking
  fenced: 3, // writer: main: 1: served until `fencedUntil` alone
  fencedUntil: 4, // writer: main
} as const;
const POOL_COLUMNS = 5;

/** Columns of a listener's row. */
const L = {
  connections: 0, // writers: workers, atomic add; main, for a dead worker
  placesWanted: 1, // writers: workers, atomic add: how often one met the limit; wraps
} as const;
const LISTENER_COLUMNS = 2;

export interface BackendTableMemory {
  readonly backends: SharedRowsMemory;
  readonly pools: SharedRowsMemory;
  readonly listeners: SharedRowsMemory;
}

export class BackendTable {
  readonly #backends = SharedRows.int32(BACKEND_COLUMNS);
  readonly #pools = SharedRows.int32(POOL_COLUMNS);
  readonly #listeners = SharedRows.int32(LISTENER_COLUMNS);

  /** Main thread only: makes the rows exist. */
  ensure(rows: { backends: number; pools: number; listeners: number }): void {
    this.#backends.ensure(rows.backends);
    this.#pools.ensure(rows.pools);
    this.#listeners.ensure(rows.listeners);
  }

  memory(): BackendTableMemory {
    return { backends: this.#backends.memory(), pools: this.#pools.memory(), listeners: this.#listeners.memory() };
  }

  adopt(memory: BackendTableMemory): void {
    this.#backends.adopt(memory.backends);
    this.#pools.adopt(memory.pools);
    this.#listeners.adopt(memory.listeners);
  }

  backend(row: number): BackendRow {
    const { cells, base } = this.#backends.at(row);
    return new BackendRow(cells, base);
  }

  pool(row: number): PoolRow {
    const { cells, base } = this.#pools.at(row);
    return new PoolRow(cells, base);
  }

  listener(row: number): ListenerRow {
    const { cells, base } = this.#listeners.at(row);
    return new ListenerRow(cells, base);
  }
}

export class BackendRow {
  readonly #cells: Int32Array;
  readonly #base: number;

  constructor(cells: Int32Array, base: number) {
    this.#cells = cells;
    this.#base = base;
  }

  /** Main: before a row is given to another backend. */
  clear(): void {
    for (let i = 0; i < BACKEND_COLUMNS; i++) Atomics.store(this.#cells, this.#base + i, 0);
  }

  get verdict(): Verdict {
    return verdicts[Atomics.load(this.#cells, this.#base + B.verdict)]!;
  }
  set verdict(value: Verdict) {
    Atomics.store(this.#cells, this.#base + B.verdict, verdicts.indexOf(value));
  }

  get state(): BackendState {
    return states[Atomics.load(this.#cells, this.#base + B.state)]!;
  }
  set state(value: BackendState) {
    Atomics.store(this.#cells, this.#base + B.state, states.indexOf(value));
  }

  /** Of a role pool that serves another: takes nothing new, and what is open to it is cut. */
  get withdrawn(): boolean {
    return Atomics.load(this.#cells, this.#base + B.withdrawn) === 1;
  }
  set withdrawn(value: boolean) {
    Atomics.store(this.#cells, this.#base + B.withdrawn, value ? 1 : 0);
  }

  get weight(): number {
    return Atomics.load(this.#cells, this.#base + B.weight);
  }
  set weight(value: number) {
    Atomics.store(this.#cells, this.#base + B.weight, value);
  }

  /** Requests under way over all workers. */
  get inFlight(): number {
    return Atomics.load(this.#cells, this.#base + B.inFlight);
  }
  /** `inFlight` by a plain read: see the note on hints above. */
  get inFlightHint(): number {
    return this.#cells[this.#base + B.inFlight]!;
  }
  addInFlight(change: number): void {
    Atomics.add(this.#cells, this.#base + B.inFlight, change);
  }

  /** Open connections over all workers, idle ones included. */
  get connections(): number {
    return Atomics.load(this.#cells, this.#base + B.connections);
  }
  /**
   * Takes one of `limit` places (0: no limit); false when none is left, or it is
   * withdrawn. Counted first and looked at then: who withdraws it and finds no
   * connection counted can be sure that none is about to be.
   */
  takeConnection(limit: number): boolean {
    const taken = Atomics.add(this.#cells, this.#base + B.connections, 1);
    if ((limit === 0 || taken < limit) && !this.withdrawn) return true;
    Atomics.sub(this.#cells, this.#base + B.connections, 1);
    return false;
  }
  releaseConnections(count: number): void {
    Atomics.sub(this.#cells, this.#base + B.connections, count);
  }

  /** How often a worker met the limit, for those whose connections at rest hold places. */
  get placesWantedHint(): number {
    return this.#cells[this.#base + B.placesWanted]!;
  }
  wantPlace(): void {
    Atomics.add(this.#cells, this.#base + B.placesWanted, 1);
  }

  /** Counts a failure; returns how many came in a row. */
  countFailure(): number {
    return Atomics.add(this.#cells, this.#base + B.failuresInRow, 1) + 1;
  }
  /** A plain load first: the common case is zero already, and a load is cheaper than a store all threads see. */
  resetFailures(): void {
    if (Atomics.load(this.#cells, this.#base + B.failuresInRow) !== 0) Atomics.store(this.#cells, this.#base + B.failuresInRow, 0);
  }

  get ejected(): boolean {
    return Atomics.load(this.#cells, this.#base + B.ejected) === 1;
  }
  get ejectedUntil(): number {
    return Atomics.load(this.#cells, this.#base + B.ejectedUntil);
  }
  /**
   * True if this call ejected it: of several threads at once, one wins. The
   * time is stored first: a thread that sees the flag must never see the end of
   * an earlier ejection, or it would lift this one at once. (A loser's time may
   * stand; it was set in the same instant.)
   */
  eject(untilMs: number): boolean {
    if (this.ejected) return false;
    Atomics.store(this.#cells, this.#base + B.ejectedUntil, untilMs | 0);
    if (Atomics.compareExchange(this.#cells, this.#base + B.ejected, 0, 1) !== 0) return false;
    Atomics.add(this.#cells, this.#base + B.ejectionsInRow, 1);
    return true;
  }
  /** True if this call lifted it. */
  readmit(): boolean {
    return Atomics.compareExchange(this.#cells, this.#base + B.ejected, 1, 0) === 1;
  }
  /** How often it was ejected since it last proved itself: doubles the next ejection. */
  get ejectionsInRow(): number {
    return Atomics.load(this.#cells, this.#base + B.ejectionsInRow);
  }
  resetEjections(): void {
    Atomics.store(this.#cells, this.#base + B.ejectionsInRow, 0);
  }

  get latencyUs(): number {
    return Atomics.load(this.#cells, this.#base + B.latencyUs);
  }
  get latencyAtMs(): number {
    return Atomics.load(this.#cells, this.#base + B.latencyAt);
  }
  get latencyUsHint(): number {
    return this.#cells[this.#base + B.latencyUs]!;
  }
  get latencyAtHintMs(): number {
    return this.#cells[this.#base + B.latencyAt]!;
  }
  storeLatency(us: number, atMs: number): void {
    Atomics.store(this.#cells, this.#base + B.latencyUs, us | 0);
    Atomics.store(this.#cells, this.#base + B.latencyAt, atMs | 0);
  }

  /** Changes with each new address; 0: never resolved. */
  get addressVersion(): number {
    return Atomics.load(this.#cells, this.#base + B.addressVersion);
  }
  /** Main: the address a name resolved to (4 or 16 bytes), or null: none. */
  storeAddress(bytes: Uint8Array | null): void {
    const { family: familyCell, words } = this.#addressCells();
    Atomics.add(this.#cells, this.#base + B.addressVersion, 1);
    Atomics.store(this.#cells, familyCell, bytes === null ? 0 : bytes.length === 4 ? 4 : 6);
    if (bytes !== null) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      for (let i = 0; i < bytes.length / 4; i++) Atomics.store(this.#cells, words + i, view.getInt32(i * 4));
    }
    Atomics.add(this.#cells, this.#base + B.addressVersion, 1);
  }
  /** Resolved address as bytes; null while there is none. Reads again if the main thread wrote meanwhile. */
  loadAddress(): Uint8Array | null {
    const { family: familyCell, words } = this.#addressCells();
    while (true) {
      const version = this.addressVersion;
      const family = Atomics.load(this.#cells, familyCell);
      const bytes = new Uint8Array(family === 6 ? 16 : 4);
      const view = new DataView(bytes.buffer);
      for (let i = 0; i < bytes.length / 4; i++) view.setInt32(i * 4, Atomics.load(this.#cells, words + i));
      if ((version & 1) === 0 && version === this.addressVersion) return family === 0 ? null : bytes;
    }
  }

  #addressCells(): { family: number; words: number } {
    return { family: this.#base + B.addressFamily, words: this.#base + B.address };
  }
}

export class PoolRow {
  readonly #cells: Int32Array;
  readonly #base: number;

  constructor(cells: Int32Array, base: number) {
    this.#cells = cells;
    this.#base = base;
  }

  clear(): void {
    for (let i = 0; i < POOL_COLUMNS; i++) Atomics.store(this.#cells, this.#base + i, 0);
  }

  /** Whoever changes a verdict, state, weight or ejection bumps it afterwards; candidates made at another epoch are stale. */
  get epoch(): number {
    return Atomics.load(this.#cells, this.#base + P.epoch);
  }
  /** `epoch` by a plain read; one that differs from what was read before is confirmed by `epoch`. */
  get epochHint(): number {
    return this.#cells[this.#base + P.epoch]!;
  }
  bumpEpoch(): void {
    Atomics.add(this.#cells, this.#base + P.epoch, 1);
  }

  get ejected(): number {
    return Atomics.load(this.#cells, this.#base + P.ejected);
  }
  /** Takes one of `limit` places for ejected backends; false when none is left. */
  takeEjection(limit: number): boolean {
    if (Atomics.add(this.#cells, this.#base + P.ejected, 1) < limit) return true;
    Atomics.sub(this.#cells, this.#base + P.ejected, 1);
    return false;
  }
  releaseEjection(): void {
    Atomics.sub(this.#cells, this.#base + P.ejected, 1);
  }

  get panic(): boolean {
    return Atomics.load(this.#cells, this.#base + P.panic) === 1;
  }
  set panic(value: boolean) {
    Atomics.store(this.#cells, this.#base + P.panic, value ? 1 : 0);
  }

  /** Main: the pool is served until then and no longer, unless this is said again; null: it has no such end. */
  fence(untilMs: number | null): void {
    if (untilMs !== null) Atomics.store(this.#cells, this.#base + P.fencedUntil, untilMs | 0);
    Atomics.store(this.#cells, this.#base + P.fenced, untilMs === null ? 0 : 1);
  }
  /** At table time `nowMs` its time is over. */
  isFenced(nowMs: number): boolean {
    return Atomics.load(this.#cells, this.#base + P.fenced) === 1 && !isAfter(Atomics.load(this.#cells, this.#base + P.fencedUntil), nowMs);
  }
}

export class ListenerRow {
  readonly #cells: Int32Array;
  readonly #base: number;

  constructor(cells: Int32Array, base: number) {
    this.#cells = cells;
    this.#base = base;
  }

  /** Open client connections over all workers. */
  get connections(): number {
    return Atomics.load(this.#cells, this.#base + L.connections);
  }
  addConnections(change: number): number {
    return Atomics.add(this.#cells, this.#base + L.connections, change) + change;
  }

  /** How often a worker met the limit, for those whose connections at rest hold places. */
  get placesWantedHint(): number {
    return this.#cells[this.#base + L.placesWanted]!;
  }
  wantPlace(): void {
    Atomics.add(this.#cells, this.#base + L.placesWanted, 1);
  }
}

/** The table's clock: int32 milliseconds that wrap after 24.8 days. */
export function tableTime(monotonicMs: number): number {
  return monotonicMs % 4294967296 | 0;
}

/** True if table time `until` lies after `now`. */
export function isAfter(until: number, now: number): boolean {
  return ((until - now) | 0) > 0;
}
