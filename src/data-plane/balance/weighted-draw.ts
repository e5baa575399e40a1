/**
 * Random indexes in proportion to weight: Vose's alias method, O(n) to build
 * and one random number and two loads a draw, whatever the number of backends.
 */
import type { Random } from '../../base/random.ts';

/** Draws that may meet passed-over indexes before the exact draw over the rest is made. */
const ATTEMPTS = 8;

export class WeightedDraw {
  readonly #random: Random;
  readonly #weights: Float64Array;
  /** Share of its column that an index keeps; the rest is its alias's. null: all weights are equal. */
  readonly #keep: Float64Array | null;
  readonly #alias: Int32Array;

  constructor(weights: ArrayLike<number>, random: Random) {
    this.#random = random;
    this.#weights = Float64Array.from(weights);
    this.#alias = new Int32Array(this.#weights.length);
    this.#keep = this.#weights.every((weight) => weight === this.#weights[0]) ? null : this.#fill();
  }

  /** There must be at least one index. */
  draw(): number {
    const at = this.#random.next() * this.#weights.length;
    const column = Math.trunc(at);
    if (this.#keep === null) return column;
    return at - column < this.#keep[column]! ? column : this.#alias[column]!;
  }

  /** In proportion to weight among those not passed over; -1 if there are none. */
  drawAllowed(isPassedOver: (index: number) => boolean): number {
    const count = this.#weights.length;
    for (let attempt = 0; attempt < ATTEMPTS && count > 0; attempt++) {
      const index = this.draw();
      if (!isPassedOver(index)) return index;
    }
    return this.#drawExactly(isPassedOver);
  }

  #drawExactly(isPassedOver: (index: number) => boolean): number {
    let total = 0;
    for (let i = 0; i < this.#weights.length; i++) if (!isPassedOver(i)) total += this.#weights[i]!;
    let rest = this.#random.next() * total;
    let last = -1;
    for (let i = 0; i < this.#weights.length; i++) {
      if (isPassedOver(i)) continue;
      last = i;
      rest -= this.#weights[i]!;
      if (rest < 0) return i;
    }
    return last;
  }

  #fill(): Float64Array {
    const count = this.#weights.length;
    const total = this.#weights.reduce((sum, weight) => sum + weight, 0);
    const keep = this.#weights.map((weight) => (weight * count) / total);
    const small: number[] = [];
    const large: number[] = [];
    for (let i = 0; i < count; i++) (keep[i]! < 1 ? small : large).push(i);
    while (small.length > 0 && large.length > 0) {
      const poor = small.pop()!;
      const rich = large[large.length - 1]!;
      this.#alias[poor] = rich;
      keep[rich] = keep[rich]! - (1 - keep[poor]!);
      if (keep[rich] < 1) small.push(large.pop()!);
    }
    // What is left differs from 1 by rounding alone.
    for (const i of small.concat(large)) keep[i] = 1;
    return keep;
  }
}
