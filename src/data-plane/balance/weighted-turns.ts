/**
 * Turns in proportion to weight, as smooth as they can be: over one period
 * (the sum of the weights) each index gets exactly its weight, and between two
 * turns of the heavy one as many others come as fit.
 *
 * Backends of one weight form a class that takes turns inside; a class with k
 * members of weight w is due at (i + ½) / (k·w) of the period (Webster's
 * method). Nearly every pool has one class, whose turn costs no comparison;
 * with many classes a heap finds the next one in O(log classes). A heap over
 * the backends themselves with deadlines at i / w, the usual "earliest
 * deadline first", gives 5:1:1 in runs of five.
 */
export class WeightedTurns {
  readonly #members: readonly Int32Array[];
  readonly #classWeights: Float64Array;
  /** Per class: members to skip, turns taken in this period, and the time the next one is due. */
  readonly #cursor: Int32Array;
  readonly #taken: Float64Array;
  readonly #due: Float64Array;
  /** Classes as a heap by due time; ties go to the lower class. */
  readonly #heap: Int32Array;

  constructor(weights: ArrayLike<number>) {
    const classes = new Map<number, number[]>();
    for (let i = 0; i < weights.length; i++) {
      const members = classes.get(weights[i]!);
      if (members === undefined) classes.set(weights[i]!, [i]);
      else members.push(i);
    }
    const sorted = [...classes].sort(([a], [b]) => b - a);
    this.#members = sorted.map(([, members]) => Int32Array.from(members));
    this.#classWeights = Float64Array.from(sorted, ([weight, members]) => weight * members.length);
    this.#cursor = new Int32Array(sorted.length);
    this.#taken = new Float64Array(sorted.length);
    this.#due = new Float64Array(sorted.length);
    this.#heap = new Int32Array(sorted.length);
    this.startAt(0);
  }

  /** Starts at a share (0 to 1) of the period; `cursorOf` says which of a class's members comes first. */
  startAt(share: number, cursorOf: (members: Int32Array) => number = () => 0): void {
    for (let k = 0; k < this.#heap.length; k++) {
      const weight = this.#classWeights[k]!;
      // A share that is a class's own due time means that its turn is still to come, rounding or not.
      this.#taken[k] = Math.max(0, Math.ceil(share * weight - 0.5 - 1e-9));
      this.#due[k] = (this.#taken[k]! + 0.5) / weight;
      this.#cursor[k] = cursorOf(this.#members[k]!);
    }
    this.#order();
  }

  /** How much of the period has passed, 0 to 1. */
  get share(): number {
    return this.#heap.length === 0 ? 0 : Math.min(this.#due[this.#heap[0]!]!, 1) % 1;
  }

  /** The member of each class whose turn is next. */
  nextMembers(): number[] {
    return this.#members.map((members, k) => members[this.#cursor[k]!]!);
  }

  /** Index whose turn it is; there must be at least one. */
  next(): number {
    const heap = this.#heap;
    if (heap.length > 1) this.#advance();
    const k = heap.length > 1 ? this.#current : 0;
    const members = this.#members[k]!;
    const cursor = this.#cursor[k]!;
    this.#cursor[k] = cursor + 1 === members.length ? 0 : cursor + 1;
    return members[cursor]!;
  }

  #current = 0;

  /** Sets #current to the class that is due and moves it to its next time. */
  #advance(): void {
    // Each period starts from zero, so that rounding never adds up.
    if (this.#due[this.#heap[0]!]! >= 1) this.#restart();
    const k = this.#heap[0]!;
    this.#current = k;
    const taken = this.#taken[k]! + 1;
    this.#taken[k] = taken;
    this.#due[k] = (taken + 0.5) / this.#classWeights[k]!;
    this.#sink();
  }

  #restart(): void {
    for (let k = 0; k < this.#heap.length; k++) {
      this.#taken[k] = 0;
      this.#due[k] = 0.5 / this.#classWeights[k]!;
    }
    this.#order();
  }

  /** A sorted array is a heap. */
  #order(): void {
    for (let k = 0; k < this.#heap.length; k++) this.#heap[k] = k;
    this.#heap.sort((a, b) => this.#due[a]! - this.#due[b]! || a - b);
  }

  /** Moves the class at the top to where its new time belongs. */
  #sink(): void {
    const heap = this.#heap;
    const k = heap[0]!;
    let at = 0;
    while (true) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#isBefore(heap[child]!, k)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = k;
  }

  #isBefore(a: number, b: number): boolean {
    const difference = this.#due[a]! - this.#due[b]!;
    return difference < 0 || (difference === 0 && a < b);
  }
}
