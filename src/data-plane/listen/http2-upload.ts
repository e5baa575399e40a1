/**
 * The body of one HTTP/2 request on its way to a backend of HTTP/1.1: the DATA
 * of one read is gathered into one run of bytes, with chunk lines around it if
 * the request has no length, and held to the length if it has one. A stream
 * keeps one and opens it anew for each request.
 */
import type { ErrorCode } from '../../base/errors.ts';
import { freeRead } from '../../net/read-from.ts';

/** A chunk's size and its line's end go before the data. */
const HEADROOM = 10;
/** The end of the last chunk, and of the body. */
const TAILROOM = 7;
/** From here on memory is worth giving back (read-from.ts). */
const LARGE_PIECE_BYTES = 8 * 1024;
const NO_BYTES = Buffer.alloc(0);
const LAST_CHUNK = '0\r\n';

export class Http2Upload {
  /** The run after `take`; the caller's from then on. */
  bytes: Buffer = NO_BYTES;
  start = 0;
  end = 0;
  /** All of the body so far. */
  dataBytes = 0;
  /** Of DATA that was gathered and not taken. */
  gatheredBytes = 0;
  #gathered: Buffer = NO_BYTES;
  #isChunked = false;
  /** -1: none was said. */
  #contentLength = -1;
  #bytesMax = 0;

  /** Before each request, when nothing is known of its body. */
  reset(): void {
    this.dataBytes = this.gatheredBytes = 0;
    this.#gathered = NO_BYTES;
    this.#isChunked = false;
    this.#contentLength = -1;
    this.#bytesMax = 0;
  }

  /** Says what the head said. `isChunked`: how it goes to the backend. `bytesMax` 0: no limit. */
  open(contentLength: number, isChunked: boolean, bytesMax: number): void {
    this.#contentLength = contentLength;
    this.#isChunked = isChunked;
    this.#bytesMax = bytesMax;
  }

  /** The body is not as its head says, or too large; null: all is well. `isEnded`: nothing more comes. */
  problem(isEnded: boolean): ErrorCode | null {
    const { dataBytes } = this;
    const length = this.#contentLength;
    if (length !== -1 && (dataBytes > length || (isEnded && dataBytes !== length))) return 'bad-request';
    return this.#bytesMax !== 0 && Math.max(dataBytes, length) > this.#bytesMax ? 'body-too-large' : null;
  }

  add(bytes: Buffer, start: number, end: number): void {
    const at = HEADROOM + this.gatheredBytes;
    const needed = at + end - start + TAILROOM;
    if (this.#gathered.length < needed) {
      // Of a large body the rest of the read is likely to be, too; the first piece of a small one is usually its only one.
      const isLarge = end - start >= LARGE_PIECE_BYTES;
      const size = isLarge ? Math.max(needed, at + bytes.length - start + TAILROOM) : this.gatheredBytes === 0 ? needed : needed * 2;
      const larger = isLarge ? Buffer.allocUnsafeSlow(size) : Buffer.allocUnsafe(size);
      if (this.gatheredBytes > 0) this.#gathered.copy(larger, HEADROOM, HEADROOM, at);
      this.#gathered = larger;
    }
    bytes.copy(this.#gathered, at, start, end);
    this.gatheredBytes += end - start;
    this.dataBytes += end - start;
  }

  /** The run of what was gathered. `isEnd`: of a body in chunks, its end too, with the trailer section (null: none). Returns the bytes of data in it. */
  take(isEnd: boolean, trailer: Buffer | null = null): number {
    const length = this.gatheredBytes;
    this.bytes = this.#gathered;
    this.start = HEADROOM;
    this.end = HEADROOM + length;
    this.#gathered = NO_BYTES;
    this.gatheredBytes = 0;
    if (this.#isChunked) this.#setChunk(length, isEnd, trailer);
    return length;
  }

  #setChunk(length: number, isEnd: boolean, trailer: Buffer | null): void {
    if (this.bytes.length === 0) this.bytes = Buffer.allocUnsafe(HEADROOM + TAILROOM);
    const { bytes } = this;
    if (length > 0) {
      const line = `${length.toString(16)}\r\n`;
      this.start = HEADROOM - line.length;
      bytes.write(line, this.start, 'latin1');
      this.end += bytes.write('\r\n', this.end, 'latin1');
    }
    if (!isEnd) return;
    this.end += bytes.write(trailer === null ? `${LAST_CHUNK}\r\n` : LAST_CHUNK, this.end, 'latin1');
    if (trailer === null) return;
    this.bytes = Buffer.concat([bytes.subarray(this.start, this.end), trailer]);
    this.start = 0;
    this.end = this.bytes.length;
  }

  /** The backend's socket has taken the run. */
  free(): void {
    freeRead(this.bytes);
    this.bytes = NO_BYTES;
  }

  letGo(): void {
    this.bytes = this.#gathered = NO_BYTES;
    this.gatheredBytes = 0;
  }
}
