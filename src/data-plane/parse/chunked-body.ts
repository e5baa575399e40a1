/**
 * Decoder of the chunked coding (RFC 9112 §7.1). It is fed a body as its bytes
 * arrive and leaves what is to be passed on as one contiguous run of those same
 * bytes, so a body passes in as many writes as reads. Kept framed, canonical
 * chunk lines stay as they are; chunk extensions are cut out (§7.1.1: a
 * recipient ignores them) and trailer fields kept apart (§7.1.2). For a
 * receiver without chunks only the data is kept. Nothing ambiguous passes: a
 * bare LF, a sign, a space or more than 13 digits in a size are errors, and so
 * is an extension that does not follow its grammar.
 */
import { CR, HEX_VALUE, LF } from './bytes.ts';
import { EXTENSION, nextInExtension } from './chunk-extension.ts';

const S = { size: 0, extension: 1, sizeLf: 2, data: 3, dataCr: 4, dataLf: 5, trailerStart: 6, endLf: 7, trailer: 8, done: 9, failed: 10 } as const;

/** 13 hexadecimal digits hold 2^52, and no length is larger than 2^53. */
const SIZE_DIGITS_MAX = 13;
/** Extensions are ignored, but not without end (RFC 9112 §7.1.1): this is the most of one chunk. */
const EXTENSION_BYTES_MAX = 1024;
/** What a chunk may have for nothing; it is no more than a size line may be. */
const EXTENSION_BYTES_FREE = 16;
/** Beyond that a body may have one byte for each of its data, and these: chunks of one byte with a KiB each would else be read a thousand times over. */
const SURPLUS_BYTES_MAX = 16 * 1024;

const NO_BYTES = Buffer.alloc(0);
const TRAILER_BYTES_FIRST = 256;

export class ChunkedBody {
  /** The run to pass on after a feed: fed bytes [outStart, outEnd). */
  outStart = 0;
  outEnd = 0;
  /** Data bytes in all feeds so far. */
  dataBytes = 0;
  #state: number = S.size;
  #keepsFraming = true;
  #digits = 0;
  #extensionState: number = EXTENSION.end;
  /** Of this chunk. */
  #extensionBytes = 0;
  /** Of all chunks so far, beyond what each has for nothing. */
  #surplusBytes = 0;
  #remaining = 0;
  /** The trailer section so far; it grows with it. */
  #trailer: Buffer = NO_BYTES;
  #trailerLength = 0;
  #trailerBytesMax = 0;

  /** Before each body. `keepsFraming`: pass chunks on; otherwise their data alone. */
  reset(keepsFraming: boolean, trailerBytesMax: number): void {
    this.#state = S.size;
    this.#keepsFraming = keepsFraming;
    this.#digits = 0;
    this.#surplusBytes = 0;
    this.#remaining = 0;
    this.#trailer = NO_BYTES;
    this.#trailerLength = 0;
    this.#trailerBytesMax = trailerBytesMax === 0 ? 65536 : trailerBytesMax;
    this.dataBytes = 0;
  }

  get isDone(): boolean {
    return this.#state === S.done;
  }

  get isFailed(): boolean {
    return this.#state === S.failed;
  }

  /**
   * Field lines of the trailer section with its empty line, once done; null if
   * it has none. With fields, the run of the last feed ends after the last
   * chunk's line, and the caller adds what it lets pass and the empty line.
   */
  takeTrailer(): Buffer | null {
    return this.#trailerLength === 0 ? null : this.#trailer.subarray(0, this.#trailerLength);
  }

