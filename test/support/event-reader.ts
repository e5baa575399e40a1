/** A reader of /api/v1/events, as a browser's EventSource is one. */
import { expect } from 'vitest';

export interface Received {
  readonly id: string | null;
  readonly event: string | null;
  readonly data: Record<string, unknown>;
}

/** Reads a stream as a browser's EventSource would. */
export class EventReader {
  static readonly #open = new Set<EventReader>();
  readonly #abort = new AbortController();
  #body!: ReadableStreamDefaultReader<string>;
  #text = '';

  static async open(url: string, headers: Record<string, string> = {}, query = ''): Promise<EventReader> {
    const reader = new EventReader();
    EventReader.#open.add(reader);
    const answer = await fetch(`${url}/api/v1/events${query}`, { headers, signal: reader.#abort.signal });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    reader.#body = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    return reader;
  }

  /** The next event; null at the end of the stream. */
  async next(): Promise<Received | null> {
    while (true) {
      const end = this.#text.indexOf('\n\n');
      if (end === -1) {
        const { done, value } = await this.#body.read();
        if (done) return null;
        this.#text += value;
        continue;
      }
      const lines = this.#text.slice(0, end).split('\n');
      this.#text = this.#text.slice(end + 2);
      const field = (name: string): string | null => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? null;
      if (field('data') !== null) return { id: field('id'), event: field('event'), data: JSON.parse(field('data')!) as Record<string, unknown> };
    }
  }

  close(): void {
    this.#abort.abort();
    EventReader.#open.delete(this);
  }

  static closeAll(): void {
    for (const reader of EventReader.#open) reader.close();
  }
}
