/**
 * Finds the end of a head that arrives in pieces, each byte looked at once: a
 * client that sends one byte at a time must not make us parse from the start
 * each time.
 */
import { CR, LF } from './bytes.ts';

export class HeadEnd {
  /** Where to look on, and where the current line began; both relative to the head's first byte. */
  #scanned = 0;
  #lineStart = 0;

  reset(): void {
    this.#scanned = 0;
    this.#lineStart = 0;
  }

  /**
   * `bytes` hold the head from index 0 to `length`. Returns true once its
   * empty line is there, or a line that does not end in CR LF (the parser then
   * says what is wrong with it).
   */
  isReached(bytes: Buffer, length: number): boolean {
    while (true) {
      const lf = bytes.indexOf(LF, this.#scanned);
      if (lf === -1 || lf >= length) {
        this.#scanned = length;
        return false;
      }
      if (lf === 0 || bytes[lf - 1] !== CR) return true;
      // An empty line ends the head, except before the request line (RFC 9112 §2.2).
      const isEmpty = lf === this.#lineStart + 1;
      const isFirst = this.#lineStart === 0;
      this.#scanned = lf + 1;
      this.#lineStart = lf + 1;
      if (isEmpty && !isFirst) return true;
    }
  }
}
