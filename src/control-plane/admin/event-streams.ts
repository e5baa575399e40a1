/**
 * Server-sent events: what the event log holds, and what it gets, to any
 * number of readers up to a bound. A reader that does not keep up is cut off;
 * it comes back with Last-Event-ID and gets what it missed. Ids carry the
 * process's start, so that one of an earlier run is not taken for one of this.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import type { EventLog, LoggedEvent } from '../../observe/event-log.ts';

const HEARTBEAT_MS = 15_000;
const UNREAD_BYTES_MAX = 256 * 1024;
/** Of the 256 connections of the admin interface, so that streams cannot keep /healthz out. */
export const STREAMS_MAX = 64;
const RECONNECT_MS = 2000;

export class EventStreams {
  readonly #events: EventLog;
  readonly #clock: Clock;
  readonly #run: string;
  readonly #readers = new Set<ServerResponse>();

  constructor(events: EventLog, clock: Clock, startedAtMs: number) {
    this.#events = events;
    this.#clock = clock;
    this.#run = Math.floor(startedAtMs).toString(36);
  }

  get full(): boolean {
    return this.#readers.size >= STREAMS_MAX;
  }

  /** `lastId` as given by the reader; '0': all that is held; null: what comes from now on. The head has been written. */
  start(response: ServerResponse, lastId: string | null): void {
    this.#readers.add(response);
    response.write(`retry: ${RECONNECT_MS}\n\n`);
    if (lastId !== null) this.#catchUp(response, lastId);
    const unsubscribe = this.#events.subscribe((event) => this.#send(response, this.#render(event)));
    const heartbeat = this.#clock.every(HEARTBEAT_MS, () => this.#send(response, ': heartbeat\n\n'));
    response.once('close', () => {
      unsubscribe();
      heartbeat.cancel();
      this.#readers.delete(response);
    });
  }

  /** Ends all streams: their readers come back to whoever answers then. */
  endAll(): void {
    for (const reader of this.#readers) reader.end();
  }

  #catchUp(response: ServerResponse, lastId: string): void {
    const [run, number] = lastId === '0' ? [this.#run, '0'] : lastId.split('-');
    const after = run === this.#run && /^[0-9]{1,15}$/.test(number ?? '') ? Number(number) : -1;
    const { events, gap } = this.#events.since(after);
    // Asking for all that is held is no gap; having asked for what left the ring is.
    if (gap && lastId !== '0') response.write('event: gap\ndata: {}\n\n');
    for (const event of events) this.#send(response, this.#render(event));
  }

  #render(event: LoggedEvent): string {
    const { id, atMs, ...body } = event;
    return `id: ${this.#run}-${id}\nevent: ${event.type}\ndata: ${JSON.stringify({ at: new Date(atMs).toISOString(), ...body })}\n\n`;
  }

  #send(response: ServerResponse, text: string): void {
    if (response.destroyed || response.writableEnded) return;
    if (response.writableLength > UNREAD_BYTES_MAX) response.destroy();
    else response.write(text);
  }
}
