/**
 * The rate limit of one route in one worker: decides on each request, before a
 * backend is picked, from buckets that all workers share. It waits for nobody:
 * a shared limit (`scope: tier`) spends what the main thread leased before, and
 * a new key's first requests are this member's part of its burst.
 */
import { hash } from 'node:crypto';
import { KeyedHash } from '../../base/keyed-hash.ts';
import { tableTime } from '../../shared/backend-table.ts';
import { bucketShape, type BucketShape } from '../../shared/bucket-shape.ts';
import { DIGEST_WORDS, type LimitTable } from '../../shared/limit-table.ts';
import type { RateLimitSpec } from '../../shared/snapshot.ts';
import type { RouteQuery } from '../route/route-query.ts';
import { limitKey } from './limit-key.ts';

export class RouteLimit {
  readonly #spec: RateLimitSpec;
  readonly #row: number;
  readonly #isShared: boolean;
  readonly #table: LimitTable;
  readonly #identity: string;
  readonly #hash: KeyedHash;
  readonly #policy: string;
  #members: number;
  #shape: BucketShape;
  /** Of the request refused last. */
  #waitMs = 0;

  /** `row`: the route's; `isShared`: counted together with the other members of a tier. */
  constructor(spec: RateLimitSpec, listener: string, route: string, row: number, isShared: boolean, table: LimitTable) {
    this.#spec = spec;
    this.#row = row;
    this.#isShared = isShared;
    this.#table = table;
    const { key, scope, count, periodMs } = spec;
    // What a bucket stands for: it outlives reloads that only change how much it holds.
    this.#identity = `${listener}/${route}/${scope}/${key.kind}:${key.name}`;
    const root = new KeyedHash(...table.hashKey);
    root.of(this.#identity);
    this.#hash = new KeyedHash(root.a, root.b);
    this.#policy = `RateLimit-Policy: "default";q=${count};w=${periodMs / 1000}\r\n`;
    this.#members = isShared ? table.membersHint : 1;
    this.#shape = bucketShape(spec, this.#members, isShared);
  }

  /** False: the request is one too many. `monotonicMs`: when it came. */
  admits(request: RouteQuery, monotonicMs: number): boolean {
    const table = this.#table;
    const nowMs = tableTime(monotonicMs);
    const isLeased = this.#isShared && this.#look(nowMs);
    const shape = this.#shape;
    const key = limitKey(this.#spec.key, request);
    const keyed = this.#hash;
    keyed.of(key);
    const tagA = keyed.a === 0 ? 1 : keyed.a;
    let place = table.find(tagA, keyed.b);
    if (place === -1) {
      const digest = this.#isShared ? limitDigest(this.#identity, key) : null;
      place = table.insert({ tagA, tagB: keyed.b, limit: this.#row, creditUnits: shape.ownUnits, digest }, nowMs);
      if (place === -1) return true;
    }
    const isAdmitted = table.take(place, shape, nowMs, isLeased);
    if (this.#isShared) table.want(place);
    if (!isAdmitted) this.#waitMs = isLeased ? 1000 / shape.perSecond : table.waitMs(place, shape);
    return isAdmitted;
  }

  /** True while the main thread's leases fill the buckets. Sees how many share them. */
  #look(nowMs: number): boolean {
    const members = this.#table.membersHint;
    if (members !== this.#members) {
      this.#members = members;
      this.#shape = bucketShape(this.#spec, members, true);
    }
    return this.#table.isLeased(nowMs);
  }

  /**
   * Field lines of the answer to the request just refused, for
   * draft-ietf-httpapi-ratelimit-headers-11 and RFC 9110 §10.2.3: both name the
   * second in which one more request will pass, if nobody else takes it.
   */
  refusalFields(): string {
    const seconds = Math.max(1, Math.ceil(this.#waitMs / 1000));
    return `Retry-After: ${seconds}\r\n${this.#policy}RateLimit: "default";r=0;t=${seconds}\r\n`;
  }
}

/** What the store is told instead of the key, which may be a secret: the same in every member. */
function limitDigest(identity: string, key: string): Int32Array {
  const bytes = hash('sha256', `${identity}\n${key}`, 'buffer');
  return Int32Array.from({ length: DIGEST_WORDS }, (_, index) => bytes.readInt32BE(index * 4));
}
