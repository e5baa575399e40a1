/**
 * The body of one request as its bytes come in: finds its end, holds it to the
 * listener's limit, and gives what is to be passed on as one run of bytes per
 * read. A connection keeps one and starts it anew for each request.
 */
import type { ErrorCode } from '../../base/errors.ts';
import { nominatedNames } from '../parse/body-framing.ts';
import { ChunkedBody } from '../parse/chunked-body.ts';
import type { RequestHead } from '../parse/request-head.ts';
import { filterTrailers } from '../relay/trailers.ts';

export class RequestBody {
  /** The run to pass on after `take`; of `bytes`, which may be another buffer than the one taken. */
  bytes: Buffer = NO_BYTES;
  start = 0;
  end = 0;
  isDone = true;
  /** Data so far, without framing. */
  dataBytes = 0;
  problem: ErrorCode | null = null;
  #isChunked = false;
  #remaining = 0;
  #bytesMax = 0;
  #chunks: ChunkedBody | null = null;
  /** Names that the request's Connection lists; null: none. */
  #nominated: ReadonlySet<string> | null = null;

  /** `bytesMax` 0: no limit. A length over it is a problem at once. */
  open(head: RequestHead, bytesMax: number, trailerBytesMax: number): void {
    this.#isChunked = head.chunked;
    this.#remaining = head.contentLength;
    this.#bytesMax = bytesMax;
    this.start = this.end = 0;
    this.isDone = false;
    this.dataBytes = 0;
    this.problem = !head.chunked && bytesMax !== 0 && head.contentLength > bytesMax ? 'body-too-large' : null;
    this.#nominated = head.chunked && head.nominatesFields ? nominatedNames(head.bytes, head.fields) : null;
    if (head.chunked) (this.#chunks ??= new ChunkedBody()).reset(true, trailerBytesMax);
  }

  /** Takes bytes[start, end); returns where it stopped: what follows is the next request. */
  take(bytes: Buffer, start: number, end: number): number {
    this.bytes = bytes;
    if (this.#isChunked) return this.#takeChunks(this.#chunks!, bytes, start, end);
    const length = Math.min(end - start, this.#remaining);
    this.#remaining -= length;
    this.dataBytes += length;
    this.isDone = this.#remaining === 0;
    this.start = start;
    this.end = start + length;
    return this.end;
  }

  #takeChunks(chunks: ChunkedBody, bytes: Buffer, start: number, end: number): number {
    const stopped = chunks.feed(bytes, start, end);
    this.start = chunks.outStart;
    this.end = chunks.outEnd;
    this.dataBytes = chunks.dataBytes;
    this.isDone = chunks.isDone;
    if (chunks.isFailed) this.problem = 'bad-request';
    else if (this.#bytesMax !== 0 && this.dataBytes > this.#bytesMax) this.problem = 'body-too-large';
    const section = chunks.isDone ? chunks.takeTrailer() : null;
    if (section !== null) this.#addTrailers(section);
    return stopped;
  }

  /** Nobody needs the last run any more. */
  letGo(): void {
    this.bytes = NO_BYTES;
  }

  /** What may pass of the trailer section ends the run. */
  #addTrailers(section: Buffer): void {
    const kept = filterTrailers(section, this.#nominated);
    if (kept === null) {
      this.problem = 'bad-request';
      return;
    }
    this.bytes = Buffer.concat([this.bytes.subarray(this.start, this.end), kept]);
    this.start = 0;
    this.end = this.bytes.length;
  }
}

const NO_BYTES = Buffer.alloc(0);
