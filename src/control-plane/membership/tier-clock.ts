/**
 * Tier time between two answers, carried on by this process's own clock. An
 * answer is taken to be from the middle of its round trip, so tier time may be
 * put back a little by the next one.
 */
import type { Clock } from '../../base/clock.ts';

export class TierClock {
  readonly #clock: Clock;
  #offsetMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offsetMs = 1 - clock.monotonicMs();
  }

  now(): number {
    return this.#clock.monotonicMs() + this.#offsetMs;
  }

  /** The store said `tierMs` in answer to a call sent at `sentMs` (monotonic). */
  set(tierMs: number, sentMs: number): void {
    this.#offsetMs = tierMs - (sentMs + this.#clock.monotonicMs()) / 2;
  }
}
