/**
 * Which failed handshakes of one listener are told in the log where nobody has
 * asked for more: of each kind one a minute and worker, with how many were left
 * out before it. Whoever fails chooses how often, and so must not choose how
 * much is written. What speaks no TLS at all, or goes away, is no news: it is
 * counted, and told at level debug.
 */
import type { TlsResult } from '../../shared/counter-pages.ts';

const TELL_EVERY_MS = 60_000;

/** Of who meant to speak TLS with us, and could not. */
const TOLD: ReadonlySet<TlsResult> = new Set(['unknown-name', 'version', 'no-cipher', 'no-protocol', 'no-certificate', 'bad-certificate', 'client-alert', 'broken', 'timeout', 'evicted']);

interface Kind {
  toldMs: number;
  untold: number;
}

export class FailedHandshakes {
  readonly #kinds = new Map<TlsResult, Kind>();

  /** How many of its kind have failed untold since the last that was told; null: this one is not told either. */
  take(result: TlsResult, nowMs: number): number | null {
    if (!TOLD.has(result)) return null;
    const kind = this.#kinds.get(result);
    if (kind !== undefined && nowMs - kind.toldMs < TELL_EVERY_MS) {
      kind.untold++;
      return null;
    }
    this.#kinds.set(result, { toldMs: nowMs, untold: 0 });
    return kind?.untold ?? 0;
  }
}
