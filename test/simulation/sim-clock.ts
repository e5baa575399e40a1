/**
 * Time of a simulation: one heap of what falls due, in the order of time and
 * then of the asking, so that a run is the same each time. Each member has a
 * clock of its own over it, which a pause holds up (time goes by, nothing
 * runs) and an end silences for good.
 */
import type { Clock, Timer } from '../../src/base/clock.ts';

interface Entry {
  readonly dueMs: number;
  readonly sequence: number;
  readonly run: () => void;
  cancelled: boolean;
}

export class SimClock implements Clock {
  #nowMs = 0;
  #sequence = 0;
  readonly #heap: Entry[] = [];
  readonly #wallStartMs = Date.UTC(2026, 0, 1);

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallStartMs + Math.floor(this.#nowMs);
  }

  after(delayMs: number, run: () => void): Timer {
    const entry: Entry = { dueMs: this.#nowMs + Math.max(0.01, delayMs), sequence: this.#sequence++, run, cancelled: false };
    this.#push(entry);
    return { cancel: () => (entry.cancelled = true) };
  }

  every(periodMs: number, run: () => void): Timer {
    return repeated(this, periodMs, run);
  }

  /** Runs all that falls due within `byMs`; after each, everything it started runs until it waits for time. */
  async advance(byMs: number): Promise<void> {
    await settle();
    const untilMs = this.#nowMs + byMs;
    while (this.#heap.length > 0 && this.#heap[0]!.dueMs <= untilMs) {
      const entry = this.#pop();
      if (entry.cancelled) continue;
      this.#nowMs = Math.max(this.#nowMs, entry.dueMs);
      entry.run();
      await settle();
    }
    this.#nowMs = untilMs;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): Entry {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    while (true) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

/** A timer of the runtime that comes late fires once, not once for each period missed. */
function repeated(clock: Clock, periodMs: number, run: () => void): Timer {
  const step = (): void => {
    timer = clock.after(periodMs, step);
    run();
  };
  let timer = clock.after(periodMs, step);
  return { cancel: () => timer.cancel() };
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.dueMs === b.dueMs ? a.sequence < b.sequence : a.dueMs < b.dueMs;
}

/** The runtime empties the queue of promises before it turns to what waits for the next tick, and does not go around its loop for that. */
export function settle(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

/** A process's own: what falls due while it is paused runs, in order, when it goes on. */
export class ProcessClock implements Clock {
  readonly #clock: SimClock;
  readonly #wallOffsetMs: number;
  #held: (() => void)[] | null = null;
  #ended = false;

  /** `wallOffsetMs`: by how much its wall clock is wrong. */
  constructor(clock: SimClock, wallOffsetMs = 0) {
    this.#clock = clock;
    this.#wallOffsetMs = wallOffsetMs;
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  wallMs(): number {
    return this.#clock.wallMs() + this.#wallOffsetMs;
  }

  after(delayMs: number, run: () => void): Timer {
    let cancelled = false;
    const timer = this.#clock.after(delayMs, () => this.#run(() => (cancelled ? undefined : run())));
    return {
      cancel: () => {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  every(periodMs: number, run: () => void): Timer {
    return repeated(this, periodMs, run);
  }

  get isPaused(): boolean {
    return this.#held !== null;
  }

  pause(): void {
    this.#held ??= [];
  }

  resume(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const run of held) this.#run(run);
  }

  /** Nothing of this process runs any more. */
  end(): void {
    this.#ended = true;
    this.#held = null;
  }

  #run(run: () => void): void {
    if (this.#ended) return;
    if (this.#held === null) run();
    else this.#held.push(run);
  }
}
