/**
 * When a member calls the store next: at its heartbeat, sooner when there is
 * something to say or to read, and not too soon after a call that failed. One
 * call at a time; what is asked for meanwhile is remembered. The owner makes
 * the call in `run` and says when it has ended.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';

/** Heartbeats are this share of their period early or late, so that members do not fall into step. */
const JITTER_SHARE = 0.1;

export class CallPace {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #run: () => void;
  #wantedMs = Number.POSITIVE_INFINITY;
  #notBeforeMs = 0;
  #startedMs = 0;
  #busy = false;
  #queued = false;
  #stopped = false;
  #timer: Timer | null = null;
  #timerMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, random: Random, run: () => void) {
    this.#clock = clock;
    this.#random = random;
    this.#run = run;
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** In this turn of the loop, after whatever else it has to say. */
  now(): void {
    this.within(0);
  }

  within(delayMs: number): void {
    this.#wantedMs = Math.min(this.#wantedMs, this.#clock.monotonicMs() + delayMs);
    this.#arm();
  }

  /** The call that `run` makes has been answered; the next is a heartbeat unless something comes up. */
  answered(heartbeatMs: number): void {
    this.#busy = false;
    const jitter = 1 + JITTER_SHARE * (2 * this.#random.next() - 1);
    this.#wantedMs = Math.min(this.#wantedMs, this.#startedMs + heartbeatMs * jitter);
    this.#arm();
  }

  /** Nothing sooner than a random part of `spreadMs`, whatever comes up: members must not return all at once. */
  failed(spreadMs: number): void {
    this.postponed(this.#random.next() * spreadMs);
  }

  /** The next call is after `delayMs`, whatever comes up. */
  postponed(delayMs: number): void {
    this.#busy = false;
    this.#notBeforeMs = this.#clock.monotonicMs() + delayMs;
    this.#wantedMs = this.#notBeforeMs;
    this.#arm();
  }

  /** A waiting time after a failure or refusal ends now. */
  lift(): void {
    this.#notBeforeMs = 0;
    this.now();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    if (this.#busy || this.#stopped || this.#queued) return;
    const nowMs = this.#clock.monotonicMs();
    const dueMs = Math.max(this.#wantedMs, this.#notBeforeMs);
    if (dueMs <= nowMs) {
      this.#queued = true;
      queueMicrotask(() => this.#start());
      return;
    }
    if (this.#timer !== null && this.#timerMs <= dueMs) return;
    this.#timer?.cancel();
    this.#timerMs = dueMs;
    this.#timer = this.#clock.after(dueMs - nowMs, () => {
      this.#timer = null;
      this.#arm();
    });
  }

  #start(): void {
    this.#queued = false;
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.#timer = null;
    this.#wantedMs = Number.POSITIVE_INFINITY;
    this.#startedMs = this.#clock.monotonicMs();
    this.#busy = true;
    this.#run();
  }
}
