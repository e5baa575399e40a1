/**
 * Verdicts where they take effect: written to the rows that the workers read,
 * told to whoever listens (log, events, metrics), and remembered with their
 * reason for people. Main thread only.
 */
import type { Clock } from '../../base/clock.ts';
import { type Verdict } from '../../shared/backend-table.ts';
import { liftEjection } from '../../shared/ejections.ts';
import type { PlacedBackend } from '../backend-rows.ts';
import type { PoolCounts } from './pool-counts.ts';

export interface VerdictEvent {
  /** Pools in which it holds; a check may be shared by several. */
  readonly pools: readonly string[];
  readonly address: string;
  readonly from: Verdict;
  readonly to: Verdict;
  readonly reason: string;
  /** Members whose reports decided it; empty: none did, this proxy knows it by itself. */
  readonly by: readonly string[];
  /** Wall time. */
  readonly atMs: number;
}

/** Why a verdict is what it is. */
export interface Ground {
  readonly reason: string;
  readonly by?: readonly string[];
  /** false: nobody needs to be told. */
  readonly isNews?: boolean;
}

export interface Standing {
  /** Wall time at which the verdict became what it is. */
  readonly sinceMs: number;
  readonly reason: string;
  readonly by: readonly string[];
}

export class Verdicts {
  readonly #clock: Clock;
  readonly #counts: PoolCounts;
  /** By row number. */
  readonly #standings = new Map<number, Standing>();
  readonly #listeners = new Set<(event: VerdictEvent) => void>();

  constructor(clock: Clock, counts: PoolCounts) {
    this.#clock = clock;
    this.#counts = counts;
  }

  /** Told of each change after it is in the rows. Returns how to end it. */
  subscribe(listener: (event: VerdictEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  standing(rowNumber: number): Standing | null {
    return this.#standings.get(rowNumber) ?? null;
  }

  /** A row that is new to the config: whatever stood in it is no change of this backend's verdict. */
  introduce(placed: PlacedBackend): void {
    placed.row.verdict = 'unknown';
    this.#standings.set(placed.number, { sinceMs: this.#clock.wallMs(), reason: 'not probed yet', by: [] });
  }

  forget(rowNumber: number): void {
    this.#standings.delete(rowNumber);
  }

  /** Writes `to` into `rows` (all of one address) where it is not the verdict already, and says so if it is news. */
  give(rows: readonly PlacedBackend[], to: Verdict, { reason, by = [], isNews = true }: Ground): void {
    if (rows.every(({ row }) => row.verdict === to)) return;
    const poolsByFormer = isNews ? new Map<Verdict, string[]>() : null;
    const atMs = this.#clock.wallMs();
    for (const placed of rows) {
      const from = placed.row.verdict;
      if (from === to) continue;
      this.#write(placed, to);
      this.#standings.set(placed.number, { sinceMs: atMs, reason, by });
      this.#counts.verdictChanged(placed.pool.name, to);
      if (poolsByFormer === null) continue;
      const pools = poolsByFormer.get(from);
      if (pools === undefined) poolsByFormer.set(from, [placed.pool.name]);
      else pools.push(placed.pool.name);
    }
    for (const [from, pools] of poolsByFormer ?? []) {
      const event: VerdictEvent = { pools, address: rows[0]!.backend.address, from, to, reason, by, atMs };
      for (const listener of this.#listeners) listener(event);
    }
  }

  /** Up, a backend has proved itself: it comes back at once and its next ejection is short. Down, it needs no ejection, whose place may serve another. */
  #write({ row, poolRow }: PlacedBackend, to: Verdict): void {
    row.verdict = to;
    if (to === 'up') row.resetEjections();
    if (to !== 'unknown') liftEjection(poolRow, row);
    poolRow.bumpEpoch();
  }
}
