/**
 * Where the body of one answer ends (RFC 9112 §6.3), as its bytes come in:
 * gives what is to be passed on as one run of bytes per read. A connection
 * keeps one and opens it anew for each answer.
 */
import type { BodyKind } from '../exchange.ts';
import { ChunkedBody } from '../parse/chunked-body.ts';
import type { ResponseHead } from '../parse/response-head.ts';

export class AnswerBody {
  kind: BodyKind = 'none';
  /** The run to pass on after `take`. */
  start = 0;
  end = 0;
  isDone = true;
  isFailed = false;
  /** Bytes came after the body's end: the connection must not be used again. */
  hasSurplus = false;
  /** Field lines that end a chunked body, with their empty line; null: none. */
  trailer: Buffer | null = null;
  #remaining = 0;
  #chunks: ChunkedBody | null = null;

  /** `takesChunks`: chunk lines are passed on; otherwise their data alone. `trailerBytesMax` 0: no limit of the config's. */
  open(head: ResponseHead, hasNone: boolean, takesChunks: boolean, trailerBytesMax: number): void {
    this.isDone = this.isFailed = this.hasSurplus = false;
    this.trailer = null;
    if (hasNone || (!head.chunked && head.contentLength === 0)) {
      this.kind = 'none';
      this.#remaining = 0;
    } else if (head.chunked) {
      this.kind = 'chunked';
      (this.#chunks ??= new ChunkedBody()).reset(takesChunks, trailerBytesMax);
    } else if (head.contentLength > 0) {
      this.kind = 'length';
      this.#remaining = head.contentLength;
    } else this.kind = 'until-close';
  }

  /** Takes bytes[start, end), and may move bytes within them. */
  take(bytes: Buffer, start: number, end: number): void {
    if (this.kind === 'chunked') return this.#takeChunks(this.#chunks!, bytes, start, end);
    this.start = start;
    if (this.kind === 'until-close') {
      this.end = end;
      return;
    }
    const length = Math.min(end - start, this.#remaining);
    this.#remaining -= length;
    this.end = start + length;
    this.isDone = this.#remaining === 0;
    this.hasSurplus = this.end < end;
  }

  #takeChunks(chunks: ChunkedBody, bytes: Buffer, start: number, end: number): void {
    const stopped = chunks.feed(bytes, start, end);
    this.start = chunks.outStart;
    this.end = chunks.outEnd;
    this.isFailed = chunks.isFailed;
    this.isDone = chunks.isDone;
    if (!chunks.isDone) return;
    this.hasSurplus = stopped < end;
    this.trailer = chunks.takeTrailer();
  }
}
