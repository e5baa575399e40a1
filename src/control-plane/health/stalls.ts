/**
 * Notices when this thread stood still (a long task, a paused process, a
 * suspended machine): a coarse tick comes late by as much. What was measured
 * across a stall says nothing about anyone else. It ticks only while something
 * is measured: fifty wake-ups a second cost an idle proxy 8 ms of every second.
 */
import type { Clock, Timer } from '../../base/clock.ts';

const TICK_MS = 20;
/** A tick is never quite on time; less than this is no stall. */
const SLACK_MS = 5;
/** No probe takes longer than its time-out; older stalls are of no interest. */
const REMEMBERED = 64;

export class StallWatch {
  readonly #clock: Clock;
  #timer: Timer | null = null;
  #measurements = 0;
  #tickMs = 0;
  /** Oldest first. */
  readonly #stalls: { readonly fromMs: number; readonly toMs: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something is measured from now on, until as many calls of `end`. */
  begin(): void {
    if (this.#measurements++ > 0) return;
    this.#tickMs = this.#clock.monotonicMs();
    this.#timer = this.#clock.every(TICK_MS, () => this.#tick());
  }

  end(): void {
    if (--this.#measurements === 0) this.stop();
  }

  /** How long this thread stood still since `fromMs` (not before `begin`), to within a tick; the stall it may just be leaving counts. Asked before `end`. */
  stalledMsSince(fromMs: number): number {
    const nowMs = this.#clock.monotonicMs();
    let total = this.#gapMs(nowMs) > 0 ? overlapMs(this.#tickMs + TICK_MS, nowMs, fromMs) : 0;
    for (const { fromMs: start, toMs } of this.#stalls) total += overlapMs(start, toMs, fromMs);
    return total;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#gapMs(nowMs) > 0) {
      this.#stalls.push({ fromMs: this.#tickMs + TICK_MS, toMs: nowMs });
      if (this.#stalls.length > REMEMBERED) this.#stalls.shift();
    }
    this.#tickMs = nowMs;
  }

  #gapMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#tickMs - TICK_MS - SLACK_MS);
  }
}

function overlapMs(startMs: number, endMs: number, fromMs: number): number {
  return Math.max(0, endMs - Math.max(startMs, fromMs));
}
