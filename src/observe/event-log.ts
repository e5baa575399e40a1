/**
 * What happened to this process, newest last: verdicts, ejections, operator
 * states, reloads, workers, drains. Held in a ring of fixed size, so that a
 * reader that was away can ask for what it missed. Written by the main thread
 * only (monitor, reload, supervisor); read by the admin interface. Emitting
 * never waits and never throws, whatever a listener of it does.
 */
import type { Clock } from '../base/clock.ts';
import type { Verdict } from '../shared/backend-table.ts';
import type { BackendState } from '../shared/snapshot.ts';

/** What emitters write; each kind is one row of docs/admin-api.md. */
export type EventBody =
  | { readonly type: 'verdict'; readonly pool: string; readonly address: string; readonly from: Verdict; readonly to: Verdict; readonly reason: string }
  | { readonly type: 'ejection'; readonly pool: string; readonly address: string; readonly ejected: boolean; readonly forMs: number; readonly reason: string }
  | { readonly type: 'backend-state'; readonly pool: string; readonly address: string; readonly state: BackendState; readonly weight: number; readonly reason: string }
  | { readonly type: 'primary'; readonly pool: string; readonly address: string | null; readonly former: string | null; readonly epoch: number; readonly by: 'tier' | 'own probes' }
  | { readonly type: 'reload'; readonly ok: boolean; readonly version: number; readonly problems: readonly string[] }
  | { readonly type: 'proxy-state'; readonly state: ProxyState; readonly reason: string }
  | { readonly type: 'worker'; readonly worker: number; readonly change: 'started' | 'exited'; readonly reason: string };

/** Where this proxy stands; `draining` still accepts, `stopping` does not. */
export type ProxyState = 'starting' | 'ready' | 'draining' | 'stopping';

export type LoggedEvent = EventBody & {
  /** Counts up by one, from 1. */
  readonly id: number;
  /** Wall time in milliseconds. */
  readonly atMs: number;
};

export interface Missed {
  /** Oldest first. */
  readonly events: readonly LoggedEvent[];
  /** True if some that lay between have left the ring. */
  readonly gap: boolean;
}

export class EventLog {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #ring: LoggedEvent[] = [];
  readonly #subscribers = new Set<(event: LoggedEvent) => void>();
  #lastId = 0;

  constructor(clock: Clock, capacity = 2048) {
    this.#clock = clock;
    this.#capacity = capacity;
  }

  get lastId(): number {
    return this.#lastId;
  }

  emit(body: EventBody): void {
    this.#lastId += 1;
    const event: LoggedEvent = { id: this.#lastId, atMs: this.#clock.wallMs(), ...body };
    this.#ring[(this.#lastId - 1) % this.#capacity] = event;
    for (const subscriber of this.#subscribers) {
      try {
        subscriber(event);
      } catch {
        // A reader's failure is not the emitter's: it loses its subscription.
        this.#subscribers.delete(subscriber);
      }
    }
  }

  /** Everything after `id` that is still held. An id never given out (of an earlier run) counts as 0, with a gap. */
  since(id: number): Missed {
    const foreign = id > this.#lastId || id < 0 || !Number.isInteger(id);
    const oldest = Math.max(1, this.#lastId - this.#capacity + 1);
    const from = foreign ? oldest : Math.max(id + 1, oldest);
    const events: LoggedEvent[] = [];
    for (let next = from; next <= this.#lastId; next++) events.push(this.#ring[(next - 1) % this.#capacity]!);
    return { events, gap: foreign || from > id + 1 };
  }

  /** Calls `subscriber` for each event from now on; it must not throw. Returns what ends it. */
  subscribe(subscriber: (event: LoggedEvent) => void): () => void {
    this.#subscribers.add(subscriber);
    return () => void this.#subscribers.delete(subscriber);
  }
}