  /**
   * Takes bytes[start, end) and may move bytes within them. Returns where it
   * stopped: `end`, or after the body's last byte, or at the offending byte.
   */
  feed(bytes: Buffer, start: number, end: number): number {
    this.outStart = this.outEnd = start;
    let pos = start;
    while (pos < end && this.#state < S.done) {
      if (this.#state === S.data) {
        const take = Math.min(this.#remaining, end - pos);
        this.#keep(bytes, pos, pos + take);
        this.dataBytes += take;
        this.#remaining -= take;
        pos += take;
        if (this.#remaining === 0) this.#state = S.dataCr;
      } else if (this.#takeByte(bytes[pos]!)) {
        if (this.#keepsFraming && this.#passesOn) this.#keep(bytes, pos, pos + 1);
        pos++;
      } else {
        this.#state = S.failed;
      }
    }
    return pos;
  }

  /** Whether the framing byte just taken is passed on. */
  #passesOn = true;

  /** Moves on by one framing byte; false if it may not stand here. */
  #takeByte(byte: number): boolean {
    this.#passesOn = true;
    switch (this.#state) {
      case S.size:
        return this.#takeSizeByte(byte);
      case S.extension:
        return this.#takeExtensionByte(byte);
      case S.sizeLf:
        this.#state = this.#remaining === 0 ? S.trailerStart : S.data;
        return byte === LF;
      case S.dataCr:
        this.#state = S.dataLf;
        return byte === CR;
      case S.dataLf:
        this.#state = S.size;
        this.#digits = 0;
        return byte === LF;
      case S.trailerStart:
        if (byte === CR) {
          this.#state = S.endLf;
          return true;
        }
        this.#state = S.trailer;
        return this.#takeTrailerByte(byte);
      case S.endLf:
        this.#state = S.done;
        return byte === LF;
      default:
        return this.#takeTrailerByte(byte);
    }
  }

  #takeSizeByte(byte: number): boolean {
    const digit = HEX_VALUE[byte]!;
    if (digit !== 255) {
      this.#remaining = this.#remaining * 16 + digit;
      return ++this.#digits <= SIZE_DIGITS_MAX;
    }
    if (this.#digits === 0) return false;
    if (byte === CR) {
      this.#state = S.sizeLf;
      return true;
    }
    // ";" begins an extension (RFC 9112 §7.1.1); white space before it is refused, since peers differ on it.
    this.#state = S.extension;
    this.#extensionState = EXTENSION.beforeName;
    this.#extensionBytes = 0;
    this.#passesOn = false;
    return byte === 59;
  }

  #takeExtensionByte(byte: number): boolean {
    this.#extensionState = nextInExtension(this.#extensionState, byte);
    if (this.#extensionState === EXTENSION.end) {
      this.#state = S.sizeLf;
      return true;
    }
    this.#passesOn = false;
    if (++this.#extensionBytes > EXTENSION_BYTES_FREE) this.#surplusBytes++;
    return this.#extensionState !== EXTENSION.refused && this.#extensionBytes <= EXTENSION_BYTES_MAX && this.#surplusBytes <= this.dataBytes + SURPLUS_BYTES_MAX;
  }

  /** Collects the trailer section; its lines are checked by scanFieldLines when it is whole. */
  #takeTrailerByte(byte: number): boolean {
    this.#passesOn = false;
    if (this.#trailerLength === this.#trailer.length) this.#growTrailer();
    const trailer = this.#trailer;
    trailer[this.#trailerLength] = byte;
    const length = ++this.#trailerLength;
    if (byte === LF) {
      if (trailer[length - 2] !== CR) return false;
      if (length >= 4 && trailer[length - 3] === LF && trailer[length - 4] === CR) this.#state = S.done;
    }
    return length <= this.#trailerBytesMax;
  }

  /** Doubles it, up to one byte more than may come: that one is refused. */
  #growTrailer(): void {
    const larger = Buffer.allocUnsafe(Math.min(Math.max(TRAILER_BYTES_FIRST, this.#trailer.length * 2), this.#trailerBytesMax + 1));
    this.#trailer.copy(larger);
    this.#trailer = larger;
  }

  /** Lengthens the run by bytes[from, to), moving them down if something before was cut out. */
  #keep(bytes: Buffer, from: number, to: number): void {
    if (this.outStart === this.outEnd) this.outStart = this.outEnd = from;
    if (this.outEnd !== from) bytes.copyWithin(this.outEnd, from, to);
    this.outEnd += to - from;
  }
}
