/**
 * A thread that says when the next request is due. It may sleep for fractions
 * of a millisecond, which a loop's timers cannot: at 2,000 requests a second
 * those would make bursts of what independent clients send one by one.
 *
 * The gaps are exponentially distributed, as between the requests of many
 * independent clients, and the same in every run. Sent `{ ratePerS,
 * durationMs }`; posts 'due' for each request and 'done' at the end.
 */
import { parentPort } from 'node:worker_threads';

export interface PaceOrder {
  readonly ratePerS: number;
  readonly durationMs: number;
}
export type PaceMark = 'due' | 'done';

const SEED = 20_260;

/** Gaps in milliseconds; their mean is 1000 / ratePerS. */
export function* gapsMs(ratePerS: number): Generator<number, never> {
  let state = SEED;
  for (;;) {
    // The minimal standard generator (Park and Miller): good enough for gaps, and the same everywhere.
    state = (state * 48_271) % 2_147_483_647;
    yield (-Math.log(state / 2_147_483_647) * 1000) / ratePerS;
  }
}

const cell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

parentPort?.on('message', ({ ratePerS, durationMs }: PaceOrder) => {
  let dueMs = performance.now();
  const endMs = dueMs + durationMs;
  for (const gapMs of gapsMs(ratePerS)) {
    dueMs += gapMs;
    if (dueMs >= endMs) break;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) Atomics.wait(cell, 0, 0, waitMs);
    parentPort?.postMessage('due' satisfies PaceMark);
  }
  parentPort?.postMessage('done' satisfies PaceMark);
});
