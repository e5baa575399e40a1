/**
 * Leases requests of tier-wide limits from the store, so that no request ever
 * waits for it: workers spend from their member's part of each bucket
 * (shared/limit-table.ts) and name what they spent from; once in
 * LEASE_ROUND_MS at most the main thread asks the store for as much again, for
 * all keys in one call, the busiest first, and adds what it is granted.
 *
 * A part never holds more than its `own` and one `batch` (shared/bucket-shape.ts),
 * so a tier of N admits of one key, in any time T, at most
 * rate × T + burst (what the store grants) + max(burst, N) + N × batch (the parts).
 *
 * Each good answer lets the leases stand for LEASED_FOR_MS more. When none
 * comes (store away or slow, this thread busy) they lapse by themselves, and
 * the parts fill at rate / last known N until the store answers again.
 *
 * Main thread only; a rollout participant. What it knows of the tier is how
 * many are ready, whether the store answers, and `takeTokens`.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { RunningConfig } from '../../observe/metrics-source.ts';
import { tableTime } from '../../shared/backend-table.ts';
import { bucketShape, LEASE_ROUND_MS, type BucketShape } from '../../shared/bucket-shape.ts';
import type { LimitTable, SeenBucket } from '../../shared/limit-table.ts';
import { isShared, type RateLimitSpec, type Snapshot } from '../../shared/snapshot.ts';
import type { SnapshotRows } from '../../shared/thread-messages.ts';
import type { Membership } from '../membership/membership.ts';
import type { RolloutParticipant } from '../rollout/apply.ts';
import { LIMIT_KEYS_MAX, type LimitAsk } from '../store/tier-store.ts';

/** Longer than two rounds, so that leases do not lapse between two answers of a store that is well. */
const LEASED_FOR_MS = 400;
/** After a call without a good answer the next is tried so much later. */
const AWAY_MS = 1000;
/** Keys looked after at once: a flood of keys holds no round up. What comes beyond is asked for when it is wanted again. */
const PENDING_MAX = 20 * LIMIT_KEYS_MAX;

/** The part of the tier that leases need. */
export type LeasingMembership = Pick<Membership, 'readyCount' | 'state' | 'caller'> & { readonly store: Pick<Membership['store'], 'takeTokens'> };

/** A bucket that is not as full as it should be, and how often it was wanted since it was last asked for. */
interface Pending {
  readonly bucket: SeenBucket;
  wanted: number;
}

interface Wish {
  readonly place: number;
  readonly pending: Pending;
  readonly shape: BucketShape;
  readonly ask: LimitAsk;
}

export class LimitLeases implements RolloutParticipant {
  readonly #clock: Clock;
  readonly #table: LimitTable;
  readonly #membershipOf: () => LeasingMembership | null;
  /** By the route's row. */
  #limits: ReadonlyMap<number, RateLimitSpec> = new Map();
  readonly #shapes = new Map<RateLimitSpec, BucketShape>();
  readonly #pending = new Map<number, Pending>();
  #members = 1;
  #timer: Timer | null = null;
  #isAsking = false;
  #isWell = true;
  #askAgainMs = 0;

  /** `membershipOf`: null until this proxy has a place in its tier. */
  constructor(clock: Clock, table: LimitTable, membershipOf: () => LeasingMembership | null) {
    this.#clock = clock;
    this.#table = table;
    this.#membershipOf = membershipOf;
  }

  /** Nothing of it can fail. */
  prepare(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  commit({ snapshot, rows }: RunningConfig): void {
    this.apply(snapshot, rows);
  }

  abort(): void {}

  /** Limits of the config that takes effect. Rounds run only while it has some. */
  apply(snapshot: Snapshot, rows: SnapshotRows): void {
    const limits = new Map<number, RateLimitSpec>();
    let next = 0;
    for (const { routes } of snapshot.listeners) {
      for (const { rateLimit } of routes) {
        const row = rows.routes[next++]!;
        if (rateLimit !== null && isShared(rateLimit, snapshot.tier)) limits.set(row, rateLimit);
      }
    }
    this.#limits = limits;
    this.#shapes.clear();
    if (limits.size === 0) return this.stop();
    this.#timer ??= this.#clock.every(LEASE_ROUND_MS, () => this.#round());
  }

  /** Leases lapse; what is in the buckets stays. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#forgetAll();
  }

  #round(): void {
    const nowMs = this.#clock.monotonicMs();
    const membership = this.#membershipOf();
    if (membership === null) return this.#forgetAll();
    this.#see(membership);
    const { phase } = membership.state;
    if (phase === 'joining' || phase === 'autonomous' || nowMs < this.#askAgainMs) return this.#forgetAll();
    this.#table.drainWanted((place) => this.#wanted(place));
    // One call at a time: what comes meanwhile joins the next.
    if (this.#isAsking) return;
    const wishes = this.#wishes(tableTime(nowMs));
    if (wishes.length > 0) void this.#ask(wishes, membership);
    else if (this.#isWell) this.#lease(nowMs);
  }

  /** Buckets fill by themselves now: what is missing in them is nobody's debt. */
  #forgetAll(): void {
    this.#table.drainWanted((place) => this.#table.takeWanted(place));
    for (const place of this.#pending.keys()) this.#forget(place);
  }

  /** Until it is wanted again: only the first want since the last look is named. */
  #forget(place: number): void {
    this.#pending.delete(place);
    this.#table.takeWanted(place);
  }

