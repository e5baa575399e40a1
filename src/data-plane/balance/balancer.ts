/**
 * The contract of a balancing algorithm: which of the usable backends takes
 * the next request. One instance serves one pool in one worker; it is made
 * anew whenever the pool's candidates change (a verdict, a weight, an
 * ejection, a reload), so it may derive whatever it likes from them.
 *
 * The caller (candidates.ts) has already left out what must not be picked, has
 * formed the priorities, and counts requests in flight; it retries and limits.
 * `pick` is called for every request and must not do I/O, wait or throw.
 */
import type { z } from 'zod';
import type { Random } from '../../base/random.ts';
import type { KeySpec } from '../../shared/snapshot.ts';

/** A backend that may be picked. Load is that of all workers. */
export interface Candidate {
  /** As written in the config: what hashing algorithms place. */
  readonly address: string;
  /** 1 to 1000. */
  readonly weight: number;
  /** Requests under way. */
  inFlight(): number;
  /** Moving average of the time to the head of an answer, in microseconds; 0: none yet. */
  latencyUs(): number;
  /** Milliseconds since that average last moved. */
  latencyAgeMs(): number;
}

export interface PickRequest {
  /** uint32 hash of the configured key (the client address where the request lacks it). */
  readonly keyHash: number;
  /** null nearly always. Otherwise says of an index that it was tried already, or is at its limit. */
  readonly isPassedOver: ((index: number) => boolean) | null;
}

export interface Balancer {
  /** Index into the candidates; -1 only if all are passed over. */
  pick(request: PickRequest): number;
}

export interface BalancerEnvironment {
  readonly random: Random;
  /** The instance this one replaces (the same pool, algorithm and options): to carry over what should not start anew. */
  readonly previous: Balancer | null;
}

/** What an algorithm's file exports, and what a user's own module exports as default. */
export interface BalancerDefinition<Options = Record<string, unknown>> {
  /** As written in the config; equals the file's name. */
  readonly name: string;
  /** One sentence for the reference page. */
  readonly summary: string;
  /** Options besides `name` and `key`, with their defaults. */
  readonly options: z.ZodType<Options>;
  /** Whether picks depend on the key. */
  readonly usesKey: boolean;
  /** An algorithm that is about one key, whatever the config says. Absent: the configured key. */
  readonly fixedKey?: KeySpec;
  /** The share of picks each candidate should get at equal load, for the distribution test: in proportion to weight, or all to the first. */
  readonly expectedShares: 'by-weight' | 'first';
  /**
   * Present if the algorithm reads latencies: over how many milliseconds the
   * average forgets. Absent: none is kept, and `latencyUs()` stays what it was.
   */
  latencyDecayMs?(options: Options): number;
  /** Options are what the schema above made of the config's. A throw refuses the config. */
  create(candidates: readonly Candidate[], options: Options, environment: BalancerEnvironment): Balancer;
}
