/** A request head that came in pieces: kept in one buffer, each byte looked at once. */
import { HeadEnd } from '../parse/head-end.ts';

const FIRST_BYTES_MIN = 512;

export class PartialHead {
  #bytes: Buffer;
  #length: number;
  readonly #headEnd = new HeadEnd();

  /** Copies: what a read brought may be much larger than what is left of it. */
  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(FIRST_BYTES_MIN, (end - start) * 2));
    this.#length = bytes.copy(this.#bytes, 0, start, end);
    this.#headEnd.isReached(this.#bytes, this.#length);
  }

  /** Adds a read. Returns all bytes once the head is whole, cannot be one, or is larger than `bytesMax` (0: no limit); null until then. */
  add(bytes: Buffer, bytesMax: number): Buffer | null {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) {
      // What outgrows the limit is refused below, and the request is read on from here when its head is whole: no room is needed beyond.
      const larger = Buffer.allocUnsafe(bytesMax === 0 ? length * 2 : Math.max(length, Math.min(length * 2, bytesMax)));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    bytes.copy(this.#bytes, this.#length);
    this.#length = length;
    const isReady = this.#headEnd.isReached(this.#bytes, length) || (bytesMax !== 0 && length > bytesMax);
    return isReady ? this.#bytes.subarray(0, length) : null;
  }
}
