/**
 * Takes a backend out of its pool for a while because of what traffic to it
 * met, before any probe notices: a refused connect at once, other failures
 * after so many in a row over all workers. It comes back when the time has
 * ended, or when the main thread lifts the ejection as its probes pass.
 *
 * The first ejection lasts 1 s; each further one twice as long up to
 * `ejectFor`, until the backend has gone that long without one. Called by the
 * pipeline in any worker; the state is in shared rows.
 */
import type { Random } from '../../base/random.ts';
import { tableTime, type BackendRow, type PoolRow } from '../../shared/backend-table.ts';
import { ejectionLimit, liftEjection, liftExpiredEjection, placeEjection } from '../../shared/ejections.ts';
import type { OutlierSpec } from '../../shared/snapshot.ts';

/** `malformed` stands for any answer that cannot be used; a status of 5xx is an answer. */
export type FailureKind = 'refused' | 'timeout' | 'reset' | 'malformed';

const FIRST_EJECTION_MS = 1000;
/** Shortens by up to a tenth, so that what fell together does not return together. */
const JITTER_SHARE = 0.1;

export interface EjectionEnvironment {
  readonly random: Random;
  /** Told once per ejection, in the worker that made it. */
  ejected(backendIndex: number, forMs: number, reason: FailureKind): void;
}

export class Ejection {
  readonly #outlier: OutlierSpec | null;
  readonly #pool: PoolRow;
  readonly #backends: readonly BackendRow[];
  readonly #environment: EjectionEnvironment;
  readonly #limit: number;
  /** Rows that belong to another backend by now: not to be touched. */
  readonly #gone = new Set<number>();

  /** `backends` in file order; `outlier` null: never ejects. */
  constructor(outlier: OutlierSpec | null, pool: PoolRow, backends: readonly BackendRow[], environment: EjectionEnvironment) {
    this.#outlier = outlier;
    this.#pool = pool;
    this.#backends = backends;
    this.#environment = environment;
    this.#limit = outlier === null ? 0 : ejectionLimit(backends.length, outlier.maxEjectedShare);
  }

  onSuccess(backendIndex: number): void {
    if (this.#outlier !== null && !this.#gone.has(backendIndex)) this.#backends[backendIndex]!.resetFailures();
  }

  /** True if this failure ejected the backend. */
  onFailure(backendIndex: number, kind: FailureKind, nowMs: number): boolean {
    const outlier = this.#outlier;
    if (outlier === null || this.#gone.has(backendIndex)) return false;
    const row = this.#backends[backendIndex]!;
    const failures = row.countFailure();
    if (kind !== 'refused' && failures < outlier.consecutiveFailures) return false;
    if (!isInUse(row) || !this.#isAnotherUsable(row)) return false;
    const now = tableTime(nowMs);
    const forMs = this.#nextDurationMs(row, outlier, now);
    if (!placeEjection(this.#pool, row, tableTime(nowMs + forMs), this.#limit)) return false;
    // Another worker may have ejected the only other one meanwhile; that both give way is harmless.
    if (!this.#isAnotherUsable(row)) {
      liftEjection(this.#pool, row);
      return false;
    }
    row.resetFailures();
    this.#environment.ejected(backendIndex, forMs, kind);
    return true;
  }

  /** Readmits whose time has ended, even when no traffic asks: called by the worker's coarse tick. */
  readmitExpired(nowMs: number): void {
    if (this.#pool.ejected <= 0) return;
    const now = tableTime(nowMs);
    for (let index = 0; index < this.#backends.length; index++) {
      if (!this.#gone.has(index)) liftExpiredEjection(this.#pool, this.#backends[index]!, now);
    }
  }

  /** Ejections end now: of every backend. */
  liftAll(): void {
    for (let index = 0; index < this.#backends.length; index++) this.#lift(index);
  }

  /** This backend has left the pool: its row will be another's. Exchanges that still report about it are ignored. */
  drop(backendIndex: number): void {
    this.#lift(backendIndex);
    this.#gone.add(backendIndex);
  }

  #lift(index: number): void {
    if (!this.#gone.has(index)) liftEjection(this.#pool, this.#backends[index]!);
  }

  #nextDurationMs(row: BackendRow, { ejectForMs }: OutlierSpec, now: number): number {
    if (row.ejectionsInRow > 0 && ((now - row.ejectedUntil) | 0) > ejectForMs) row.resetEjections();
    const fullMs = Math.min(FIRST_EJECTION_MS * 2 ** Math.min(row.ejectionsInRow, 20), ejectForMs);
    return Math.round(fullMs * (1 - JITTER_SHARE * this.#environment.random.next()));
  }

  #isAnotherUsable(than: BackendRow): boolean {
    return this.#backends.some((row) => row !== than && !row.ejected && isInUse(row));
  }
}

/** What probes or an operator took out already needs no ejection. */
function isInUse(row: BackendRow): boolean {
  return row.verdict === 'up' && row.state === 'ready' && row.weight > 0;
}
