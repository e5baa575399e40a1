/**
 * The dynamic table of HPACK (RFC 7541 §2.3.2, §4), for either direction. Its
 * bytes stand in one buffer of its own, so that a table of many small entries
 * holds no more memory than its size says.
 */

/** What an entry counts besides its bytes (§4.1). */
export const ENTRY_OVERHEAD_BYTES = 32;

const NO_BYTES = Buffer.alloc(0);

export class HpackTable {
  /** Names and values; views of it are stale after the next `add`. */
  bytes: Buffer = NO_BYTES;
  count = 0;
  /** As §4.1 counts. */
  size = 0;
  /** Entries ever added: the newest has this number, the oldest `added - count + 1`. */
  added = 0;
  #sizeMax: number;
  readonly #capacity: number;
  readonly #slots: number;
  #end = 0;
  // By number of the entry modulo #slots.
  readonly #nameStart: Int32Array;
  readonly #valueStart: Int32Array;
  readonly #valueEnd: Int32Array;

  /** `capacity`: the most that `resize` may ever ask for. */
  constructor(capacity: number) {
    this.#capacity = this.#sizeMax = capacity;
    this.#slots = Math.floor(capacity / ENTRY_OVERHEAD_BYTES) + 1;
    this.#nameStart = new Int32Array(this.#slots);
    this.#valueStart = new Int32Array(this.#slots);
    this.#valueEnd = new Int32Array(this.#slots);
  }

  get sizeMax(): number {
    return this.#sizeMax;
  }

  nameStart(number: number): number {
    return this.#nameStart[number % this.#slots]!;
  }
  /** Where the name ends, too. */
  valueStart(number: number): number {
    return this.#valueStart[number % this.#slots]!;
  }
  valueEnd(number: number): number {
    return this.#valueEnd[number % this.#slots]!;
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
    this.#makeRoom(length);
    const slot = ++this.added % this.#slots;
    this.#nameStart[slot] = this.#end;
    this.#end += name.copy(this.bytes, this.#end, nameStart, nameEnd);
    this.#valueStart[slot] = this.#end;
    this.#end += value.copy(this.bytes, this.#end, valueStart, valueEnd);
    this.#valueEnd[slot] = this.#end;
    this.count++;
    this.size += size;
  }

  #evictTo(size: number): void {
    while (this.count > 0 && this.size > size) {
      const oldest = this.added - this.count + 1;
      this.size -= this.valueEnd(oldest) - this.nameStart(oldest) + ENTRY_OVERHEAD_BYTES;
      this.count--;
    }
  }

  /** Twice the capacity, so that the live half is moved to the front only once in a while. */
  #makeRoom(length: number): void {
    if (this.bytes.length === 0) this.bytes = Buffer.allocUnsafeSlow(this.#capacity * 2);
    if (this.#end + length <= this.bytes.length) return;
    const from = this.count === 0 ? this.#end : this.nameStart(this.added - this.count + 1);
    this.bytes.copyWithin(0, from, this.#end);
    for (let number = this.added - this.count + 1; number <= this.added; number++) {
      const slot = number % this.#slots;
      this.#nameStart[slot]! -= from;
      this.#valueStart[slot]! -= from;
      this.#valueEnd[slot]! -= from;
    }
    this.#end -= from;
  }
}
