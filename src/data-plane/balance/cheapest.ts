/**
 * The cheapest of a few backends drawn in proportion to weight: the core of
 * what compares load. The first one drawn keeps its place unless another is
 * strictly cheaper, so that an idle pool is shared by weight.
 */
import type { Random } from '../../base/random.ts';
import { WeightedDraw } from './weighted-draw.ts';

/** Draws that may repeat the cheapest so far before its neighbour is compared instead. */
const REDRAWS = 3;

export class Cheapest {
  readonly #count: number;
  readonly #draw: WeightedDraw;
  readonly #cost: (index: number) => number;
  /** The second of the last pick's draws: the next pick looks at it again (Mitzenmacher, Prabhakar, Shah: Load balancing with memory, 2002). */
  #runnerUp = -1;

  constructor(weights: ArrayLike<number>, random: Random, cost: (index: number) => number) {
    this.#count = weights.length;
    this.#draw = new WeightedDraw(weights, random);
    this.#cost = cost;
  }

  /** Index of the cheapest of `choices` draws; -1 if all are passed over. */
  pick(choices: number, isPassedOver: ((index: number) => boolean) | null, withMemory = false): number {
    let best = isPassedOver === null ? this.#drawAny() : this.#draw.drawAllowed(isPassedOver);
    if (best === -1) return -1;
    let bestCost = this.#cost(best);
    let second = -1;
    let secondCost = Infinity;
    for (let choice = withMemory ? 0 : 1; choice < choices; choice++) {
      const other = choice === 0 ? this.#runnerUp : this.#drawOther(best);
      if (other === -1 || other === best || isPassedOver?.(other) === true) continue;
      const cost = this.#cost(other);
      if (cost < bestCost) {
        second = best;
        secondCost = bestCost;
        best = other;
        bestCost = cost;
      } else if (cost < secondCost) {
        second = other;
        secondCost = cost;
      }
    }
    this.#runnerUp = second;
    return best;
  }

  #drawAny(): number {
    return this.#count === 0 ? -1 : this.#draw.draw();
  }

  #drawOther(than: number): number {
    for (let draw = 0; draw < REDRAWS; draw++) {
      const index = this.#draw.draw();
      if (index !== than) return index;
    }
    return than + 1 === this.#count ? 0 : than + 1;
  }
}
