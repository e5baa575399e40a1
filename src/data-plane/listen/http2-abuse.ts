/**
 * What an HTTP/2 client may do that costs us and brings it nothing, in numbers
 * (docs/limits.md). Two buckets for each connection, filled evenly: each is
 * full at first and again after FILL_MS.
 *
 * `resets`: streams ended early, by the client (rapid reset, CVE-2023-44487)
 * or by us because it broke a rule (MadeYouReset, CVE-2025-8671): their work at
 * a backend has begun all the same.
 *
 * `controlFrames`: frames that carry nothing of a request (SETTINGS, PING,
 * PRIORITY, WINDOW_UPDATE, empty DATA, refused streams). A client that takes
 * answers must send windows: each DATA frame we send pays for some.
 */
import { TICK_MS } from '../../base/timer-wheel.ts';

/** In so long an empty bucket is full again. */
export const FILL_MS = 10_000;
const FILL_TICKS = FILL_MS / TICK_MS;
/** WINDOW_UPDATE frames that a DATA frame of ours may be answered with: for the stream and the connection. */
const UPDATES_PER_FRAME = 2;

class Bucket {
  #left = 0;
  #tick = 0;

  /** False: it is empty. `capacity` 0: no limit. */
  take(cost: number, capacity: number, nowTick: number): boolean {
    if (capacity === 0) return true;
    const filled = this.#tick === 0 ? capacity : Math.min(capacity, this.#left + ((nowTick - this.#tick) * capacity) / FILL_TICKS);
    this.#tick = nowTick;
    this.#left = filled - cost;
    return this.#left >= 0;
  }

  /** Not beyond its capacity: that is seen to at the next `take`. */
  put(amount: number): void {
    this.#left += amount;
  }
}

export interface AbuseLimits {
  readonly resetsMax: number;
  readonly controlFramesMax: number;
}

export class Http2Abuse {
  readonly #resets = new Bucket();
  readonly #control = new Bucket();

  /** A stream ended early. False: there were too many. */
  onReset(limits: AbuseLimits, nowTick: number): boolean {
    return this.#resets.take(1, limits.resetsMax, nowTick);
  }

  /** A frame that carries nothing. False: there were too many. */
  onControlFrame(limits: AbuseLimits, nowTick: number): boolean {
    return this.#control.take(1, limits.controlFramesMax, nowTick);
  }

  onDataSent(): void {
    this.#control.put(UPDATES_PER_FRAME);
  }
}
