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

/** A longer delay would fire at once: the runtime's timers are int32 milliseconds. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  monotonicMs: () => threadStartMs + performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, run) {
    let handle = setTimeout(step, Math.min(delayMs, TIMER_MS_MAX));
    let leftMs = delayMs - TIMER_MS_MAX;
    function step(): void {
      if (leftMs <= 0) return run();
      handle = setTimeout(step, Math.min(leftMs, TIMER_MS_MAX));
      leftMs -= TIMER_MS_MAX;
    }
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

/** Work that may take several turns of the loop: it yields where it can be interrupted. */
export type SlicedWork<Result = void> = Generator<void, Result, void>;

/** Does the work with a turn of the loop at each of its yields; without any it is done when this returns. */
export async function inSlices<Result>(work: SlicedWork<Result>): Promise<Result> {
  while (true) {
    const step = work.next();
    if (step.done === true) return step.value;
    await yieldToLoop();
  }
}
