/**
 * A pool in one worker, as the pipeline sees it: which backend takes this
 * request. Keeps the algorithm's candidates in step with the shared rows:
 * they are formed again when the pool's epoch has moved (a verdict, a weight,
 * a state, an ejection) or an ejection has ended; otherwise a pick is one
 * load and the algorithm, and allocates nothing.
 *
 * Which backends serve is shared/usable-backends.ts; what an algorithm may do
 * wrong is guarded-balancer.ts. A backend without probes has the verdict `up`
 * in its row: the main thread writes it.
 */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { isAfter, tableTime, type BackendRow, type PoolRow } from '../../shared/backend-table.ts';
import { liftExpiredEjection } from '../../shared/ejections.ts';
import { isRolePool, type KeySpec, type PoolSpec } from '../../shared/snapshot.ts';
import { servingBackends, type Serving, type Standing } from '../../shared/usable-backends.ts';
import type { Balancer, Candidate, PickRequest } from './balancer.ts';
import { Ejection, type EjectionEnvironment } from './ejection.ts';
import { GuardedBalancer } from './guarded-balancer.ts';
import { observeLatency } from './latency.ts';
import type { Algorithm } from './load-module.ts';
import { PoolCandidate, type PickTime } from './pool-candidate.ts';

/**
 * A rebuild that took longer than this is not repeated until ten times as long
 * has passed: when thousands of verdicts change one by one, a large table must
 * not be built for each of them.
 */
const LONG_BUILD_MS = 1;
const BUILD_SPACING = 10;

export interface PoolParts {
  readonly spec: PoolSpec;
  readonly algorithm: Algorithm;
  readonly pool: PoolRow;
  /** In file order. */
  readonly backends: readonly BackendRow[];
}

export interface PoolEnvironment extends EjectionEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  log(level: 'warn' | 'error', text: string, fields: Readonly<Record<string, unknown>>): void;
}

class MutableRequest implements PickRequest {
  keyHash = 0;
  isPassedOver: ((index: number) => boolean) | null = null;
}

export class PoolBalancer {
  /** What to hash for `pick`; null: the algorithm asks for no key. */
  readonly key: KeySpec | null;
  readonly ejection: Ejection;
  readonly #parts: PoolParts;
  readonly #environment: PoolEnvironment;
  readonly #guarded: GuardedBalancer;
  readonly #request = new MutableRequest();
  readonly #latencyDecayMs: number;
  readonly #isRolePool: boolean;
  readonly #time: PickTime = { now: 0 };
  /** By file index. */
  readonly #known: PoolCandidate[];
  #candidates: readonly PoolCandidate[] = [];
  /** File index of each candidate. */
  #fileIndexes: Int32Array = new Int32Array(0);
  #epoch = 0;
  #panicking = false;
  #active = false;
  /** Table time of the next end of an ejection; null: nobody is ejected. */
  #nextReadmitAt: number | null = null;
  #notBeforeMs = -Infinity;
  #passedOver: ((backendIndex: number) => boolean) | null = null;
  readonly #isCandidatePassedOver = (index: number): boolean => this.#passedOver!(this.#fileIndexes[index]!);

  /**
   * Builds everything and changes nothing: what serves now is `previous`, until `activate`.
   * @throws Error if the algorithm cannot be made: refuses the config.
   */
  constructor(parts: PoolParts, environment: PoolEnvironment, previous: PoolBalancer | null = null) {
    const { spec, algorithm, pool, backends } = parts;
    const { definition, options } = algorithm;
    this.#parts = parts;
    this.#environment = environment;
    this.key = definition.usesKey ? (definition.fixedKey ?? spec.algorithm.key) : null;
    this.ejection = new Ejection(spec.outlier, pool, backends, environment);
    this.#isRolePool = isRolePool(spec);
    this.#latencyDecayMs = definition.latencyDecayMs?.(options) ?? 0;
    this.#guarded = new GuardedBalancer(
      (candidates, former) => definition.create(candidates, options, { random: environment.random, previous: former }),
      { clock: environment.clock, report: (text, faults) => environment.log('error', text, { pool: spec.name, algorithm: definition.name, faults }) },
    );
    this.#known = backends.map((row, index) => new PoolCandidate(spec.backends[index]!.address, 1, row, this.#time));
    this.#epoch = pool.epoch;
    const candidates = this.#form();
    // Without any candidate yet the algorithm is tried on all backends, so that one that cannot work refuses the config now.
    if (candidates.length === 0 && this.#known.length > 0) this.#guarded.build(this.#known, null);
    this.#guarded.build(candidates, this.#balancerOf(previous));
    this.#candidates = candidates;
  }

