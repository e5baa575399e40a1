/**
 * The dynamic table of HPACK (RFC 7541 §2.3.2, §4), for either direction. Its
 * bytes stand in one buffer of its own, so that a table of many small entries
 * holds no more memory than its size says. They stand there as lines of
 * HTTP/1.1, one behind the other: entries that are named in the order they were
 * added in, as most clients do, are one run of lines, which is one copy.
 */
import { COLON, copyBytes, CR, LF, SPACE } from './bytes.ts';

/** What an entry counts besides its bytes (§4.1). */
export const ENTRY_OVERHEAD_BYTES = 32;
/** `: ` and CR LF: less than that overhead, so the lines fit where the size allows their entries. */
const LINE_OVERHEAD_BYTES = 4;

const NO_BYTES = Buffer.alloc(0);

export class HpackTable {
  /** The lines; views of it are stale after the next `add`. */
  bytes: Buffer = NO_BYTES;
  count = 0;
  /** As §4.1 counts. */
  size = 0;
  /**
   * Entries ever added: the newest has this number, the oldest `added - count + 1`.
   * It wraps at 32 bits, and so does each difference of two numbers.
   */
  added = 0;
  #sizeMax: number;
  readonly #capacity: number;
  /** Slots less one: a power of two, because a remainder of large numbers costs more than all else here. */
  readonly #mask: number;
  #end = 0;
  // By number of the entry.
  readonly #nameStart: Int32Array;
  readonly #nameEnd: Int32Array;
  readonly #valueEnd: Int32Array;
  readonly #marks: Uint8Array;

  /** `capacity`: the most that `resize` may ever ask for. */
  constructor(capacity: number) {
    this.#capacity = this.#sizeMax = capacity;
    const slots = 2 ** Math.ceil(Math.log2(Math.floor(capacity / ENTRY_OVERHEAD_BYTES) + 1));
    this.#mask = slots - 1;
    this.#nameStart = new Int32Array(slots);
    this.#nameEnd = new Int32Array(slots);
    this.#valueEnd = new Int32Array(slots);
    this.#marks = new Uint8Array(slots);
  }

  get sizeMax(): number {
    return this.#sizeMax;
  }

  /** The line begins here, too. */
  nameStart(number: number): number {
    return this.#nameStart[number & this.#mask]!;
  }
  nameEnd(number: number): number {
    return this.#nameEnd[number & this.#mask]!;
  }
  valueStart(number: number): number {
    return this.#nameEnd[number & this.#mask]! + 2;
  }
  valueEnd(number: number): number {
    return this.#valueEnd[number & this.#mask]!;
  }

  /** What the reader of the fields has found out about the entry, in its own words; 0: nothing yet. */
  mark(number: number): number {
    return this.#marks[number & this.#mask]!;
  }
  setMark(number: number, mark: number): void {
    this.#marks[number & this.#mask] = mark;
  }

  /** The entry is still in the table. */
  holds(number: number): boolean {
    const age = (this.added - number) | 0;
    return age >= 0 && age < this.count;
  }

  resize(sizeMax: number): void {
    this.#sizeMax = sizeMax;
    this.#evictTo(sizeMax);
  }

  /** An entry larger than the table empties it, and is not in it (§4.4). Neither name nor value may be a part of `bytes`. */
  add(name: Buffer, nameStart: number, nameEnd: number, value: Buffer, valueStart: number, valueEnd: number): void {
    const length = nameEnd - nameStart + valueEnd - valueStart;
    const size = length + ENTRY_OVERHEAD_BYTES;
    this.#evictTo(this.#sizeMax - size);
    if (size > this.#sizeMax) return;
    this.#makeRoom(length + LINE_OVERHEAD_BYTES);
    const { bytes } = this;
    this.added = (this.added + 1) | 0;
    const slot = this.added & this.#mask;
    this.#nameStart[slot] = this.#end;
    let at = copyBytes(name, nameStart, nameEnd, bytes, this.#end);
    this.#nameEnd[slot] = at;
    bytes[at++] = COLON;
    bytes[at++] = SPACE;
    at = copyBytes(value, valueStart, valueEnd, bytes, at);
    this.#valueEnd[slot] = at;
    bytes[at++] = CR;
    bytes[at++] = LF;
    this.#end = at;
    this.#marks[slot] = 0;
    this.count++;
    this.size += size;
  }

  #evictTo(size: number): void {
    while (this.count > 0 && this.size > size) {
      const oldest = this.added - this.count + 1;
      this.size -= this.valueEnd(oldest) - this.nameStart(oldest) - 2 + ENTRY_OVERHEAD_BYTES;
      this.count--;
    }
  }

  /** Twice the capacity, so that the live half is moved to the front only once in a while. */
  #makeRoom(length: number): void {
    if (this.bytes.length === 0) this.bytes = Buffer.allocUnsafeSlow(this.#capacity * 2);
    if (this.#end + length <= this.bytes.length) return;
    const from = this.count === 0 ? this.#end : this.nameStart(this.added - this.count + 1);
    this.bytes.copyWithin(0, from, this.#end);
    for (let i = 0; i < this.count; i++) {
      const slot = (this.added - i) & this.#mask;
      this.#nameStart[slot]! -= from;
      this.#nameEnd[slot]! -= from;
      this.#valueEnd[slot]! -= from;
    }
    this.#end -= from;
  }
}
