/**
 * Time, passed in: everything outside base/ and net/ asks a Clock, so that a
 * simulation can own it.
 */
export interface Clock {
  /** Milliseconds with fraction from an arbitrary start, the same in all threads of the process; never goes back. */
  monotonicMs(): number;
  /** Milliseconds since 1970-01-01T00:00Z; may jump. For people and logs, never for deadlines. */
  wallMs(): number;
  /** Calls `run` once, after at least `delayMs`. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` every `periodMs` until cancelled. */
  every(periodMs: number, run: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** performance.now() starts at zero in each thread; hrtime is one clock for the whole machine. */
const threadStartMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export const systemClock: Clock = {
  monotonicMs: () => threadStartMs + performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
  every(periodMs, run) {
    const handle = setInterval(run, periodMs);
    return { cancel: () => clearInterval(handle) };
  },
};

/** Resolves after `delayMs` of the clock's time. */
export function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve));
}

/** Gives the event loop one turn, so that a long piece of work holds nobody up. */
export function yieldToLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
