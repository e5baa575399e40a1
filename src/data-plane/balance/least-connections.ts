/**
 * The backend with the fewest requests in flight by weight, over all workers.
 *
 * Up to SCAN_MAX backends every one is read, and ties go round by weight, so
 * an idle pool is served like round robin. Above it the pick compares DRAWS
 * backends drawn by weight and the runner-up of the pick before: the cost
 * stays flat, and as other workers change the counts all the time, an exact
 * order of 10,000 backends would be out of date by the time it is known. What
 * is lost: a pool of thousands with all but a few backends busy finds one of
 * the few idle ones with a probability of 1 - (1 - idle share)^DRAWS a pick.
 */
import { z } from 'zod';
import type { Balancer, BalancerDefinition, BalancerEnvironment, Candidate, PickRequest } from './balancer.ts';
import { Cheapest } from './cheapest.ts';
import { WeightedTurns } from './weighted-turns.ts';

const SCAN_MAX = 64;
const DRAWS = 8;
/** Turns that may fall on busier backends before the first of the least busy is taken. */
const TURNS = 4;

class ScanningLeastConnections implements Balancer {
  readonly #candidates: readonly Candidate[];
  readonly #weights: Float64Array;
  readonly #turns: WeightedTurns;
  #lastTurn = 0;

  constructor(candidates: readonly Candidate[], weights: Float64Array, { random }: BalancerEnvironment) {
    this.#candidates = candidates;
    this.#weights = weights;
    this.#turns = new WeightedTurns(weights);
    this.#turns.startAt(random.next(), (members) => random.below(members.length));
  }

  pick({ isPassedOver }: PickRequest): number {
    const count = this.#candidates.length;
    let best = -1;
    let bestLoad = Infinity;
    let tied = 0;
    for (let step = 1, index = this.#lastTurn; step <= count; step++) {
      index = index + 1 === count ? 0 : index + 1;
      if (isPassedOver !== null && isPassedOver(index)) continue;
      const load = this.#load(index);
      if (load > bestLoad) continue;
      if (load === bestLoad) {
        tied++;
        continue;
      }
      best = index;
      bestLoad = load;
      tied = 1;
    }
    return tied < 2 ? best : this.#amongTied(best, bestLoad, isPassedOver);
  }

  #amongTied(best: number, bestLoad: number, isPassedOver: PickRequest['isPassedOver']): number {
    for (let turn = 0; turn < TURNS; turn++) {
      const index = this.#turns.next();
      this.#lastTurn = index;
      if (index === best || (this.#load(index) <= bestLoad && isPassedOver?.(index) !== true)) return index;
    }
    return best;
  }

  #load(index: number): number {
    return this.#candidates[index]!.inFlight() / this.#weights[index]!;
  }
}

export const leastConnections: BalancerDefinition = {
  name: 'least-connections',
  summary: 'The backend with the fewest requests in flight by weight, counted over all workers.',
  options: z.strictObject({}),
  usesKey: false,
  expectedShares: 'by-weight',
  create(candidates, _options, environment) {
    const weights = Float64Array.from(candidates, (candidate) => candidate.weight);
    if (candidates.length <= SCAN_MAX) return new ScanningLeastConnections(candidates, weights, environment);
    const cheapest = new Cheapest(weights, environment.random, (index) => candidates[index]!.inFlight() / weights[index]!);
    return { pick: ({ isPassedOver }) => cheapest.pick(DRAWS, isPassedOver, true) };
  },
};
