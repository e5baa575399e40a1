/**
 * A clock that moves only when told to: `advance` fires what falls due in order
 * of time, and after each lets everything that was started run until it waits
 * for something else. `stall` is what a busy or paused process sees: time has
 * gone by and no timer has run.
 */
import type { Clock, Timer } from '../../src/base/clock.ts';

interface Entry {
  dueMs: number;
  readonly sequence: number;
  readonly periodMs: number | null;
  readonly run: () => void;
}

export class VirtualClock implements Clock {
  #nowMs = 0;
  #wallOffsetMs: number;
  #sequence = 0;
  readonly #entries = new Set<Entry>();

  constructor(wallStartMs = Date.UTC(2026, 0, 1)) {
    this.#wallOffsetMs = wallStartMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallOffsetMs + this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    // As timers of the runtime do: at least a millisecond.
    return this.#add(Math.max(1, delayMs), null, run);
  }

  every(periodMs: number, run: () => void): Timer {
    return this.#add(periodMs, periodMs, run);
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#entries.size;
  }

  /** The wall clock alone jumps. */
  setWall(wallMs: number): void {
    this.#wallOffsetMs = wallMs - this.#nowMs;
  }

  async advance(byMs: number): Promise<void> {
    await settle();
    const untilMs = this.#nowMs + byMs;
    while (true) {
      const next = this.#next(untilMs);
      if (next === null) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      await this.#fire(next);
    }
    this.#nowMs = untilMs;
  }

  /** Time goes by while the thread stands still; what fell due meanwhile fires late, on the next `advance`. */
  stall(byMs: number): void {
    this.#nowMs += byMs;
  }

  #add(delayMs: number, periodMs: number | null, run: () => void): Timer {
    const entry: Entry = { dueMs: this.#nowMs + delayMs, sequence: this.#sequence++, periodMs, run };
    this.#entries.add(entry);
    return { cancel: () => void this.#entries.delete(entry) };
  }

  #next(untilMs: number): Entry | null {
    let next: Entry | null = null;
    for (const entry of this.#entries) {
      if (entry.dueMs > untilMs) continue;
      if (next === null || entry.dueMs < next.dueMs || (entry.dueMs === next.dueMs && entry.sequence < next.sequence)) next = entry;
    }
    return next;
  }

  async #fire(entry: Entry): Promise<void> {
    if (entry.periodMs === null) this.#entries.delete(entry);
    else entry.dueMs = this.#nowMs + entry.periodMs;
    entry.run();
    await settle();
  }
}

/** Lets promises run dry: the runtime empties their queue before it turns to an immediate. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
