/**
 * The buckets of all rate limits of one process, in shared memory of a fixed
 * size: a worker spends from a bucket with a few atomic steps and waits for
 * nobody, and all workers spend from the same one. The main thread makes the
 * table (the fleet), tops up what the store leased (control-plane/limits) and
 * forgets buckets that are full again.
 *
 * A bucket is found by a keyed 64-bit hash of its limit and key
 * (base/keyed-hash.ts): the hash stands for the key, and nobody can aim at
 * another's bucket. It lies in one of WAYS places of its set. If all are taken,
 * the one that would be full soonest is forgotten: a bucket that is full
 * already loses nothing, and a flood of new keys, each a request or two from
 * full, pushes out its own kind and never a key that is near its limit.
 *
 * Writers of a place's cells: whoever holds the set's lock (to give it to
 * another key); `credit` and `filledAt`: all, by compare and set; `fullAt`:
 * workers, a lost write only moves the moment at which it may be forgotten;
 * `wanted`: workers add, main takes. A lock that is not had at once is not
 * waited for: the request passes uncounted.
 */
import { isAfter } from './backend-table.ts';
import type { BucketShape } from './bucket-shape.ts';
import { WantedRing } from './wanted-ring.ts';

const WAYS = 8;
/** 65,536 buckets in 3 MiB, of which only touched pages are in memory. */
const SETS = 8192;

const H = {
  members: 0, // writer: main. How many members share the limits of scope tier
  leasedUntil: 1, // writer: main. Table time: until then such buckets are topped up by main alone
  hashKey: 2, // 2, 3. Written once
} as const;
const HEADER_CELLS = 16;

const C = {
  tagA: 0, // never 0 of a bucket in use
  tagB: 1,
  limit: 2, // the route's row
  credit: 3,
  filledAt: 4, // table time up to which it was filled
  fullAt: 5, // table time at which it may be forgotten
  wanted: 6, // scope tier: requests since main last looked
  digest: 7, // 7..10: scope tier: the key as the store knows it
} as const;
const CELLS = 11;
export const DIGEST_WORDS = 4;

/** A lapse longer ago than this counts as this long, so that its table time never wraps. */
const LAPSE_MS_MAX = 3_600_000;
/** Sets that one sweep looks at. */
const SWEPT_SETS = 128;
const LOCK_TRIES = 64;
/** A bucket is not filled by less. */
const WORTH_UNITS = 1024;
/** Who holds a lock: worker + 1, or this. */
const MAIN = -1;

export interface LimitTableMemory {
  readonly cells: SharedArrayBuffer;
  readonly sets: number;
  readonly workers: number;
}

export interface NewBucket {
  readonly tagA: number;
  readonly tagB: number;
  readonly limit: number;
  readonly creditUnits: number;
  /** null: the store does not know it. */
  readonly digest: Int32Array | null;
}

/** A bucket as the main thread sees it. */
export interface SeenBucket {
  readonly tagA: number;
  readonly tagB: number;
  readonly limit: number;
  readonly creditUnits: number;
  readonly digest: Int32Array;
}

export class LimitTable {
  readonly memory: LimitTableMemory;
  readonly #cells: Int32Array;
  readonly #setMask: number;
  readonly #locksAt = HEADER_CELLS;
  readonly #placesAt: number;
  readonly #rings: readonly WantedRing[];
  readonly #ring: WantedRing | null;
  readonly #owner: number;
  #sweptTo = 0;

  /** Main thread, once. `hashKey`: 64 random bits; `nowMs`: table time. */
  static create(workers: number, hashKey: Int32Array, nowMs: number, sets = SETS): LimitTable {
    const rings = workers * WantedRing.CELLS;
    const cells = new SharedArrayBuffer((HEADER_CELLS + sets + rings + sets * WAYS * CELLS) * 4);
    const table = new LimitTable({ cells, sets, workers }, null);
    table.#cells[H.members] = 1;
    table.#cells[H.leasedUntil] = nowMs;
    table.#cells.set(hashKey.subarray(0, 2), H.hashKey);
    return table;
  }

