/**
 * A route's `retry` in one worker: its conditions as lookups, and the budget
 * that keeps retries from multiplying load just when backends are short of it.
 * Tokens pay for them: each request brings a share of one, and so does time,
 * so that a quiet route can retry, too.
 */
import type { RetryCause, RetrySpec } from '../../shared/snapshot.ts';

/** What time alone brings, and how much of that is saved up. */
const FLOOR_PER_SECOND = 3;
const FLOOR_TOKENS_MAX = 10;
/** Saved up from requests: one backend of some that fails costs this many at once without a gap. */
const TOKENS_MAX = 100;

export class LiveRetry {
  readonly attemptsMax: number;
  readonly statuses: ReadonlySet<number>;
  readonly grpcStatuses: ReadonlySet<number>;
  readonly causes: ReadonlySet<RetryCause>;
  /** What an attempt may take to the head of its answer; 0: no limit. */
  readonly responseTimeoutMs: number;
  readonly #share: number;
  #tokens = FLOOR_TOKENS_MAX;
  #refilledMs = 0;

  constructor(spec: RetrySpec, responseTimeoutMs: number) {
    this.attemptsMax = spec.attemptsMax;
    this.statuses = new Set(spec.statuses);
    this.grpcStatuses = new Set(spec.grpcStatuses);
    this.causes = new Set(spec.causes);
    this.responseTimeoutMs = spec.perTryMs === 0 || (responseTimeoutMs !== 0 && responseTimeoutMs < spec.perTryMs) ? responseTimeoutMs : spec.perTryMs;
    this.#share = spec.budgetShare;
  }

  /** A request came. */
  earn(): void {
    this.#tokens = Math.min(TOKENS_MAX, this.#tokens + this.#share);
  }

  /** Takes what a retry costs. False: the budget is used up. */
  spend(nowMs: number): boolean {
    if (this.#tokens < FLOOR_TOKENS_MAX) {
      const earned = this.#refilledMs === 0 ? 0 : ((nowMs - this.#refilledMs) / 1000) * FLOOR_PER_SECOND;
      this.#tokens = Math.min(FLOOR_TOKENS_MAX, this.#tokens + earned);
    }
    this.#refilledMs = nowMs;
    // A sum of shares is not exact.
    if (this.#tokens < 1 - 1e-9) return false;
    this.#tokens--;
    return true;
  }

  /** There was no backend to send it to. */
  giveBack(): void {
    this.#tokens++;
  }
}
