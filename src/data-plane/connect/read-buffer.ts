/**
 * The buffer a backend's answers are read into. It keeps HEADROOM before and
 * TAILROOM behind the bytes read, so that a head can grow and chunk lines be
 * set around data in place: head and body leave in one write.
 */
export const HEADROOM = 512;
export const TAILROOM = 32;

const SMALL_BYTES = 16 * 1024;
/** After a read that filled the buffer: fewer, larger reads of large bodies (64 KiB is slower than either on loopback). */
const LARGE_BYTES = 256 * 1024;

export class ReadBuffer {
  bytes: Buffer = Buffer.allocUnsafeSlow(SMALL_BYTES);
  /** Bytes of an incomplete head, kept at HEADROOM; the next read goes behind them. */
  held = 0;
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

  /** Keeps bytes[start, end), an incomplete head, and makes room to read on behind it. */
  hold(start: number, end: number): void {
    const length = end - start;
    if (length >= this.bytes.length - HEADROOM - TAILROOM) {
      const larger = Buffer.allocUnsafeSlow(this.bytes.length * 2);
      this.bytes.copy(larger, HEADROOM, start, end);
      this.bytes = larger;
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

  /** What was read is still in use elsewhere: goes on with another buffer of the same size. */
  replace(): void {
    this.#use(this.bytes.length);
  }

  /** After a read of `count` bytes: a full one asks for a larger buffer. */
  adapt(count: number): void {
    if (count >= this.bytes.length - HEADROOM - TAILROOM && this.held === 0 && this.bytes.length < LARGE_BYTES) this.#use(LARGE_BYTES);
  }

  /** Back to the size of small answers: connections at rest hold no large buffers. */
  shrink(): void {
    if (this.bytes.length > SMALL_BYTES) this.#use(SMALL_BYTES);
  }

  #use(size: number): void {
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.#isViewStale = true;
  }
}
