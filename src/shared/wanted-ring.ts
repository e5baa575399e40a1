/**
 * Numbers on their way from one worker to the main thread, in shared memory:
 * one writer, one reader, nobody waits. When it is full the writer keeps the
 * number and offers it again another time.
 */
const RING = 4096;

const R = {
  head: 0, // writer: the worker. How many were ever pushed; wraps
  tail: 1, // writer: main. How many were taken
} as const;

export class WantedRing {
  static readonly CELLS = 2 + RING;
  readonly #cells: Int32Array;
  readonly #at: number;

  constructor(cells: Int32Array, at: number) {
    this.#cells = cells;
    this.#at = at;
  }

  /** False: full. */
  push(value: number): boolean {
    const head = this.#cells[this.#at + R.head]!;
    if (((head - Atomics.load(this.#cells, this.#at + R.tail)) | 0) >= RING) return false;
    this.#cells[this.#at + 2 + (head & (RING - 1))] = value;
    Atomics.store(this.#cells, this.#at + R.head, (head + 1) | 0);
    return true;
  }

  drain(onValue: (value: number) => void): void {
    const head = Atomics.load(this.#cells, this.#at + R.head);
    let tail = this.#cells[this.#at + R.tail]!;
    for (; tail !== head; tail = (tail + 1) | 0) onValue(this.#cells[this.#at + 2 + (tail & (RING - 1))]!);
    Atomics.store(this.#cells, this.#at + R.tail, tail);
  }
}