  /** From now on this one serves, and `previous` (the same pool under the former snapshot) no more. */
  activate(previous: PoolBalancer | null = null): void {
    this.#active = true;
    previous?.retire(new Set(this.#parts.spec.backends.map((backend) => backend.address)));
    if (this.#parts.spec.outlier === null) this.ejection.liftAll();
    this.#parts.pool.panic = this.#panicking;
  }

  /** The pool has left the config, but for backends with these addresses: their rows are no longer this one's to change. */
  retire(kept: ReadonlySet<string> = new Set()): void {
    const { backends } = this.#parts.spec;
    for (let index = 0; index < backends.length; index++) if (!kept.has(backends[index]!.address)) this.ejection.drop(index);
  }

  get isPanicking(): boolean {
    return this.#panicking;
  }

  /** Backends that may be picked, as of the last pick. */
  get candidateCount(): number {
    return this.#candidates.length;
  }

  /** Picks that round robin had to make because the algorithm failed. */
  get faults(): number {
    return this.#guarded.faults;
  }

  /**
   * Index into the pool's backends in file order; -1 if none is left.
   * @param keyHash see hashKey; 0 where `key` is null
   * @param passedOver null nearly always; tells of a file index that it was tried already or is at its limit
   */
  pick(keyHash: number, passedOver: ((backendIndex: number) => boolean) | null): number {
    if (this.#parts.pool.epochHint !== this.#epoch || this.#nextReadmitAt !== null) this.#refresh();
    if (this.#latencyDecayMs > 0) this.#time.now = tableTime(this.#environment.clock.monotonicMs());
    const request = this.#request;
    request.keyHash = keyHash;
    this.#passedOver = passedOver;
    request.isPassedOver = passedOver === null ? null : this.#isCandidatePassedOver;
    const index = this.#guarded.pick(request);
    if (index === -1) return -1;
    const fileIndex = this.#fileIndexes[index]!;
    return this.#isRolePool && !this.isServed(fileIndex) ? -1 : fileIndex;
  }

  /** Of a role pool: this backend is the one, at this very moment, whatever the candidates are as of. */
  isServed(backendIndex: number): boolean {
    const { pool, backends } = this.#parts;
    return !backends[backendIndex]!.withdrawn && !pool.isFenced(tableTime(this.#environment.clock.monotonicMs()));
  }

  /** Takes the time to the head of an answer, if the algorithm reads latencies. */
  observeLatency(backendIndex: number, us: number, nowMs: number): void {
    if (this.#latencyDecayMs > 0) observeLatency(this.#parts.backends[backendIndex]!, us, nowMs, this.#latencyDecayMs);
  }

  /** Called by the worker's coarse tick, some ten times a second. */
  readmitExpired(nowMs: number): void {
    this.ejection.readmitExpired(nowMs);
  }

  #refresh(): void {
    const { clock } = this.#environment;
    const startMs = clock.monotonicMs();
    const isEnded = this.#nextReadmitAt !== null && !isAfter(this.#nextReadmitAt, tableTime(startMs));
    if ((!isEnded && this.#parts.pool.epoch === this.#epoch) || startMs < this.#notBeforeMs) return;
    const candidates = this.#form();
    if (!isSame(candidates, this.#candidates)) this.#guarded.rebuild(candidates);
    this.#candidates = candidates;
    if (this.#active) this.#parts.pool.panic = this.#panicking;
    const endMs = clock.monotonicMs();
    this.#notBeforeMs = endMs - startMs > LONG_BUILD_MS ? endMs + BUILD_SPACING * (endMs - startMs) : -Infinity;
  }

  /** Reads the rows. The epoch is read before them: what changes meanwhile is seen by the next pick. */
  #form(): PoolCandidate[] {
    const { spec, pool, backends } = this.#parts;
    const now = tableTime(this.#environment.clock.monotonicMs());
    for (const row of backends) liftExpiredEjection(pool, row, now);
    this.#epoch = pool.epoch;
    this.#nextReadmitAt = null;
    const standings = backends.map((row, index): Standing => {
      const { ejected } = row;
      if (ejected) this.#noteReadmission(row.ejectedUntil);
      return { state: row.state, weight: row.weight, verdict: row.verdict, ejected, priority: spec.backends[index]!.priority, withdrawn: row.withdrawn };
    });
    const { indexes, panic }: Serving = servingBackends(standings, spec.panicShare);
    this.#panicking = panic;
    this.#fileIndexes = Int32Array.from(indexes);
    return indexes.map((index) => this.#candidate(index, standings[index]!.weight));
  }

  #noteReadmission(at: number): void {
    if (this.#nextReadmitAt === null || isAfter(this.#nextReadmitAt, at)) this.#nextReadmitAt = at;
  }

  /** The same object while the weight is the same. */
  #candidate(index: number, weight: number): PoolCandidate {
    const known = this.#known[index]!;
    if (known.weight === weight) return known;
    const { spec, backends } = this.#parts;
    return (this.#known[index] = new PoolCandidate(spec.backends[index]!.address, weight, backends[index]!, this.#time));
  }

  /** What may carry over: an instance of the same algorithm with the same options. */
  #balancerOf(previous: PoolBalancer | null): Balancer | null {
    if (previous === null) return null;
    const { definition, options } = this.#parts.algorithm;
    const former = previous.#parts.algorithm;
    const isAlike = former.definition === definition && JSON.stringify(former.options) === JSON.stringify(options);
    return isAlike ? previous.#guarded.balancer : null;
  }
}

function isSame(a: readonly Candidate[], b: readonly Candidate[]): boolean {
  return a.length === b.length && a.every((candidate, index) => candidate === b[index]);
}
