/**
 * Calls an algorithm and believes nothing it says: a user's module may throw
 * or answer nonsense, and traffic must go on. Such a pick is counted, logged
 * at most once in LOG_EVERY_MS, and made by round robin instead.
 */
import type { Clock } from '../../base/clock.ts';
import type { Balancer, Candidate, PickRequest } from './balancer.ts';

const LOG_EVERY_MS = 10_000;

export type Create = (candidates: readonly Candidate[], previous: Balancer | null) => Balancer;

export interface FaultReport {
  readonly clock: Clock;
  /** Told of a fault, with how many there were so far. */
  report(text: string, faults: number): void;
}

export class GuardedBalancer {
  readonly #create: Create;
  readonly #faultReport: FaultReport;
  #balancer: Balancer | null = null;
  #count = 0;
  #nextInTurn = 0;
  #faults = 0;
  #loggedMs = -Infinity;

  constructor(create: Create, faultReport: FaultReport) {
    this.#create = create;
    this.#faultReport = faultReport;
  }

  /** The algorithm's instance; null while it has none that works. */
  get balancer(): Balancer | null {
    return this.#balancer;
  }

  /** Picks that round robin had to make, and instances that could not be made. */
  get faults(): number {
    return this.#faults;
  }

  /** Makes an instance for these candidates. @throws Error if the algorithm cannot. */
  build(candidates: readonly Candidate[], previous: Balancer | null): void {
    this.#count = candidates.length;
    this.#balancer = null;
    const made: unknown = this.#create(candidates, previous);
    if (!isBalancer(made)) throw new Error('create() must return an object with a pick function');
    this.#balancer = made;
  }

  /** The same while traffic flows: an algorithm that cannot is done without until the next change. */
  rebuild(candidates: readonly Candidate[]): void {
    const previous = this.#balancer;
    try {
      this.build(candidates, previous);
    } catch (error) {
      this.#fault(`the algorithm failed to take new candidates: ${textOf(error)}`);
    }
  }

  /** Candidate's index; -1 only if there are none or all are passed over. */
  pick(request: PickRequest): number {
    if (this.#count === 0) return -1;
    if (this.#balancer === null) return this.#inTurn(request);
    let index: number;
    try {
      index = this.#balancer.pick(request);
    } catch (error) {
      this.#fault(`the algorithm threw: ${textOf(error)}`);
      return this.#inTurn(request);
    }
    if (this.#isAllowed(index, request)) return index;
    const other = this.#inTurn(request);
    if (index !== -1 || other !== -1) this.#fault(`the algorithm answered ${String(index)}, which is no candidate it may pick`);
    return other;
  }

  #isAllowed(index: number, { isPassedOver }: PickRequest): boolean {
    if (!Number.isInteger(index) || index < 0 || index >= this.#count) return false;
    return isPassedOver === null || !isPassedOver(index);
  }

  #inTurn({ isPassedOver }: PickRequest): number {
    for (let step = 0; step < this.#count; step++) {
      const index = (this.#nextInTurn + step) % this.#count;
      if (isPassedOver !== null && isPassedOver(index)) continue;
      this.#nextInTurn = index + 1;
      return index;
    }
    return -1;
  }

  #fault(text: string): void {
    this.#faults++;
    const nowMs = this.#faultReport.clock.monotonicMs();
    if (nowMs - this.#loggedMs < LOG_EVERY_MS) return;
    this.#loggedMs = nowMs;
    this.#faultReport.report(text, this.#faults);
  }
}

function isBalancer(value: unknown): value is Balancer {
  return typeof value === 'object' && value !== null && 'pick' in value && typeof value.pick === 'function';
}

/** Whatever was thrown, as text; what cannot even be made text must not throw again. */
function textOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return 'something without text';
  }
}
