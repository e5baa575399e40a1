/**
 * The answer of one HTTP/2 stream on its way to the exchange: framed as
 * HTTP/1.1 would have it, held to the length it said, and kept while the client
 * takes no more. What is kept is bounded by the stream's window, which is not
 * opened again before it was given away.
 */
import { HEADROOM, TAILROOM } from './read-buffer.ts';
import type { BodyKind } from '../exchange.ts';
import { copyBytes } from '../parse/bytes.ts';
import type { ResponseHead } from '../parse/response-head.ts';
import type { Http2Request } from './http2-request.ts';

/** Room for "4000\r\n" before data, and for its line end and the last chunk behind it. */
export const CHUNK_OVERHEAD_BYTES = 16;
const LAST_CHUNK_LINE = Buffer.from('0\r\n', 'latin1');
const LAST_CHUNK = Buffer.from('0\r\n\r\n', 'latin1');

/** Kept for a client that takes no more. */
type Kept = { readonly bytes: Buffer; readonly end: number; readonly isLast: boolean } | { readonly trailer: Buffer };

export class StreamAnswer {
  kind: BodyKind = 'none';
  hasHead = false;
  /** The backend has ended its side. */
  isWhole = false;
  isPaused = false;
  /** Of a WebSocket: its data is the tunnel's. */
  isTunnel = false;
  readonly #request: Http2Request;
  /** Data the head promised and that has not come; -1: it said no length. */
  #due = -1;
  #setsChunks = false;
  /** Flow control: received and not yet given back to the backend. */
  #uncredited = 0;
  #kept: Kept[] = [];
  /** The bytes given to the owner are of `#kept`, not of the connection's buffer. */
  #given: Buffer | null = null;

  constructor(request: Http2Request) {
    this.#request = request;
  }

  /** The head of the final answer, as it was parsed. */
  open(head: ResponseHead, hasNone: boolean): void {
    this.hasHead = true;
    this.#due = hasNone ? 0 : head.chunked ? -1 : head.contentLength;
    this.kind = this.#due === -1 ? 'chunked' : this.#due === 0 ? 'none' : 'length';
    this.#setsChunks = this.kind === 'chunked' && this.#request.takesChunks;
  }

  /** A switch of protocols was agreed: what follows has no length, and no framing. */
  openTunnel(): void {
    this.hasHead = this.isTunnel = true;
  }

  /** A frame of `length` bytes with its padding. False: it is more than the window. */
  countFrame(length: number, windowBytes: number): boolean {
    this.#uncredited += length;
    return this.#uncredited <= windowBytes;
  }

  /** False: more data than the head said. */
  countData(length: number): boolean {
    if (this.#due === -1) return true;
    this.#due -= length;
    return this.#due >= 0;
  }

  /** The backend has ended it. False: less data came than the head said. */
  end(): boolean {
    this.isWhole = true;
    return this.#due <= 0;
  }

  /** Puts data, framed as the client's side wants it, at `at`; returns its end. There is room for CHUNK_OVERHEAD_BYTES more. */
  putData(out: Buffer, at: number, bytes: Buffer, start: number, end: number): number {
    let to = at;
    if (this.#setsChunks) to += out.write(`${(end - start).toString(16)}\r\n`, to, 'latin1');
    to = copyBytes(bytes, start, end, out, to);
    if (!this.#setsChunks) return to;
    out[to++] = 13;
    out[to++] = 10;
    return to;
  }

  /** Puts what ends the body, likewise. */
  putEnd(out: Buffer, at: number, hasTrailer: boolean): number {
    return this.#setsChunks ? at + (hasTrailer ? LAST_CHUNK_LINE : LAST_CHUNK).copy(out, at) : at;
  }

  giveHead(head: ResponseHead, headEnd: number, bodyEnd: number, isLast: boolean): void {
    this.#request.onHead();
    if (this.isTunnel) {
      this.#request.owner?.onHead(head, HEADROOM, headEnd, headEnd, headEnd, 'none', false);
      this.#giveTunnel(head.bytes, headEnd, bodyEnd, isLast);
    } else this.#request.owner?.onHead(head, HEADROOM, headEnd, headEnd, bodyEnd, this.kind, isLast);
    this.#creditIfDue();
  }

  /** Data of bytes[HEADROOM, end), which is kept if the client takes no more. */
  giveBody(bytes: Buffer, end: number, isLast: boolean): void {
    if (this.isPaused) return void this.#kept.push({ bytes: copyOf(bytes, end), end, isLast });
    this.#request.armBodyDeadline();
    if (this.isTunnel) this.#giveTunnel(bytes, HEADROOM, end, isLast);
    else if (end > HEADROOM || isLast) this.#request.owner?.onBody(bytes, HEADROOM, end, isLast);
    this.#creditIfDue();
  }

  #giveTunnel(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    if (end > start) this.#request.owner?.onTunnel(bytes, start, end);
    // What the client has not taken it has before the end: it was handed over.
    if (isLast) this.#request.owner?.onTunnelEnd();
  }

  /** The trailer section of a chunked body; other kinds have no place for one. */
  giveTrailer(section: Buffer): void {
    if (this.isPaused) this.#kept.push({ trailer: section });
    else this.#request.owner?.onTrailer(section);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    while (this.#kept.length > 0 && !this.#mustWait()) {
      const next = this.#kept.shift()!;
      if ('trailer' in next) this.giveTrailer(next.trailer);
      else {
        this.#given = next.bytes;
        if (this.isTunnel) this.#giveTunnel(next.bytes, HEADROOM, next.end, next.isLast);
        else this.#request.owner?.onBody(next.bytes, HEADROOM, next.end, next.isLast);
        this.#given = null;
      }
    }
    this.#creditIfDue();
  }

  /** As a call, for it changes while the owner is told. */
  #mustWait(): boolean {
    return this.isPaused || this.#request.owner === null;
  }

  /** null: what was given is of the connection's buffer. */
  keepBytes(): Buffer | null {
    return this.#given;
  }

  drop(): void {
    this.#kept = [];
  }

  /** Half a window at a time: a frame of 13 bytes for each of data would be half of all frames. */
  #creditIfDue(): void {
    if (this.isPaused || this.isWhole || this.#uncredited < this.#request.creditStep) return;
    const bytes = this.#uncredited;
    this.#uncredited = 0;
    this.#request.credit(bytes);
  }
}

function copyOf(bytes: Buffer, end: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(end + TAILROOM);
  bytes.copy(copy, HEADROOM, HEADROOM, end);
  return copy;
}
