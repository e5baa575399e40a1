/**
 * Server-sent events of the whole tier: the store's own log, the same from any
 * member, so that a reader may go on at another one with the last id it saw.
 * The log is read while somebody reads here, and not otherwise; while the
 * store is away the streams wait.
 */
import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Membership } from '../membership/membership.ts';
import { LOG_MAX, type LogEntry } from '../store/tier-store.ts';
import { beginStream, GAP_EVENT, numberInRun, sendEvent } from './sse.ts';

const LOOK_EVERY_MS = 500;
const ENTRIES_PER_STEP = 1000;

interface Reader {
  readonly response: ServerResponse;
  /** As given; null: from now on. Read once the log has been. */
  readonly lastId: string | null;
  /** Number of the last event sent; null: not begun. */
  sent: number | null;
}

export class TierEventStreams {
  readonly #clock: Clock;
  readonly #membership: () => Membership | null;
  readonly #readers = new Set<Reader>();
  /** Oldest first, of one run. */
  #held: LogEntry[] = [];
  #run = '';
  #timer: Timer | null = null;
  #looking = false;

  constructor(clock: Clock, membership: () => Membership | null) {
    this.#clock = clock;
    this.#membership = membership;
  }

  get size(): number {
    return this.#readers.size;
  }

  start(response: ServerResponse, lastId: string | null): void {
    const reader: Reader = { response, lastId, sent: null };
    this.#readers.add(reader);
    beginStream(response, this.#clock, () => {
      this.#readers.delete(reader);
      if (this.#readers.size === 0) this.#rest();
    });
    this.#timer ??= this.#clock.every(LOOK_EVERY_MS, () => void this.#look());
    void this.#look();
  }

  endAll(): void {
    for (const { response } of this.#readers) response.end();
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#held = [];
    this.#run = '';
  }

  /** One at a time; a store that does not answer in time is asked again at the next turn. */
  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      if (await this.#readOn()) for (const reader of this.#readers) this.#bringUpToDate(reader);
    } catch {
      // Away: what has been sent stands, and the streams go on when it is back.
    } finally {
      this.#looking = false;
    }
  }

  /** False: there is no store to read yet. */
  async #readOn(): Promise<boolean> {
    const membership = this.#membership();
    if (membership === null || membership.run === null) return false;
    if (membership.run !== this.#run) {
      this.#run = membership.run;
      this.#held = [];
    }
    while (true) {
      const page = await membership.store.log(this.#held.at(-1)?.id ?? 0, ENTRIES_PER_STEP);
      if (page.length === 0 || this.#readers.size === 0) return true;
      this.#held = [...this.#held, ...page].slice(-LOG_MAX);
    }
  }

  #bringUpToDate(reader: Reader): void {
    const { response, lastId } = reader;
    if (reader.sent === null) {
      const newest = this.#held.at(-1)?.id ?? 0;
      const named = lastId === null ? newest : lastId === '0' ? 0 : numberInRun(lastId, this.#run);
      const oldest = this.#held[0]?.id ?? 1;
      if (named !== newest && lastId !== '0' && named < oldest - 1) sendEvent(response, GAP_EVENT);
      reader.sent = Math.max(0, named);
    }
    for (const { id, text } of this.#held) {
      if (id <= reader.sent) continue;
      reader.sent = id;
      sendEvent(response, `id: ${this.#run}-${id}\n${eventText(text)}`);
    }
  }
}

/** An entry's kind becomes the event's name and its wall time `at`, as in the events of one proxy. */
function eventText(text: string): string {
  try {
    const { kind, atMs, ...rest } = JSON.parse(text) as { kind?: unknown; atMs?: unknown };
    const type = typeof kind === 'string' ? kind.replace(/[^\w-]/g, '') : 'unknown';
    const at = new Date(typeof atMs === 'number' ? atMs : 0).toISOString();
    return `event: ${type}\ndata: ${JSON.stringify({ at, type, ...rest })}\n\n`;
  } catch {
    return 'event: unreadable\ndata: {}\n\n';
  }
}