  /** How many share the limits, as last known. */
  #see({ readyCount }: LeasingMembership): void {
    const members = Math.max(1, readyCount);
    if (members === this.#members) return;
    this.#members = members;
    this.#shapes.clear();
    this.#table.setMembers(members);
  }

  #lease(nowMs: number): void {
    this.#table.leaseUntil(tableTime(nowMs + LEASED_FOR_MS));
  }

  #wanted(place: number): void {
    const bucket = this.#table.look(place);
    const known = this.#pending.get(place);
    if (known !== undefined && isSame(known.bucket, bucket)) return;
    if (known === undefined && this.#pending.size >= PENDING_MAX) {
      this.#table.takeWanted(place);
      return;
    }
    this.#pending.set(place, { bucket, wanted: 0 });
  }

  /** What to ask for now, the busiest first. Buckets as full as they should be are no longer looked after. */
  #wishes(nowMs: number): Wish[] {
    const wishes: Wish[] = [];
    for (const [place, pending] of this.#pending) {
      const bucket = this.#table.look(place);
      const spec = this.#limits.get(bucket.limit);
      if (spec === undefined || !isSame(bucket, pending.bucket)) {
        this.#forget(place);
        continue;
      }
      pending.wanted += this.#table.takeWanted(place);
      const shape = this.#shapeOf(spec);
      const tokens = tokensFor(shape, bucket.creditUnits, pending.wanted);
      if (tokens < 1) {
        this.#forget(place);
        continue;
      }
      // Forgotten earlier it would begin anew with what it has not been granted yet.
      this.#table.keep(place, (nowMs + shape.fillMs) | 0);
      wishes.push({ place, pending, shape, ask: { key: keyOf(bucket), tokens, perSecond: shape.perSecond, burst: spec.burst } });
    }
    if (wishes.length <= LIMIT_KEYS_MAX) return wishes;
    return wishes.sort((a, b) => b.pending.wanted - a.pending.wanted).slice(0, LIMIT_KEYS_MAX);
  }

  #shapeOf(spec: RateLimitSpec): BucketShape {
    let shape = this.#shapes.get(spec);
    if (shape === undefined) this.#shapes.set(spec, (shape = bucketShape(spec, this.#members, true)));
    return shape;
  }

  /** Never rejects. */
  async #ask(wishes: readonly Wish[], membership: LeasingMembership): Promise<void> {
    this.#isAsking = true;
    for (const { pending } of wishes) pending.wanted = 0;
    try {
      const granted = await membership.store.takeTokens(membership.caller(), wishes.map(({ ask }) => ask));
      wishes.forEach(({ place, pending, shape }, index) => {
        const requests = granted[index] ?? 0;
        if (requests > 0) this.#table.topUp(place, pending.bucket, requests, shape);
      });
      this.#isWell = true;
      this.#lease(this.#clock.monotonicMs());
    } catch {
      // Why the store is away is the link's to say. Without a good answer nothing is leased again.
      this.#isWell = false;
      this.#askAgainMs = this.#clock.monotonicMs() + AWAY_MS;
    } finally {
      this.#isAsking = false;
    }
  }
}

/** A busy key gets what it asked for, a quiet one is paid back bit by bit; neither part grows beyond its own and a batch. */
function tokensFor({ own, batch, costUnits }: BucketShape, creditUnits: number, wanted: number): number {
  const has = Math.floor(creditUnits / costUnits);
  return wanted > 0 ? Math.min(own + batch - has, Math.max(batch, wanted)) : Math.min(own - has, batch);
}

function isSame(a: SeenBucket, b: SeenBucket): boolean {
  return a.tagA === b.tagA && a.tagB === b.tagB;
}

/** The same in every member, and nothing of the key itself. */
function keyOf({ digest }: SeenBucket): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('base64url');
}
