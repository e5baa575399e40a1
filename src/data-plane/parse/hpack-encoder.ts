/**
 * Encodes field blocks of HPACK (RFC 7541). One for each connection. A field
 * enters the table the second time it is seen, so that what differs in every
 * answer does not drive out what is always the same. Only what enters the table
 * is coded by Huffman: it is coded once, and everything else would be each time.
 * What it keeps beside the table begins small: few connections have many answers.
 */
import { COLON, copyBytes } from './bytes.ts';
import { hashStep, HASH_START } from './field-names.ts';
import { encodeHuffman, huffmanLength } from './hpack-huffman.ts';
import { STATIC_COUNT, staticNameIndex, staticStatusIndex, STATUS_NAME_INDEX } from './hpack-static-table.ts';
import { ENTRY_OVERHEAD_BYTES, HpackTable } from './hpack-table.ts';
import type { OutBytes } from './out-bytes.ts';

/** The most of the table that the peer offers which is used. */
export const ENCODER_TABLE_BYTES_MAX = 4096;
/** A larger field would drive out too many others. */
const ADDED_BYTES_MAX = 1024;
/** Hashes last seen, and numbers of entries, by the hash's lowest bits: so many of each at first, and once so many hashes have taken another's place. */
const FIRST_SLOTS = 64;
const SLOTS = 256;
const TAKEN_MAX = 4;
/**
 * What a slot has is in four bytes, each in a part of its own: 8 bits of each
 * number, for the table has no more entries; 16 of the hash, since a field that
 * is taken for another enters the table too early, and that is all.
 */
const PARTS = 4;
const NO_SLOTS = new Uint8Array(PARTS);
/** Entries of known lines, by the lowest bits of the id. A table of 4 KiB has some 60. */
const KNOWN_SLOTS = 128;
const KNOWN_BYTES = KNOWN_SLOTS * 12;
/** A length's prefix and its further bytes, twice, and the field's first byte. */
const FIELD_OVERHEAD_BYTES = 16;

/** Its product has what differs in its highest bits. */
const HASH_SPREAD = 0x9e3779b1;

const LITERAL = 0x00;
const NEVER_INDEXED = 0x10;
const RESIZE = 0x20;
const ADDED = 0x40;
const INDEXED = 0x80;

/** Of each byte, in lower case if it is a letter. */
const LOWER = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) LOWER[byte] = byte >= 65 && byte <= 90 ? byte | 32 : byte;

/** In lower case; module-wide, because an encode is never interrupted. */
let nameBytes = Buffer.allocUnsafeSlow(256);
const digits = Buffer.alloc(3);

export class HpackEncoder {
  readonly table = new HpackTable(ENCODER_TABLE_BYTES_MAX);
  /** A change of the table's size that is still to be told: the smallest and the last (§4.2); -1: none. */
  #smallestSize = -1;
  #lastSize = ENCODER_TABLE_BYTES_MAX;
  /** In each part. */
  #slotCount = 1;
  #taken = 0;
  /**
   * Numbers of entries by the hash of the whole field, then the same by a few
   * of its bytes, which usually suffice to find it, then hashes seen, in halves.
   */
  #slots: Uint8Array = NO_SLOTS;
  /** And by the id of a known line; null until there is one. */
  #known: { readonly ids: Float64Array; readonly numbers: Int32Array } | null = null;
  /** The field last put is an entry, with this number. */
  #isEntry = false;
  #lastNumber = 0;

