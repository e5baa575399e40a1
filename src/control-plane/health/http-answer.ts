/**
 * Whether an answer passes an `http` probe: its status, and a text in the
 * first 64 KiB of its body. Fed by an attempt of whatever version of HTTP with
 * what the backend sends; keeps only as much of the body as the text could
 * straddle, so that tiny pieces cost no more than large ones.
 */
import type { HttpOptions } from './http-options.ts';
import { isInRanges, rangesText } from './status-ranges.ts';

/** More of a body is not read. */
export const BODY_BYTES_MAX = 64 * 1024;
/** A reason stays one readable line, whatever `body` is. */
const REASON_TEXT_MAX = 60;

/** '': it passes; null: what follows decides; else why it fails. */
export type Judgement = string | null;

export class HttpAnswer {
  /** Of the body so far. */
  bodyBytes = 0;
  readonly #options: Pick<HttpOptions, 'expect' | 'body'>;
  readonly #wanted: Buffer;
  #tail = Buffer.alloc(0);

  constructor(options: Pick<HttpOptions, 'expect' | 'body'>) {
    this.#options = options;
    this.#wanted = Buffer.from(options.body, 'utf8');
  }

  /** Of a final answer. */
  status(status: number): Judgement {
    const { expect, body } = this.#options;
    if (!isInRanges(status, expect)) return `status ${status}, expected ${rangesText(expect)}`;
    return body === '' ? '' : null;
  }

  data(chunk: Buffer): Judgement {
    const room = Math.max(0, BODY_BYTES_MAX - this.bodyBytes);
    this.bodyBytes += chunk.length;
    const seen = Buffer.concat([this.#tail, chunk.subarray(0, room)]);
    this.#tail = seen.subarray(Math.max(0, seen.length - this.#wanted.length + 1));
    if (seen.includes(this.#wanted)) return '';
    return this.isFull ? this.end() : null;
  }

  end(): string {
    return `body lacks ${JSON.stringify(shorten(this.#options.body))}`;
  }

  get isFull(): boolean {
    return this.bodyBytes >= BODY_BYTES_MAX;
  }
}

function shorten(text: string): string {
  return text.length <= REASON_TEXT_MAX ? text : `${text.slice(0, REASON_TEXT_MAX)}…`;
}
