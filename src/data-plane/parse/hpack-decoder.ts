/**
 * Decodes field blocks of HPACK (RFC 7541). One for each connection, for the
 * table lives as long as that. Every block must be decoded to its end, wanted
 * or not, or the two ends' tables part.
 */
import { copyBytes } from './bytes.ts';
import { decodedLengthMax, decodeHuffman } from './hpack-huffman.ts';
import { STATIC_COUNT, staticBytes, staticNameEnd, staticNameStart, staticValueEnd } from './hpack-static-table.ts';
import { HpackTable } from './hpack-table.ts';

/** Takes the fields of a block in order. The bytes are valid during the call alone. */
export interface FieldSink {
  onField(name: Buffer, nameStart: number, nameEnd: number, value: Buffer, valueStart: number, valueEnd: number): void;
}

/** Takes entries of the dynamic table by themselves, for those of which it knows already what they say. */
export interface EntrySink extends FieldSink {
  /** Entry `number` of the table, which stays as it is up to the next field that is none. False: it is told as a field, please. */
  onEntry(table: HpackTable, number: number): boolean;
}

/** An integer takes at most so many bytes behind its prefix: no length or index is near 2^28. */
const INTEGER_BYTES_MAX = 4;
const SCRATCH_BYTES = 64 * 1024;
const NO_BYTES = Buffer.alloc(0);

/** Where coded strings are decoded to, a name and behind it a value; module-wide, because a decode is never interrupted. */
let scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

export class HpackDecoder {
  readonly table: HpackTable;
  readonly #sizeLimit: number;
  // The string or integer last read.
  #pos = 0;
  #bytes: Buffer = NO_BYTES;
  #start = 0;
  #end = 0;
  #scratchLength = 0;

  /** `tableSize`: what SETTINGS_HEADER_TABLE_SIZE told the peer. */
  constructor(tableSize: number) {
    this.#sizeLimit = tableSize;
    this.table = new HpackTable(tableSize);
  }

  /** Decodes bytes[start, end), one whole block. False: it is malformed, and the connection of no use any more (COMPRESSION_ERROR). */
  decode(bytes: Buffer, start: number, end: number, sink: FieldSink, entries: EntrySink | null = null): boolean {
    // A name of the table beside what the block itself can hold.
    const most = this.#sizeLimit + decodedLengthMax(end - start);
    if (scratch.length < most) scratch = Buffer.allocUnsafeSlow(most);
    this.#pos = start;
    let mayResize = true;
    while (this.#pos < end) {
      const byte = bytes[this.#pos]!;
      const isResize = (byte & 0xe0) === 0x20;
      if (isResize ? !mayResize || !this.#resize(bytes, end) : !this.#takeField(bytes, end, byte, sink, entries)) return false;
      // A new size stands before the first field (§4.2).
      mayResize &&= isResize;
    }
    // The bytes may be a small part of what the runtime reads many connections into.
    this.#bytes = NO_BYTES;
    return true;
  }

  #resize(bytes: Buffer, end: number): boolean {
    const size = this.#integer(bytes, end, 0x1f);
    if (size < 0 || size > this.#sizeLimit) return false;
    this.table.resize(size);
    return true;
  }

  #takeField(bytes: Buffer, end: number, byte: number, sink: FieldSink, entries: EntrySink | null): boolean {
    if (byte >= 0x80) return this.#takeIndexed(bytes, end, sink, entries);
    const isAdded = (byte & 0x40) !== 0;
    const index = this.#integer(bytes, end, isAdded ? 0x3f : 0x0f);
    this.#scratchLength = 0;
    if (index === 0 ? !this.#string(bytes, end) : !this.#nameAt(index)) return false;
    const name = this.#bytes;
    const nameStart = this.#start;
    const nameEnd = this.#end;
    if (!this.#string(bytes, end)) return false;
    sink.onField(name, nameStart, nameEnd, this.#bytes, this.#start, this.#end);
    if (isAdded) this.table.add(name, nameStart, nameEnd, this.#bytes, this.#start, this.#end);
    return true;
  }

  #takeIndexed(bytes: Buffer, end: number, sink: FieldSink, entries: EntrySink | null): boolean {
    const index = this.#integer(bytes, end, 0x7f);
    if (index < 1) return false;
    if (index <= STATIC_COUNT) {
      const nameEnd = staticNameEnd[index]!;
      sink.onField(staticBytes, staticNameStart[index]!, nameEnd, staticBytes, nameEnd, staticValueEnd[index]!);
      return true;
    }
    const { table } = this;
    if (index - STATIC_COUNT > table.count) return false;
    const number = (table.added - (index - STATIC_COUNT - 1)) | 0;
    if (entries === null || !entries.onEntry(table, number)) {
      sink.onField(table.bytes, table.nameStart(number), table.nameEnd(number), table.bytes, table.valueStart(number), table.valueEnd(number));
    }
    return true;
  }

  /** The name of an entry. One of the dynamic table is copied: adding the field may move or end that entry. */
  #nameAt(index: number): boolean {
    if (index < 1) return false;
    if (index <= STATIC_COUNT) {
      this.#bytes = staticBytes;
      this.#start = staticNameStart[index]!;
      this.#end = staticNameEnd[index]!;
      return true;
    }
    const { table } = this;
    if (index - STATIC_COUNT > table.count) return false;
    const number = (table.added - (index - STATIC_COUNT - 1)) | 0;
    this.#start = this.#scratchLength;
    this.#end = this.#scratchLength = copyBytes(table.bytes, table.nameStart(number), table.nameEnd(number), scratch, this.#start);
    this.#bytes = scratch;
    return true;
  }

  #string(bytes: Buffer, end: number): boolean {
    if (this.#pos >= end) return false;
    const isCoded = bytes[this.#pos]! >= 0x80;
    const length = this.#integer(bytes, end, 0x7f);
    const start = this.#pos;
    if (length < 0 || length > end - start) return false;
    this.#pos = start + length;
    if (!isCoded) {
      this.#bytes = bytes;
      this.#start = start;
      this.#end = start + length;
      return true;
    }
    this.#start = this.#scratchLength;
    this.#bytes = scratch;
    this.#end = decodeHuffman(bytes, start, start + length, scratch, this.#start);
    this.#scratchLength = this.#end;
    return this.#end >= 0;
  }

  /** The integer at #pos whose first byte has `mask` for a prefix (§5.1); -1 if it is cut off or too large. */
  #integer(bytes: Uint8Array, end: number, mask: number): number {
    let value = bytes[this.#pos++]! & mask;
    if (value < mask) return value;
    for (let i = 0; i < INTEGER_BYTES_MAX; i++) {
      if (this.#pos >= end) return -1;
      const byte = bytes[this.#pos++]!;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    return -1;
  }
}
