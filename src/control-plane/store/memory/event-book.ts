/**
 * The tier's log in the memory store: the last LOG_MAX events, numbered. Held
 * by tier-state.ts.
 */
import { LOG_MAX, type LogEntry } from '../tier-store.ts';

export class EventBook {
  /** At most twice LOG_MAX: cut in one go, so that an event costs the same on average. */
  #texts: string[] = [];
  #firstId = 1;

  copy(): EventBook {
    const copy = new EventBook();
    copy.#texts = [...this.#texts];
    copy.#firstId = this.#firstId;
    return copy;
  }

  add(kind: string, atMs: number, fields: Readonly<Record<string, unknown>>): void {
    this.#texts.push(JSON.stringify({ kind, atMs, ...fields }));
    if (this.#texts.length < 2 * LOG_MAX) return;
    this.#firstId += this.#texts.length - LOG_MAX;
    this.#texts = this.#texts.slice(-LOG_MAX);
  }

  after(id: number, limit: number): readonly LogEntry[] {
    const oldest = Math.max(0, this.#texts.length - LOG_MAX);
    const start = Math.max(oldest, id + 1 - this.#firstId);
    return this.#texts.slice(start, start + limit).map((text, i) => ({ id: this.#firstId + start + i, text }));
  }
}
