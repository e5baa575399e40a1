/**
 * Many things due at many times on one timer of the clock: a heap, so that
 * 10,000 of them cost the loop one timer and each change a dozen comparisons.
 * What is due is run a slice at a time, so that no turn of the loop gets long.
 */
import type { Clock, Timer } from './clock.ts';

interface Entry<T> {
  readonly item: T;
  dueMs: number;
  /** Place in the heap. */
  index: number;
}

export class Schedule<T extends object> {
  readonly #clock: Clock;
  readonly #run: (item: T) => void;
  readonly #perTurnMax: number;
  readonly #entries = new Map<T, Entry<T>>();
  readonly #heap: Entry<T>[] = [];
  #timer: Timer | null = null;
  #timerDueMs = 0;

  /** `run` is called once for each due item, in order of time; it may schedule the item again. At most `perTurnMax` a turn of the loop. */
  constructor(clock: Clock, run: (item: T) => void, perTurnMax = 64) {
    this.#clock = clock;
    this.#run = run;
    this.#perTurnMax = perTurnMax;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Time (monotonic) at which `item` is due; null: it is not scheduled. */
  dueOf(item: T): number | null {
    return this.#entries.get(item)?.dueMs ?? null;
  }

  /** `item` becomes due at `dueMs` (monotonic) instead of whenever it was. */
  at(item: T, dueMs: number): void {
    let entry = this.#entries.get(item);
    if (entry === undefined) {
      entry = { item, dueMs, index: this.#heap.length };
      this.#entries.set(item, entry);
      this.#heap.push(entry);
      this.#rise(entry);
    } else {
      entry.dueMs = dueMs;
      this.#rise(entry);
      this.#sink(entry);
    }
    this.#arm();
  }

  cancel(item: T): void {
    const entry = this.#entries.get(item);
    if (entry !== undefined) this.#remove(entry);
  }

  /** Forgets everything; nothing is run any more. */
  stop(): void {
    this.#heap.length = 0;
    this.#entries.clear();
    this.#timer?.cancel();
    this.#timer = null;
  }

  #turn(): void {
    this.#timer = null;
    const nowMs = this.#clock.monotonicMs();
    for (let count = 0; count < this.#perTurnMax; count++) {
      const first = this.#heap[0];
      if (first === undefined || first.dueMs > nowMs) break;
      this.#remove(first);
      this.#run(first.item);
    }
    this.#arm();
  }

  /** A timer that is too early finds nothing due and arms the right one; only one that is too late must be replaced. */
  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined) return;
    if (this.#timer !== null) {
      if (this.#timerDueMs <= first.dueMs) return;
      this.#timer.cancel();
    }
    const delayMs = Math.max(0, Math.ceil(first.dueMs - this.#clock.monotonicMs()));
    this.#timerDueMs = first.dueMs;
    this.#timer = this.#clock.after(delayMs, () => this.#turn());
  }

  #remove(entry: Entry<T>): void {
    this.#entries.delete(entry.item);
    const last = this.#heap.pop()!;
    if (last === entry) return;
    this.#heap[entry.index] = last;
    last.index = entry.index;
    this.#rise(last);
    this.#sink(last);
  }

  #rise(entry: Entry<T>): void {
    while (entry.index > 0) {
      const parent = this.#heap[(entry.index - 1) >> 1]!;
      if (parent.dueMs <= entry.dueMs) return;
      this.#swap(parent, entry);
    }
  }

  #sink(entry: Entry<T>): void {
    while (true) {
      const left = this.#heap[entry.index * 2 + 1];
      const right = this.#heap[entry.index * 2 + 2];
      const least = right !== undefined && left !== undefined && right.dueMs < left.dueMs ? right : left;
      if (least === undefined || least.dueMs >= entry.dueMs) return;
      this.#swap(entry, least);
    }
  }

  #swap(a: Entry<T>, b: Entry<T>): void {
    const { index } = a;
    a.index = b.index;
    b.index = index;
    this.#heap[a.index] = a;
    this.#heap[b.index] = b;
  }
}
