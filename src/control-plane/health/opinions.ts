/**
 * What this prober tells the tier: its conclusion on each check it is on duty
 * for. A verdict changes only on a report, so a conclusion that contradicts the
 * verdict is repeated at each heartbeat: members come and go, and what was not
 * enough a moment ago may be now. A prober that for long contradicts most of
 * what the tier holds doubts itself rather than the tier, and withdraws.
 * Main thread only; the monitor calls.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { VerdictReport } from '../store/tier-store.ts';
import type { Check } from './check.ts';
import type { TierPace } from './duty.ts';

export interface OpinionsOptions {
  readonly clock: Clock;
  readonly pace: () => TierPace;
  readonly report: (report: VerdictReport) => void;
  /** It doubts itself: all reports have been withdrawn. */
  readonly onDoubt: () => void;
}

/** Fewer contradictions than this are no reason for doubt, whatever their share. */
export const DOUBT_MIN = 3;

export class Opinions {
  readonly #options: OpinionsOptions;
  /** What stands with the tier. */
  readonly #standing = new Map<Check, VerdictReport>();
  /** Monotonic time since which the report contradicts the verdict. */
  readonly #contrarySince = new Map<Check, number>();
  #timer: Timer | null = null;

  constructor(options: OpinionsOptions) {
    this.#options = options;
  }

  /** What stands with the tier from this prober; null: nothing. */
  of(check: Check): 'up' | 'down' | null {
    return this.#standing.get(check)?.verdict ?? null;
  }

  conclude(check: Check, verdict: 'up' | 'down', reason: string): void {
    const report: VerdictReport = { check: check.key, verdict, reason: reason.slice(0, REASON_MAX), atMs: this.#options.clock.wallMs() };
    this.#standing.set(check, report);
    this.compare(check);
    this.#options.report(report);
  }

  withdraw(check: Check, reason: string): void {
    this.#contrarySince.delete(check);
    if (this.#standing.delete(check)) this.#options.report({ check: check.key, verdict: null, reason, atMs: this.#options.clock.wallMs() });
  }

  /** The verdict may have changed. True if what stands contradicted it until now and no longer does. */
  compare(check: Check): boolean {
    const own = this.of(check);
    if (own === null || check.verdict === 'unknown' || own === check.verdict) return this.#contrarySince.delete(check);
    if (!this.#contrarySince.has(check)) this.#contrarySince.set(check, this.#options.clock.monotonicMs());
    this.#timer ??= this.#options.clock.after(this.#options.pace().heartbeatMs, () => this.#beat());
    return false;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#standing.clear();
    this.#contrarySince.clear();
  }

  #beat(): void {
    this.#timer = null;
    if (this.#contrarySince.size === 0) return;
    if (this.#isInDoubt()) {
      for (const check of [...this.#standing.keys()]) this.withdraw(check, 'contradicts too many verdicts');
      this.#options.onDoubt();
      return;
    }
    for (const check of this.#contrarySince.keys()) this.#options.report(this.#standing.get(check)!);
    this.#timer = this.#options.clock.after(this.#options.pace().heartbeatMs, () => this.#beat());
  }

  /** Only what has stood for longer than the others need to see the same, dead ones among them expired: all of a rack may fall at once. */
  #isInDoubt(): boolean {
    const { clock, pace } = this.#options;
    const { leaseMs, heartbeatMs } = pace();
    const sinceMs = clock.monotonicMs() - leaseMs - 2 * heartbeatMs;
    let contrary = 0;
    for (const fromMs of this.#contrarySince.values()) if (fromMs <= sinceMs) contrary++;
    return contrary >= DOUBT_MIN && contrary * 2 > this.#standing.size;
  }
}

/** Of VerdictReport. */
const REASON_MAX = 200;
