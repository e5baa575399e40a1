/**
 * How long to wait before the next try of something that keeps failing:
 * doubling from `firstMs` to `mostMs`, and from the start again once it has
 * held for `provenMs`. Pure: the caller owns the clock.
 */
export interface BackOffLimits {
  readonly firstMs: number;
  readonly mostMs: number;
  /** What lasted this long failed for a new reason: the wait starts small again. */
  readonly provenMs: number;
}

export class BackOff {
  readonly #limits: BackOffLimits;
  #nextMs: number;

  constructor(limits: BackOffLimits) {
    this.#limits = limits;
    this.#nextMs = limits.firstMs;
  }

  /** Milliseconds to wait after a failure of something that had lasted `lastedMs`. */
  failed(lastedMs: number): number {
    if (lastedMs >= this.#limits.provenMs) this.#nextMs = this.#limits.firstMs;
    const waitMs = this.#nextMs;
    this.#nextMs = Math.min(this.#limits.mostMs, waitMs * 2);
    return waitMs;
  }
}
