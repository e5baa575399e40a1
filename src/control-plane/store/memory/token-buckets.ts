/**
 * The buckets of limits that the tier shares, in the memory store. Held by
 * tier-state.ts; time is tier time. A bucket that has filled up again is as
 * good as one not seen yet, and is forgotten.
 */
import type { LimitAsk } from '../tier-store.ts';

interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
  readonly fullAtMs: number;
}

/** Old buckets looked at for each one asked for: more go than come. */
const LOOKED_AT = 2;

export class TokenBuckets {
  /** Asked for longest ago first. */
  #buckets = new Map<string, Bucket>();

  copy(): TokenBuckets {
    const copy = new TokenBuckets();
    copy.#buckets = new Map(this.#buckets);
    return copy;
  }

  get size(): number {
    return this.#buckets.size;
  }

  take({ key, tokens: wanted, perSecond, burst }: LimitAsk, nowMs: number): number {
    this.#forgetFull(nowMs);
    const bucket = this.#buckets.get(key);
    const filled = bucket === undefined ? burst : Math.min(burst, bucket.tokens + (perSecond * (nowMs - bucket.atMs)) / 1000);
    const granted = Math.max(0, Math.floor(Math.min(wanted, filled)));
    const tokens = filled - granted;
    this.#buckets.delete(key);
    if (tokens < burst) this.#buckets.set(key, { tokens, atMs: nowMs, fullAtMs: nowMs + ((burst - tokens) / perSecond) * 1000 });
    return granted;
  }

  #forgetFull(nowMs: number): void {
    let looked = 0;
    for (const [key, bucket] of this.#buckets) {
      if (looked++ === LOOKED_AT) return;
      this.#buckets.delete(key);
      // One that is not full yet goes to the end, or it would hide those behind it.
      if (bucket.fullAtMs > nowMs) this.#buckets.set(key, bucket);
    }
  }
}
