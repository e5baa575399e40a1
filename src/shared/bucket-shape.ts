/**
 * What a limit's buckets hold, in the units of a LimitTable's cells, worked out
 * the same way by the workers that spend and the main thread that tops up.
 *
 * A bucket of `scope: proxy` holds `burst` requests and fills by itself at the
 * rate. One of `scope: tier` is this member's part of a bucket that the store
 * keeps for all N members:
 *
 *     own      max(1, burst / N)          what a new one begins with, before the store was asked
 *     batch    max(1, rate × 0.1 s / N)   what may be leased beyond it, so that a lease lasts to the next
 *
 * While nothing is leased (no store, or away from it) such a part fills by
 * itself at rate / N up to `own`. Over all members the parts come to at most
 * max(burst, N) + N × batch: what a tier may admit besides what its store grants.
 */
import type { RateLimitSpec } from './snapshot.ts';

/** Requests are leased this often at most. */
export const LEASE_ROUND_MS = 100;

/** A full bucket, however many requests that is: a bucket stays as full as it is when `burst` or N change. */
const FULL_UNITS = 2 ** 30;

export interface BucketShape {
  /** Requests: a member's own part (all of it with `scope: proxy`), and how many more it may lease. */
  readonly own: number;
  readonly batch: number;
  /** Of the shared bucket. */
  readonly perSecond: number;
  /** What one request costs. */
  readonly costUnits: number;
  /** No bucket holds more. */
  readonly fullUnits: number;
  /** A new bucket's, and what it fills up to by itself. */
  readonly ownUnits: number;
  readonly unitsPerMs: number;
  /** How long an empty one takes to fill at the rate, after which nothing is lost by forgetting it. */
  readonly fillMs: number;
}

/** `members`: how many share the limit; 1 for `scope: proxy`. */
export function bucketShape({ count, periodMs, burst }: RateLimitSpec, members: number, isShared: boolean): BucketShape {
  const perMs = count / periodMs;
  const own = isShared ? Math.max(1, Math.floor(burst / members)) : burst;
  const batch = isShared ? Math.max(1, Math.floor((perMs * LEASE_ROUND_MS) / members)) : 0;
  const costUnits = wholeCost(FULL_UNITS / (own + batch), (periodMs / greatestDivisor(count, periodMs)) * (isShared ? members : 1));
  return {
    own,
    batch,
    perSecond: perMs * 1000,
    costUnits,
    fullUnits: (own + batch) * costUnits,
    ownUnits: own * costUnits,
    unitsPerMs: (perMs / (isShared ? members : 1)) * costUnits,
    fillMs: Math.ceil(Math.max(burst, isShared ? members : 1) / perMs),
  };
}

/** A little less, where that makes what comes in a millisecond a whole number of units: then nothing is lost to rounding. */
function wholeCost(costUnits: number, grain: number): number {
  return Math.floor(costUnits < grain ? costUnits : costUnits - (costUnits % grain));
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
