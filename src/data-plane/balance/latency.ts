/**
 * A backend's latency as a peak-sensitive moving average in its shared row
 * (Finagle's "peak EWMA"): a slower answer is believed at once, a faster one
 * step by step, so that a backend in trouble loses traffic within an answer
 * and earns it back with time.
 */
import { tableTime, type BackendRow } from '../../shared/backend-table.ts';

/** Takes a time to the head of an answer. 0 stands for "none yet", so the average is 1 µs at least. */
export function observeLatency(row: BackendRow, sampleUs: number, nowMs: number, decayMs: number): void {
  const averageUs = row.latencyUs;
  const now = tableTime(nowMs);
  let nextUs = sampleUs;
  if (averageUs > sampleUs) {
    const keep = Math.exp(-latencyAge(row.latencyAtMs, now) / decayMs);
    nextUs = averageUs * keep + sampleUs * (1 - keep);
  }
  row.storeLatency(Math.min(Math.max(Math.round(nextUs), 1), 0x7fffffff), now);
}

/**
 * Milliseconds between two table times. Another thread's clock reading may be
 * an instant ahead: no age; a far future one is a time so old that it wrapped.
 */
export function latencyAge(atMs: number, nowMs: number): number {
  const age = (nowMs - atMs) | 0;
  if (age >= 0) return age;
  return age > -1000 ? 0 : 0x7fffffff;
}
