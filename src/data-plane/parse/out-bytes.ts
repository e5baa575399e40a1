/** Bytes on their way out: a buffer that grows, and how much of it is filled. Writers reserve what they put. */
const FIRST_BYTES = 4 * 1024;

export class OutBytes {
  bytes: Buffer;
  length = 0;

  constructor(capacity = FIRST_BYTES) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** Room for `count` more. `bytes` may be another buffer afterwards. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}
