/**
 * Server-sent events of this proxy: what its event log holds, and what it
 * gets. A reader that was cut off comes back with Last-Event-ID and gets what
 * it missed. Ids carry the process's start, so that one of an earlier run is
 * not taken for one of this.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import type { EventLog, LoggedEvent } from '../../observe/event-log.ts';
import { beginStream, GAP_EVENT, numberInRun, sendEvent } from './sse.ts';

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

  get size(): number {
    return this.#readers.size;
  }

  /** `lastId` as given by the reader; '0': all that is held; null: what comes from now on. The head has been written. */
  start(response: ServerResponse, lastId: string | null): void {
    this.#readers.add(response);
    const unsubscribe = this.#events.subscribe((event) => sendEvent(response, this.#render(event)));
    beginStream(response, this.#clock, () => {
      unsubscribe();
      this.#readers.delete(response);
    });
    if (lastId !== null) this.#catchUp(response, lastId);
  }

  /** Ends all streams: their readers come back to whoever answers then. */
  endAll(): void {
    for (const reader of this.#readers) reader.end();
  }

  #catchUp(response: ServerResponse, lastId: string): void {
    const { events, gap } = this.#events.since(lastId === '0' ? 0 : numberInRun(lastId, this.#run));
    // Asking for all that is held is no gap; having asked for what left the ring is.
    if (gap && lastId !== '0') response.write(GAP_EVENT);
    for (const event of events) sendEvent(response, this.#render(event));
  }

  #render(event: LoggedEvent): string {
    const { id, atMs, ...body } = event;
    return `id: ${this.#run}-${id}\nevent: ${event.type}\ndata: ${JSON.stringify({ at: new Date(atMs).toISOString(), ...body })}\n\n`;
  }
}