  /** What it holds beside its own objects. */
  get heldBytes(): number {
    return this.table.heldBytes + (this.#slotCount === 1 ? 0 : this.#slots.length) + (this.#known === null ? 0 : KNOWN_BYTES);
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setTableSize(offered: number): void {
    const size = Math.min(offered, ENCODER_TABLE_BYTES_MAX);
    if (size === this.#lastSize) return;
    this.#lastSize = size;
    this.#smallestSize = this.#smallestSize === -1 ? size : Math.min(size, this.#smallestSize);
  }

  /** Begins a block. */
  begin(out: OutBytes): void {
    if (this.#smallestSize === -1) return;
    out.reserve(FIELD_OVERHEAD_BYTES);
    if (this.#smallestSize < this.#lastSize) this.#resize(out, this.#smallestSize);
    this.#resize(out, this.#lastSize);
    this.#smallestSize = -1;
  }

  #resize(out: OutBytes, size: number): void {
    this.table.resize(size);
    putInteger(out, RESIZE, 0x1f, size);
  }

  /** The pseudo-field, which comes first. */
  status(out: OutBytes, status: number): void {
    out.reserve(FIELD_OVERHEAD_BYTES);
    const index = staticStatusIndex[status]!;
    if (index !== 0) {
      out.bytes[out.length++] = INDEXED | index;
      return;
    }
    digits.write(String(status), 'latin1');
    putInteger(out, LITERAL, 0x0f, STATUS_NAME_INDEX);
    putString(out, digits, 0, 3, false);
  }

  /** A field whose name may be in any case. `isSecret`: it must not be in anybody's table (§7.1.3). */
  field(out: OutBytes, bytes: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number, isSecret = false): void {
    this.namedField(out, bytes, nameStart, nameEnd, bytes, valueStart, valueEnd, isSecret);
  }

  /** The same with a name that stands elsewhere. */
  namedField(out: OutBytes, name: Buffer, nameStart: number, nameEnd: number, bytes: Buffer, valueStart: number, valueEnd: number, isSecret = false): void {
    const length = nameEnd - nameStart + valueEnd - valueStart;
    out.reserve(FIELD_OVERHEAD_BYTES + length);
    if (isSecret || length > ADDED_BYTES_MAX) {
      const hash = takeName(name, nameStart, nameEnd);
      return putLiteral(out, isSecret ? NEVER_INDEXED : LITERAL, hash, nameEnd - nameStart, bytes, valueStart, valueEnd);
    }
    const likely = this.#slotCount + (likelyHash(name, nameStart, nameEnd, bytes, valueStart, valueEnd) & (this.#slotCount - 1));
    const number = this.#numberAt(likely);
    if (this.#isField(number, name, nameStart, nameEnd, bytes, valueStart, valueEnd)) this.#putIndex(out, number);
    else this.#putUnlikely(out, name, nameStart, nameEnd, bytes, valueStart, valueEnd);
  }

  /** The same of a line with this id of known-lines.ts, not a secret one: where its entry is known nothing of it is looked at. */
  knownField(out: OutBytes, id: number, bytes: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const at = id & (KNOWN_SLOTS - 1);
    const known = this.#known;
    if (known !== null && known.ids[at] === id && this.table.holds(known.numbers[at]!)) {
      out.reserve(FIELD_OVERHEAD_BYTES);
      return this.#putIndex(out, known.numbers[at]!);
    }
    this.#isEntry = false;
    this.field(out, bytes, nameStart, nameEnd, valueStart, valueEnd);
    if (!this.#isEntry) return;
    const { ids, numbers } = (this.#known ??= { ids: new Float64Array(KNOWN_SLOTS), numbers: new Int32Array(KNOWN_SLOTS) });
    ids[at] = id;
    numbers[at] = this.#lastNumber;
  }

  /** A field that is another each time, which is not worth a look. */
  uniqueField(out: OutBytes, bytes: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    out.reserve(FIELD_OVERHEAD_BYTES + nameEnd - nameStart + valueEnd - valueStart);
    const hash = takeName(bytes, nameStart, nameEnd);
    putLiteral(out, LITERAL, hash, nameEnd - nameStart, bytes, valueStart, valueEnd);
  }

  /** Not where it is likely to be: it is new, or another one has that slot. */
  #putUnlikely(out: OutBytes, name: Buffer, nameStart: number, nameEnd: number, bytes: Buffer, valueStart: number, valueEnd: number): void {
    if (this.#slotCount === 1 || (this.#taken > TAKEN_MAX && this.#slotCount < SLOTS)) this.#addSlots();
    const count = this.#slotCount;
    const slots = this.#slots;
    const nameLength = nameEnd - nameStart;
    const nameHash = takeName(name, nameStart, nameEnd);
    const hash = valueHash(nameHash, bytes, valueStart, valueEnd);
    const slot = slotOf(hash) & (count - 1);
    const likely = count + (likelyHash(name, nameStart, nameEnd, bytes, valueStart, valueEnd) & (count - 1));
    const number = this.#numberAt(slot);
    if (this.#isField(number, name, nameStart, nameEnd, bytes, valueStart, valueEnd)) {
      slots[likely] = number;
      return this.#putIndex(out, number);
    }
    const tag = Math.imul(hash, HASH_SPREAD);
    // Never 0, which is where nothing was seen.
    const high = (tag >>> 24) | 1;
    const low = (tag >>> 16) & 0xff;
    const at = 2 * count + slot;
    const isSeen = slots[at] === high && slots[at + count] === low;
    if (!isSeen && slots[at] !== 0) this.#taken++;
    slots[at] = high;
    slots[at + count] = low;
    const isAdded = isSeen && nameLength + valueEnd - valueStart + ENTRY_OVERHEAD_BYTES <= this.table.sizeMax;
    putLiteral(out, isAdded ? ADDED : LITERAL, nameHash, nameLength, bytes, valueStart, valueEnd);
    if (!isAdded) return;
    this.table.add(nameBytes, 0, nameLength, bytes, valueStart, valueEnd);
    slots[slot] = slots[likely] = this.#lastNumber = this.table.added;
    this.#isEntry = true;
    // Numbers begin anew: by id an entry is not compared, so none of before may be taken for one of after.
    if (this.table.added === 0) this.#known = null;
  }

  /** Of the numbers that entries may have now, the one with these last 8 bits. */
  #numberAt(slot: number): number {
    const { added } = this.table;
    return (added - ((added - this.#slots[slot]!) & 0xff)) | 0;
  }

  /** Of a hash that was seen two bits of its slot are not known: it is put in all it may have. */
  #addSlots(): void {
    const { table } = this;
    const former = this.#slots;
    const formerCount = this.#slotCount;
    const count = (this.#slotCount = formerCount === 1 ? FIRST_SLOTS : SLOTS);
    this.#slots = new Uint8Array(PARTS * count);
    if (formerCount > 1) for (let part = 2; part < PARTS; part++) for (let at = part * count; at < (part + 1) * count; at += formerCount) this.#slots.set(former.subarray(part * formerCount, (part + 1) * formerCount), at);
    for (let i = table.count - 1; i >= 0; i--) {
      const number = (table.added - i) | 0;
      const { bytes } = table;
      const [nameStart, nameEnd, valueStart, valueEnd] = [table.nameStart(number), table.nameEnd(number), table.valueStart(number), table.valueEnd(number)];
      const hash = valueHash(takeName(bytes, nameStart, nameEnd), bytes, valueStart, valueEnd);
      this.#slots[slotOf(hash) & (count - 1)] = number;
      this.#slots[count + (likelyHash(bytes, nameStart, nameEnd, bytes, valueStart, valueEnd) & (count - 1))] = number;
    }
  }

  #putIndex(out: OutBytes, number: number): void {
    this.#isEntry = true;
    this.#lastNumber = number;
    putInteger(out, INDEXED, 0x7f, STATIC_COUNT + 1 + ((this.table.added - number) | 0));
  }

  /** Entry `number` is in the table, and is this field. */
  #isField(number: number, name: Buffer, nameStart: number, nameEnd: number, bytes: Buffer, valueStart: number, valueEnd: number): boolean {
    const { table } = this;
    if (!table.holds(number)) return false;
    const nameAt = table.nameStart(number);
    const valueAt = table.valueStart(number);
    const nameLength = nameEnd - nameStart;
    const valueLength = valueEnd - valueStart;
    if (table.nameEnd(number) - nameAt !== nameLength || table.valueEnd(number) - valueAt !== valueLength) return false;
    const held = table.bytes;
    for (let i = 0; i < nameLength; i++) if (held[nameAt + i] !== LOWER[name[nameStart + i]!]) return false;
    return isSame(held, valueAt, bytes, valueStart, valueLength);
  }
}

/** Four at a time: a branch for each byte costs more than its load. */
function isSame(held: Buffer, at: number, bytes: Buffer, start: number, length: number): boolean {
  let i = 0;
  for (const last = length - 4; i <= last; i += 4) {
    const a = at + i;
    const b = start + i;
    if (((held[a]! ^ bytes[b]!) | (held[a + 1]! ^ bytes[b + 1]!) | (held[a + 2]! ^ bytes[b + 2]!) | (held[a + 3]! ^ bytes[b + 3]!)) !== 0) return false;
  }
  for (; i < length; i++) if (held[at + i] !== bytes[start + i]) return false;
  return true;
}

/** By the lengths and the bytes that fields are most likely to differ in: the ends. */
function likelyHash(name: Buffer, nameStart: number, nameEnd: number, bytes: Buffer, valueStart: number, valueEnd: number): number {
  let hash = Math.imul(nameEnd - nameStart, 31) + valueEnd - valueStart;
  if (nameEnd > nameStart) hash = Math.imul(hash, 31) + LOWER[name[nameStart]!]! + (LOWER[name[nameEnd - 1]!]! << 3);
  if (valueEnd > valueStart) hash = Math.imul(hash, 31) + bytes[valueStart]! + (bytes[(valueStart + valueEnd) >> 1]! << 2) + (bytes[valueEnd - 1]! << 4);
  return hash ^ (hash >>> 8);
}

/** Of a whole field; `nameHash` is that of its name. */
function valueHash(nameHash: number, bytes: Buffer, start: number, end: number): number {
  let hash = hashStep(nameHash, COLON);
  for (let i = start; i < end; i++) hash = hashStep(hash, bytes[i]!);
  return hash;
}

/** Its lowest bits are the slot. */
function slotOf(hash: number): number {
  return hash ^ (hash >>> 13);
}

/** The name goes to `nameBytes`, in lower case; returns its hash. */
function takeName(name: Buffer, start: number, end: number): number {
  const length = end - start;
  if (nameBytes.length < length) nameBytes = Buffer.allocUnsafeSlow(length * 2);
  let hash = HASH_START;
  for (let i = 0; i < length; i++) {
    const byte = LOWER[name[start + i]!]!;
    nameBytes[i] = byte;
    hash = hashStep(hash, byte);
  }
  return hash;
}

/** The name is in `nameBytes`. */
function putLiteral(out: OutBytes, kind: number, nameHash: number, nameLength: number, bytes: Buffer, start: number, end: number): void {
  const nameIndex = staticNameIndex(nameBytes, 0, nameLength, nameHash);
  const isCoded = kind === ADDED;
  putInteger(out, kind, isCoded ? 0x3f : 0x0f, nameIndex);
  if (nameIndex === 0) putString(out, nameBytes, 0, nameLength, isCoded);
  putString(out, bytes, start, end, isCoded);
}

/** `mayCode`: coded if that is shorter. */
function putString(out: OutBytes, bytes: Buffer, start: number, end: number, mayCode: boolean): void {
  const length = end - start;
  const coded = mayCode ? huffmanLength(bytes, start, end) : length;
  if (coded < length) {
    putInteger(out, 0x80, 0x7f, coded);
    out.length = encodeHuffman(bytes, start, end, out.bytes, out.length);
  } else {
    putInteger(out, 0, 0x7f, length);
    out.length = copyBytes(bytes, start, end, out.bytes, out.length);
  }
}

/** `value` behind the bits of `kind` (§5.1). */
function putInteger(out: OutBytes, kind: number, mask: number, value: number): void {
  const { bytes } = out;
  if (value < mask) {
    bytes[out.length++] = kind | value;
    return;
  }
  bytes[out.length++] = kind | mask;
  let left = value - mask;
  while (left >= 0x80) {
    bytes[out.length++] = (left & 0x7f) | 0x80;
    left >>>= 7;
  }
  bytes[out.length++] = left;
}
