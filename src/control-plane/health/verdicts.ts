/**
 * Verdicts where they take effect: those of a row's checks become one, written
 * to the row that the workers read,
 * told to whoever listens (log, events, metrics), and remembered with their
 * reason for people. Main thread only.
 */
import type { Clock } from '../../base/clock.ts';
import { type Verdict } from '../../shared/backend-table.ts';
import { liftEjection } from '../../shared/ejections.ts';
import type { PlacedBackend } from '../backend-rows.ts';
import { NOT_PROBED, type Check, type CheckRow } from './check.ts';
import type { PoolCounts } from './pool-counts.ts';
import { rowVerdict } from './row-verdict.ts';

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
    this.#standings.set(placed.number, { sinceMs: this.#clock.wallMs(), reason: NOT_PROBED.reason, by: [] });
  }

  forget(rowNumber: number): void {
    this.#standings.delete(rowNumber);
  }

  /** Writes what follows from `check.verdict`, of which `ground` is the reason, into its rows, and says so where it is news. */
  give(check: Check, ground: Ground): void {
    check.ground = ground;
    if (check.rows.every(({ row, peers }) => peers.length === 1 && row.verdict === check.verdict)) return;
    const events = ground.isNews === false ? null : new Map<string, VerdictEvent & { readonly pools: string[] }>();
    const atMs = this.#clock.wallMs();
    for (const placed of check.rows) {
      if (placed.peers.length === 0) continue;
      const from = placed.row.verdict;
      const { verdict: to, reason, by } = rowVerdict(placed);
      if (from === to) this.#explain(placed, reason, by);
      if (from === to || isKept(placed, to)) continue;
      this.#write(placed, to);
      this.#standings.set(placed.number, { sinceMs: atMs, reason, by });
      this.#counts.verdictChanged(placed.pool.name, to);
      const key = `${from} ${to} ${reason}`;
      const event = events?.get(key);
      if (event === undefined) events?.set(key, { pools: [placed.pool.name], address: placed.backend.address, from, to, reason, by, atMs });
      else event.pools.push(placed.pool.name);
    }
    for (const event of events?.values() ?? []) for (const listener of this.#listeners) listener(event);
  }

  /** Of several checks another may be the reason now why a row is what it was. */
  #explain({ number, peers }: CheckRow, reason: string, by: readonly string[]): void {
    const standing = this.#standings.get(number);
    if (peers.length > 1 && standing !== undefined && standing.reason !== reason) this.#standings.set(number, { ...standing, reason, by });
  }

  /** Up, a backend has proved itself: it comes back at once and its next ejection is short. Down, it needs no ejection, whose place may serve another. */
  #write({ row, poolRow }: PlacedBackend, to: Verdict): void {
    row.verdict = to;
    if (to === 'up') row.resetEjections();
    if (to !== 'unknown') liftEjection(poolRow, row);
    poolRow.bumpEpoch();
  }
}

/** A check of which nothing is known yet does not take away what the row has; only its end as a check does. */
function isKept({ check, row }: CheckRow, to: Verdict): boolean {
  return to === 'unknown' && row.verdict === 'up' && check.verdict !== 'unknown';
}