  /** `worker`: whose view this is; null: the main thread's. */
  constructor(memory: LimitTableMemory, worker: number | null) {
    const { cells, sets, workers } = memory;
    this.memory = memory;
    this.#cells = new Int32Array(cells);
    this.#setMask = sets - 1;
    const ringsAt = this.#locksAt + sets;
    this.#placesAt = ringsAt + workers * WantedRing.CELLS;
    this.#rings = Array.from({ length: workers }, (_, index) => new WantedRing(this.#cells, ringsAt + index * WantedRing.CELLS));
    this.#ring = worker === null ? null : this.#rings[worker]!;
    this.#owner = worker === null ? MAIN : worker + 1;
  }

  get hashKey(): readonly [number, number] {
    return [this.#cells[H.hashKey]!, this.#cells[H.hashKey + 1]!];
  }

  /** A plain read, as each request makes it. */
  get membersHint(): number {
    return this.#cells[H.members]!;
  }
  isLeased(nowMs: number): boolean {
    return isAfter(this.#cells[H.leasedUntil]!, nowMs);
  }
  /** Main: how many share, and until when its leases are what fills their buckets. */
  setMembers(members: number): void {
    Atomics.store(this.#cells, H.members, members);
  }
  leaseUntil(untilMs: number): void {
    Atomics.store(this.#cells, H.leasedUntil, untilMs);
  }

  /** The place of a bucket, -1 if there is none. Plain reads: one made by another worker this instant is found by `insert`. */
  find(tagA: number, tagB: number): number {
    const cells = this.#cells;
    const first = this.#placesAt + (tagA & this.#setMask) * WAYS * CELLS;
    for (let at = first; at < first + WAYS * CELLS; at += CELLS) {
      if (cells[at + C.tagA] === tagA && cells[at + C.tagB] === tagB) return at;
    }
    return -1;
  }

  /** The place of a bucket that was not found; -1: it cannot be had at once. */
  insert(bucket: NewBucket, nowMs: number): number {
    const cells = this.#cells;
    const { tagA, tagB } = bucket;
    const set = tagA & this.#setMask;
    if (!this.#lock(set)) return -1;
    let place = this.#placesAt + set * WAYS * CELLS;
    let leastMs = Infinity;
    for (let way = 0, at = place; way < WAYS; way++, at += CELLS) {
      const tag = Atomics.load(cells, at + C.tagA);
      if (tag === tagA && Atomics.load(cells, at + C.tagB) === tagB) {
        this.#unlock(set);
        return at;
      }
      const leftMs = tag === 0 ? -Infinity : (cells[at + C.fullAt]! - nowMs) | 0;
      if (leftMs >= leastMs) continue;
      leastMs = leftMs;
      place = at;
    }
    // Nobody may find it half made.
    Atomics.store(cells, place + C.tagA, 0);
    cells[place + C.limit] = bucket.limit;
    cells[place + C.credit] = bucket.creditUnits;
    cells[place + C.filledAt] = nowMs;
    cells[place + C.fullAt] = nowMs;
    cells[place + C.wanted] = 0;
    if (bucket.digest !== null) cells.set(bucket.digest, place + C.digest);
    Atomics.store(cells, place + C.tagB, tagB);
    Atomics.store(cells, place + C.tagA, tagA);
    this.#unlock(set);
    return place;
  }

  /** Takes one request's worth; false: there is none. With `isLeased` only main fills the bucket. */
  take(place: number, shape: BucketShape, nowMs: number, isLeased: boolean): boolean {
    const cells = this.#cells;
    if (isLeased) cells[place + C.filledAt] = nowMs;
    else this.#fill(place, shape, nowMs);
    while (true) {
      const credit = Atomics.load(cells, place + C.credit);
      // A smaller burst than it was filled for, or more members.
      const usable = Math.min(credit, shape.fullUnits);
      if (usable < shape.costUnits) return false;
      if (Atomics.compareExchange(cells, place + C.credit, credit, usable - shape.costUnits) !== credit) continue;
      cells[place + C.fullAt] = (nowMs + Math.min(shape.fillMs, Math.ceil((shape.fullUnits - usable + shape.costUnits) / shape.unitsPerMs))) | 0;
      return true;
    }
  }

  /** Milliseconds until `take` has something, if the bucket fills by itself. */
  waitMs(place: number, shape: BucketShape): number {
    return (shape.costUnits - Atomics.load(this.#cells, place + C.credit)) / shape.unitsPerMs;
  }

  #fill(place: number, shape: BucketShape, nowMs: number): void {
    const cells = this.#cells;
    const filledAt = Atomics.load(cells, place + C.filledAt);
    // Main filled it while leases lasted: that time counts once.
    const lapsedMs = (nowMs - cells[H.leasedUntil]!) | 0;
    const elapsedMs = Math.min((nowMs - filledAt) | 0, lapsedMs < 0 ? Infinity : lapsedMs);
    const gained = Math.floor(Math.min(elapsedMs * shape.unitsPerMs, shape.ownUnits));
    // What is cut off of a unit is lost: less than a thousandth this way.
    if (gained < Math.min(shape.costUnits, WORTH_UNITS) || Atomics.compareExchange(cells, place + C.filledAt, filledAt, nowMs) !== filledAt) return;
    this.#add(place, gained, shape.ownUnits);
  }

  /** Nothing is taken away from what is above `mostUnits` already. */
  #add(place: number, units: number, mostUnits: number): void {
    while (true) {
      const credit = Atomics.load(this.#cells, place + C.credit);
      const next = Math.min(credit + units, mostUnits);
      if (next <= credit || Atomics.compareExchange(this.#cells, place + C.credit, credit, next) === credit) return;
    }
  }

  /** A request asked for this bucket: main should look after it. Forgotten if main does not listen. */
  want(place: number): void {
    if (Atomics.add(this.#cells, place + C.wanted, 1) !== 0) return;
    if (this.#ring?.push(place) !== true) Atomics.store(this.#cells, place + C.wanted, 0);
  }

  /** Main: the places wanted since it last asked. */
  drainWanted(onPlace: (place: number) => void): void {
    for (const ring of this.#rings) ring.drain(onPlace);
  }

  /** Main: how many requests asked for it since the last look. */
  takeWanted(place: number): number {
    return Atomics.exchange(this.#cells, place + C.wanted, 0);
  }

  /** Main. */
  look(place: number): SeenBucket {
    const cells = this.#cells;
    return {
      tagA: Atomics.load(cells, place + C.tagA),
      tagB: Atomics.load(cells, place + C.tagB),
      limit: cells[place + C.limit]!,
      creditUnits: Atomics.load(cells, place + C.credit),
      digest: cells.slice(place + C.digest, place + C.digest + DIGEST_WORDS),
    };
  }

  /** Main: not to be forgotten before, unless its place is needed more. */
  keep(place: number, untilMs: number): void {
    this.#cells[place + C.fullAt] = untilMs;
  }

  /** Main: adds leased requests, unless the place has passed to another key meanwhile. */
  topUp(place: number, seen: SeenBucket, requests: number, shape: BucketShape): void {
    const cells = this.#cells;
    if (Atomics.load(cells, place + C.tagA) !== seen.tagA || Atomics.load(cells, place + C.tagB) !== seen.tagB) return;
    this.#add(place, requests * shape.costUnits, shape.fullUnits);
  }

  /** Main, now and then: forgets buckets that are full again, a part of the table each time. */
  sweep(nowMs: number): void {
    const cells = this.#cells;
    if (((nowMs - cells[H.leasedUntil]!) | 0) > LAPSE_MS_MAX) this.leaseUntil((nowMs - LAPSE_MS_MAX) | 0);
    for (let count = 0; count < SWEPT_SETS; count++) {
      const set = this.#sweptTo;
      this.#sweptTo = (set + 1) & this.#setMask;
      const first = this.#placesAt + set * WAYS * CELLS;
      for (let at = first; at < first + WAYS * CELLS; at += CELLS) {
        if (cells[at + C.tagA] === 0 || isAfter(cells[at + C.fullAt]!, nowMs) || !this.#lock(set)) continue;
        if (!isAfter(cells[at + C.fullAt]!, nowMs)) Atomics.store(cells, at + C.tagA, 0);
        this.#unlock(set);
      }
    }
  }

  /** Main, when a worker's thread has ended: it may have been in the middle of an insert. */
  releaseLocksOf(worker: number): void {
    for (let set = 0; set <= this.#setMask; set++) Atomics.compareExchange(this.#cells, this.#locksAt + set, worker + 1, 0);
  }

  #lock(set: number): boolean {
    for (let tries = 0; tries < LOCK_TRIES; tries++) {
      if (Atomics.compareExchange(this.#cells, this.#locksAt + set, 0, this.#owner) === 0) return true;
    }
    return false;
  }

  #unlock(set: number): void {
    Atomics.store(this.#cells, this.#locksAt + set, 0);
  }
}
