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
/** After a read that filled the buffer: fewer, larger reads of large bodies (64 KiB is slower than either on loopback). */
const LARGE_BYTES = 256 * 1024;

/** Large buffers nobody uses, at most so many; the warmest is taken first. */
const SPARE_MAX = 32;
const spare: Buffer[] = [];

/**
 * A connection whose last answer was large keeps its large buffer at rest,
 * since the next one is likely to be, but only so many connections of a worker
 * do: what is at rest holds 16 MiB at most.
 */
const LARGE_AT_REST_MAX = 64;
let largeAtRest = 0;

function takeLarge(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
}

/** `bytes` came from a ReadBuffer, and nobody reads or writes them any more. */
export function giveBack(bytes: Buffer): void {
  if (bytes.length === LARGE_BYTES && spare.length < SPARE_MAX) spare.push(bytes);
}

export class ReadBuffer {
  #small: Buffer = Buffer.allocUnsafeSlow(SMALL_BYTES);
  bytes: Buffer = this.#small;
  /** Bytes of an incomplete head, kept at HEADROOM; the next read goes behind them. */
  held = 0;
  /** Bytes read since the last rest. */
  #answerBytes = 0;
  #isResting = false;
  /** The runtime must be given a new view before the next read. */
  #isViewStale = true;

  /** Where the next read's bytes will begin. */
  get readStart(): number {
    return HEADROOM + this.held;
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
  }

  /** After that read was dealt with: a full one asks for a larger buffer. */
  adapt(count: number): void {
    if (count < this.bytes.length - HEADROOM - TAILROOM || this.held !== 0 || this.#isResting || this.bytes.length >= LARGE_BYTES) return;
    this.#use(takeLarge());
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
    const wasLarge = this.#answerBytes > SMALL_BYTES;
    this.#answerBytes = 0;
    if (wasLarge && largeAtRest < LARGE_AT_REST_MAX) {
      largeAtRest++;
      if (this.bytes.length !== LARGE_BYTES) this.#use(takeLarge());
    } else if (this.bytes !== this.#small) this.#shrink();
  }

  /** Another exchange begins. */
  wake(): void {
    if (!this.#isResting) return;
    this.#isResting = false;
    if (this.bytes.length === LARGE_BYTES) largeAtRest--;
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
    this.#isViewStale = true;
  }
}
