/**
 * Encodes field blocks of HPACK (RFC 7541). One for each connection. A field
 * enters the table the second time it is seen, so that what differs in every
 * answer does not drive out what is always the same.
 */
import { hashStep, HASH_START } from './field-names.ts';
import { encodeHuffman, huffmanLength } from './hpack-huffman.ts';
import { STATIC_COUNT, staticNameIndex, staticStatusIndex, STATUS_NAME_INDEX } from './hpack-static-table.ts';
import { ENTRY_OVERHEAD_BYTES, HpackTable } from './hpack-table.ts';
import type { OutBytes } from './out-bytes.ts';

/** The most of the table that the peer offers which is used. */
export const ENCODER_TABLE_BYTES_MAX = 4096;
/** A larger field would drive out too many others. */
const ADDED_BYTES_MAX = 1024;
/** Hashes last seen, and numbers of entries, by the hash's lowest bits. */
const SLOTS = 256;
/** A length's prefix and its further bytes, twice, and the field's first byte. */
const FIELD_OVERHEAD_BYTES = 16;
/** Beyond it the code's work is not worth its bytes. */
const CODED_BYTES_MAX = 4 * 1024;

const LITERAL = 0x00;
const NEVER_INDEXED = 0x10;
const RESIZE = 0x20;
const ADDED = 0x40;
const INDEXED = 0x80;

/** In lower case; module-wide, because an encode is never interrupted. */
let nameBytes = Buffer.allocUnsafeSlow(256);
const digits = Buffer.alloc(3);

export class HpackEncoder {
  readonly table = new HpackTable(ENCODER_TABLE_BYTES_MAX);
  /** A change of the table's size that is still to be told: the smallest and the last (§4.2); -1: none. */
  #smallestSize = -1;
  #lastSize = ENCODER_TABLE_BYTES_MAX;
  readonly #seen = new Int32Array(SLOTS);
  readonly #numbers = new Float64Array(SLOTS);

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
    putString(out, digits, 0, 3);
  }

  /** A field whose name may be in any case. `isSecret`: it must not be in anybody's table (§7.1.3). */
  field(out: OutBytes, bytes: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number, isSecret = false): void {
    this.namedField(out, bytes, nameStart, nameEnd, bytes, valueStart, valueEnd, isSecret);
  }

  /** The same with a name that stands elsewhere. */
  namedField(out: OutBytes, name: Buffer, nameStart: number, nameEnd: number, bytes: Buffer, valueStart: number, valueEnd: number, isSecret = false): void {
    const nameLength = nameEnd - nameStart;
    const valueLength = valueEnd - valueStart;
    out.reserve(FIELD_OVERHEAD_BYTES + nameLength + valueLength);
    if (nameBytes.length < nameLength) nameBytes = Buffer.allocUnsafeSlow(nameLength * 2);
    let hash = HASH_START;
    for (let i = 0; i < nameLength; i++) {
      let byte = name[nameStart + i]!;
      if (byte >= 65 && byte <= 90) byte |= 32;
      nameBytes[i] = byte;
      hash = hashStep(hash, byte);
    }
    const nameIndex = staticNameIndex(nameBytes, 0, nameLength, hash);
    if (isSecret || nameLength + valueLength > ADDED_BYTES_MAX) {
      return putLiteral(out, isSecret ? NEVER_INDEXED : LITERAL, 0x0f, nameIndex, nameLength, bytes, valueStart, valueEnd);
    }
    hash = hashStep(hash, 58);
    for (let i = valueStart; i < valueEnd; i++) hash = hashStep(hash, bytes[i]!);
    const slot = (hash ^ (hash >>> 13)) & (SLOTS - 1);
    const index = this.#indexOf(this.#numbers[slot]!, nameLength, bytes, valueStart, valueEnd);
    if (index !== 0) return putInteger(out, INDEXED, 0x7f, index);
    const isAdded = this.#seen[slot] === hash && nameLength + valueLength + ENTRY_OVERHEAD_BYTES <= this.table.sizeMax;
    this.#seen[slot] = hash;
    if (!isAdded) return putLiteral(out, LITERAL, 0x0f, nameIndex, nameLength, bytes, valueStart, valueEnd);
    putLiteral(out, ADDED, 0x3f, nameIndex, nameLength, bytes, valueStart, valueEnd);
    this.table.add(nameBytes, 0, nameLength, bytes, valueStart, valueEnd);
    this.#numbers[slot] = this.table.added;
  }

  /** Index of entry `number` if it is still there and is the field in `nameBytes` and bytes[start, end); 0 otherwise. */
  #indexOf(number: number, nameLength: number, bytes: Buffer, start: number, end: number): number {
    const { table } = this;
    const age = table.added - number;
    if (number === 0 || age >= table.count) return 0;
    const valueStart = table.valueStart(number);
    if (valueStart - table.nameStart(number) !== nameLength || table.valueEnd(number) - valueStart !== end - start) return 0;
    const isSame = isEqual(table.bytes, table.nameStart(number), nameBytes, 0, nameLength) && isEqual(table.bytes, valueStart, bytes, start, end);
    return isSame ? STATIC_COUNT + 1 + age : 0;
  }
}

function isEqual(a: Uint8Array, from: number, b: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (a[from + i - start] !== b[i]) return false;
  return true;
}

function putLiteral(out: OutBytes, kind: number, mask: number, nameIndex: number, nameLength: number, bytes: Buffer, start: number, end: number): void {
  putInteger(out, kind, mask, nameIndex);
  if (nameIndex === 0) putString(out, nameBytes, 0, nameLength);
  putString(out, bytes, start, end);
}

/** Coded if that is shorter. */
function putString(out: OutBytes, bytes: Buffer, start: number, end: number): void {
  const length = end - start;
  const coded = length <= CODED_BYTES_MAX ? huffmanLength(bytes, start, end) : length;
  if (coded < length) {
    putInteger(out, 0x80, 0x7f, coded);
    out.length = encodeHuffman(bytes, start, end, out.bytes, out.length);
  } else {
    putInteger(out, 0, 0x7f, length);
    out.length += bytes.copy(out.bytes, out.length, start, end);
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
