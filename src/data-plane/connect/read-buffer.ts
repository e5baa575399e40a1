/**
 * The buffer a backend's answers are read into. It keeps HEADROOM before and
 * TAILROOM behind the bytes read, so that a head can grow and chunk lines be
 * set around data in place: head and body leave in one write.
 *
 * Large answers are read into large buffers, which go round: making one anew
 * for each answer cost more than all else did (its pages are the kernel's, and
 * come one fault at a time: 64 KiB answers took 2.4 times what they do now).
 */
export const HEADROOM = 512;
export const TAILROOM = 32;

const SMALL_BYTES = 16 * 1024;
/** After a read that filled the buffer. An answer of 64 KiB fits with its head. */
const MEDIUM_BYTES = 96 * 1024;
/** After one that filled that: fewer, larger reads of large bodies (64 KiB is slower than either on loopback). */
const LARGE_BYTES = 256 * 1024;

/**
 * Buffers nobody uses, at most 12 MiB of the medium and 8 MiB of the large; the
 * warmest is taken first. An HTTP/2 client lends one for each of its streams
 * that waits for its turn, so of the medium there are to be many: with 32 of
 * 256 KiB for both, 256 streams with 64 KiB each spent nearly half of their
 * time on new memory.
 */
const SPARE_MEDIUM_MAX = 128;
const SPARE_LARGE_MAX = 32;
const spareMedium: Buffer[] = [];
const spareLarge: Buffer[] = [];

/**
 * A connection whose last answer was large keeps a larger buffer at rest,
 * since the next one is likely to be, but only so many connections of a worker
 * do: what is at rest holds 16 MiB at most.
 */
const LARGER_AT_REST_MAX = 64;
let largerAtRest = 0;

function take(size: number): Buffer {
  return (size === LARGE_BYTES ? spareLarge : spareMedium).pop() ?? Buffer.allocUnsafeSlow(size);
}

/** `bytes` came from a ReadBuffer, and nobody reads or writes them any more. */
export function giveBack(bytes: Buffer): void {
  if (bytes.length === MEDIUM_BYTES && spareMedium.length < SPARE_MEDIUM_MAX) spareMedium.push(bytes);
  else if (bytes.length === LARGE_BYTES && spareLarge.length < SPARE_LARGE_MAX) spareLarge.push(bytes);
}

export class ReadBuffer {
  #small: Buffer = Buffer.allocUnsafeSlow(SMALL_BYTES);
  bytes: Buffer = this.#small;
  #view: DataView | null = null;
  /** Bytes of an incomplete head, kept at HEADROOM; the next read goes behind them. */
  held = 0;
  /** What the last read filled: whoever was given it may still need it, until another read comes. */
  #outgrown: Buffer | null = null;
  /** Bytes read since the last rest. */
  #answerBytes = 0;
  #isResting = false;
  /** The runtime must be given a new view before the next read. */
  #isViewStale = true;

  /** Where the next read's bytes will begin. */
  get readStart(): number {
    return HEADROOM + this.held;
  }

  /** Of all `bytes`, with the same places. */
  get view(): DataView {
    return (this.#view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length));
  }

  /** The view to read into, if it is another than before. */
  nextView(): Uint8Array | undefined {
    if (!this.#isViewStale) return undefined;
    this.#isViewStale = false;
    return this.bytes.subarray(HEADROOM + this.held, this.bytes.length - TAILROOM);
  }

  /** A read of `count` bytes has come. */
  count(count: number): void {
    this.#answerBytes += count;
    if (this.#outgrown === null) return;
    giveBack(this.#outgrown);
    this.#outgrown = null;
  }

  /** After that read was dealt with: a full one asks for a larger buffer. */
  adapt(count: number): void {
    if (count < this.bytes.length - HEADROOM - TAILROOM || this.held !== 0 || this.#isResting || this.bytes.length >= LARGE_BYTES) return;
    this.#outgrown = this.bytes;
    this.#use(take(this.bytes.length < MEDIUM_BYTES ? MEDIUM_BYTES : LARGE_BYTES));
  }

  /** Keeps bytes[start, end), an incomplete head, and makes room to read on behind it. */
  hold(start: number, end: number): void {
    const length = end - start;
    if (length >= this.bytes.length - HEADROOM - TAILROOM) {
      const larger = Buffer.allocUnsafeSlow(this.bytes.length * 2);
      this.bytes.copy(larger, HEADROOM, start, end);
      this.#use(larger);
    } else if (start !== HEADROOM) this.bytes.copyWithin(HEADROOM, start, end);
    this.held = length;
    this.#isViewStale = true;
  }

  /** The held head is whole: reads begin at HEADROOM again. */
  letGo(): void {
    if (this.held === 0) return;
    this.held = 0;
    this.#isViewStale = true;
  }

  /** What was read is still in use elsewhere: goes on with another buffer, and returns the former, for `giveBack`. */
  replace(): Buffer {
    const former = this.bytes;
    if (former === this.#small) this.#small = Buffer.allocUnsafeSlow(SMALL_BYTES);
    this.#use(this.#small);
    return former;
  }

  /** The answer is over and its bytes are no longer in use. */
  rest(): void {
    this.#isResting = true;
    const was = this.#answerBytes;
    this.#answerBytes = 0;
    if (was <= SMALL_BYTES || largerAtRest >= LARGER_AT_REST_MAX) {
      if (this.bytes !== this.#small) this.#shrink();
      return;
    }
    largerAtRest++;
    const size = was <= MEDIUM_BYTES - HEADROOM - TAILROOM ? MEDIUM_BYTES : LARGE_BYTES;
    if (this.bytes.length === size) return;
    giveBack(this.bytes);
    this.#use(take(size));
  }

  /** Another exchange begins. */
  wake(): void {
    if (!this.#isResting) return;
    this.#isResting = false;
    if (this.bytes !== this.#small) largerAtRest--;
    this.letGo();
  }

  /** Its connection is closed; `isFree`: no one uses its bytes. */
  drop(isFree: boolean): void {
    this.wake();
    if (isFree && this.bytes !== this.#small) this.#shrink();
  }

  #shrink(): void {
    giveBack(this.bytes);
    this.#use(this.#small);
  }

  #use(bytes: Buffer): void {
    this.bytes = bytes;
    this.#view = null;
    this.#isViewStale = true;
  }
}
