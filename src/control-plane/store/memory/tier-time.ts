/**
 * Tier time in the memory store (see tier-store.ts): moved by each step from
 * what the store's clock says, held by tier-state.ts. Whole milliseconds, since
 * texts carry it.
 */

/** Until a call has said what the tier's lease is. */
const LEASE_MS = 3000;

export class TierTime {
  #nowMs = 0;
  #clockMs: number | null = null;
  #leaseMs = LEASE_MS;
  /** No lease expires before. */
  #graceUntilMs = 0;

  copy(): TierTime {
    const copy = new TierTime();
    copy.#nowMs = this.#nowMs;
    copy.#clockMs = this.#clockMs;
    copy.#leaseMs = this.#leaseMs;
    copy.#graceUntilMs = this.#graceUntilMs;
    return copy;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get leaseMs(): number {
    return this.#leaseMs;
  }

  get halfLeaseMs(): number {
    return Math.floor(this.#leaseMs / 2);
  }

  get mayExpire(): boolean {
    return this.#nowMs >= this.#graceUntilMs;
  }

  /** `leaseMs` null: as last said. */
  advance(clockMs: number, leaseMs: number | null): void {
    if (leaseMs !== null) this.#leaseMs = leaseMs;
    const whole = Math.floor(clockMs);
    const stepMs = this.#clockMs === null ? 1 : whole - this.#clockMs;
    this.#clockMs = whole;
    const longestMs = Math.floor(this.#leaseMs / 2);
    this.#nowMs += Math.max(0, Math.min(stepMs, longestMs));
    if (stepMs < 0 || stepMs > longestMs) this.#graceUntilMs = this.#nowMs + this.#leaseMs;
  }
}
