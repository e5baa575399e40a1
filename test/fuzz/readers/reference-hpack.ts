/** HPACK read the plain way, with strings and a list for a table: what the decoder is held against. */
import { huffmanLength } from '../../../src/data-plane/parse/hpack-huffman.ts';
import { STATIC_COUNT, staticBytes, staticNameEnd, staticNameStart, staticValueEnd } from '../../../src/data-plane/parse/hpack-static-table.ts';

type Field = readonly [name: string, value: string];

/** Bits of each code to its byte: canonical, from the lengths alone, which eight of a byte tell. */
const byteOfCode = new Map<string, number>();
const lengths = Array.from({ length: 256 }, (_, byte) => huffmanLength(Buffer.alloc(8, byte), 0, 8));
let code = 0n;
for (let length = 1; length <= 30; length++) {
  code *= 2n;
  lengths.forEach((own, byte) => {
    if (own === length) byteOfCode.set((code++).toString(2).padStart(length, '0'), byte);
  });
}

const staticFields: Field[] = Array.from({ length: STATIC_COUNT }, (_, i) => [
  staticBytes.toString('latin1', staticNameStart[i + 1], staticNameEnd[i + 1]),
  staticBytes.toString('latin1', staticNameEnd[i + 1], staticValueEnd[i + 1]),
]);

function decodeText(bytes: Buffer): string | null {
  let bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  let text = '';
  while (bits.length > 0) {
    let length = 5;
    while (length <= Math.min(28 + 2, bits.length) && !byteOfCode.has(bits.slice(0, length))) length++;
    const byte = byteOfCode.get(bits.slice(0, length));
    if (byte === undefined) return bits.length < 8 && !bits.includes('0') ? text : null;
    text += String.fromCharCode(byte);
    bits = bits.slice(length);
  }
  return text;
}

/** Throws at what is malformed. */
export class ReferenceHpack {
  readonly table: Field[] = [];
  #sizeMax: number;
  readonly #limit: number;
  #bytes: Buffer = Buffer.alloc(0);
  #pos = 0;

  constructor(tableSize: number) {
    this.#limit = this.#sizeMax = tableSize;
  }

  decode(bytes: Buffer): Field[] {
    this.#bytes = bytes;
    this.#pos = 0;
    const fields: Field[] = [];
    while (this.#pos < bytes.length) {
      const byte = bytes[this.#pos]!;
      if (byte >= 128) fields.push(this.#entry(this.#integer(7)));
      else if (byte >= 64) {
        const field = this.#literal(6);
        fields.push(field);
        this.table.unshift(field);
        this.#evict();
      } else if (byte >= 32) {
        if (fields.length > 0) throw new Error('late');
        this.#sizeMax = this.#integer(5);
        if (this.#sizeMax > this.#limit) throw new Error('large');
        this.#evict();
      } else fields.push(this.#literal(4));
    }
    return fields;
  }

  #evict(): void {
    while (this.table.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0) > this.#sizeMax) this.table.pop();
  }

  #literal(prefix: number): Field {
    const index = this.#integer(prefix);
    const name = index === 0 ? this.#string() : this.#entry(index)[0];
    return [name, this.#string()];
  }

  #entry(index: number): Field {
    const field = index <= STATIC_COUNT ? staticFields[index - 1] : this.table[index - STATIC_COUNT - 1];
    if (field === undefined) throw new Error('no entry');
    return field;
  }

  #string(): string {
    if (this.#pos >= this.#bytes.length) throw new Error('cut');
    const isCoded = this.#bytes[this.#pos]! >= 128;
    const length = this.#integer(7);
    const part = this.#bytes.subarray(this.#pos, this.#pos + length);
    if (part.length < length) throw new Error('cut');
    this.#pos += length;
    const text = isCoded ? decodeText(part) : part.toString('latin1');
    if (text === null) throw new Error('code');
    return text;
  }

  #integer(prefix: number): number {
    const mask = 2 ** prefix - 1;
    let value = this.#bytes[this.#pos++]! & mask;
    if (value < mask) return value;
    for (let i = 0; i < 4; i++) {
      const byte = this.#bytes[this.#pos++];
      if (byte === undefined) throw new Error('cut');
      value += (byte & 127) * 128 ** i;
      if (byte < 128) return value;
    }
    throw new Error('large');
  }
}
