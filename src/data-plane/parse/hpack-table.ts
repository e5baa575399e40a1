/**
 * The dynamic table of HPACK (RFC 7541 §2.3.2, §4), for either direction. Its
 * bytes stand in one buffer of its own, so that a table of many small entries
 * holds no more memory than its size says. They stand there as lines of
 * HTTP/1.1, one behind the other: entries that are named in the order they were
 * added in, as most clients do, are one run of lines, which is one copy.
 *
 * Buffer and slots grow with what is in the table, and an empty one has
 * neither: most connections are idle, and most tables small.
 */
import { COLON, copyBytes, CR, LF, SPACE } from './bytes.ts';

/** What an entry counts besides its bytes (§4.1). */
export const ENTRY_OVERHEAD_BYTES = 32;
/** `: ` and CR LF: less than that overhead, so the lines fit where the size allows their entries. */
const LINE_OVERHEAD_BYTES = 4;
const FIRST_BYTES = 256;
const FIRST_SLOTS = 8;

const NO_BYTES = Buffer.alloc(0);

// Of an entry, in its slot: one array of four costs a quarter of what four cost.
const NAME_START = 0;
const NAME_END = 1;
const VALUE_END = 2;
const MARK = 3;
/** A slot's fields, as a power of two. */
const SLOT_BITS = 2;
/** Of all tables that are empty: read by who asks for what is not there, never written. */
const NO_SLOTS = new Int32Array(1 << SLOT_BITS);

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
  #mask = 0;
  #end = 0;
  /** By number of the entry. */
  #slots = NO_SLOTS;

  /** `capacity`: the most that `resize` may ever ask for. */
  constructor(capacity: number) {
    this.#capacity = this.#sizeMax = capacity;
  }

  get sizeMax(): number {
    return this.#sizeMax;
  }

  /** What it holds beside its own object. */
  get heldBytes(): number {
    return this.bytes.length + (this.#slots === NO_SLOTS ? 0 : this.#slots.byteLength);
  }

  /** The line begins here, too. */
  nameStart(number: number): number {
    return this.#slots[((number & this.#mask) << SLOT_BITS) | NAME_START]!;
  }
  nameEnd(number: number): number {
    return this.#slots[((number & this.#mask) << SLOT_BITS) | NAME_END]!;
  }
  valueStart(number: number): number {
    return this.#slots[((number & this.#mask) << SLOT_BITS) | NAME_END]! + 2;
  }
  valueEnd(number: number): number {
    return this.#slots[((number & this.#mask) << SLOT_BITS) | VALUE_END]!;
  }

  /** What the reader of the fields has found out about the entry, in its own words; 0: nothing yet. */
  mark(number: number): number {
    return this.#slots[((number & this.#mask) << SLOT_BITS) | MARK]!;
  }
  setMark(number: number, mark: number): void {
    this.#slots[((number & this.#mask) << SLOT_BITS) | MARK] = mark;
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
    if (this.count === this.#slots.length >> SLOT_BITS || this.#slots === NO_SLOTS) this.#addSlots();
    const { bytes } = this;
    const slots = this.#slots;
    this.added = (this.added + 1) | 0;
    const slot = (this.added & this.#mask) << SLOT_BITS;
    slots[slot | NAME_START] = this.#end;
    let at = copyBytes(name, nameStart, nameEnd, bytes, this.#end);
    slots[slot | NAME_END] = at;
    bytes[at++] = COLON;
    bytes[at++] = SPACE;
    at = copyBytes(value, valueStart, valueEnd, bytes, at);
    slots[slot | VALUE_END] = at;
    bytes[at++] = CR;
    bytes[at++] = LF;
    this.#end = at;
    slots[slot | MARK] = 0;
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

  /** Each entry goes to the slot that its number has among more of them. */
  #addSlots(): void {
    const former = this.#slots;
    const formerMask = this.#mask;
    const count = former === NO_SLOTS ? FIRST_SLOTS : (formerMask + 1) * 2;
    this.#slots = new Int32Array(count << SLOT_BITS);
    this.#mask = count - 1;
    for (let i = 0; i < this.count; i++) {
      const number = this.added - i;
      const from = (number & formerMask) << SLOT_BITS;
      this.#slots.set(former.subarray(from, from + (1 << SLOT_BITS)), (number & this.#mask) << SLOT_BITS);
    }
  }

  /** The live lines are never more than half of a buffer that is full, so that they are moved to its front only once in a while. */
  #makeRoom(length: number): void {
    if (this.#end + length <= this.bytes.length) return;
    const from = this.count === 0 ? this.#end : this.nameStart(this.added - this.count + 1);
    const needed = 2 * (this.#end - from + length);
    const { bytes } = this;
    if (needed > bytes.length && bytes.length < this.#capacity * 2) {
      this.bytes = Buffer.allocUnsafeSlow(Math.min(this.#capacity * 2, Math.max(FIRST_BYTES, needed, bytes.length * 2)));
      bytes.copy(this.bytes, 0, from, this.#end);
    } else bytes.copyWithin(0, from, this.#end);
    for (let i = 0; i < this.count; i++) {
      const slot = ((this.added - i) & this.#mask) << SLOT_BITS;
      this.#slots[slot | NAME_START]! -= from;
      this.#slots[slot | NAME_END]! -= from;
      this.#slots[slot | VALUE_END]! -= from;
    }
    this.#end -= from;
  }
}
