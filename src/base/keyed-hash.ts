/**
 * HalfSipHash-2-4 with 64 bits of result (Aumasson and Bernstein): a hash that
 * nobody can aim without its key. For tables whose keys clients choose, and
 * which trust the hash to stand for the key. Each process has a key of its own,
 * so nothing that leaves the process may depend on it (base/hash.ts is for that).
 */
export class KeyedHash {
  readonly #k0: number;
  readonly #k1: number;
  /** What the last `of` came to, as two int32: fields, so that a hash allocates nothing. */
  a = 0;
  b = 0;

  constructor(k0: number, k1: number) {
    this.#k0 = k0 | 0;
    this.#k1 = k1 | 0;
  }

  /** Of the low bytes of the text's UTF-16 code units (heads are latin1). The result stands in `a` and `b`. */
  of(text: string): void {
    const { length } = text;
    const words = length >> 2;
    let v0 = this.#k0;
    let v1 = this.#k1 ^ 0xee;
    let v2 = 0x6c796765 ^ this.#k0;
    let v3 = 0x74656462 ^ this.#k1;
    // The words of the text, its tail with its length, and two rounds of ending.
    for (let step = 0; step < words + 3; step++) {
      let m = 0;
      let rounds = 2;
      if (step <= words) m = step < words ? wordAt(text, step * 4) : tailOf(text);
      else {
        rounds = 4;
        if (step === words + 1) v2 ^= 0xee;
        else {
          this.a = v1 ^ v3;
          v1 ^= 0xdd;
        }
      }
      v3 ^= m;
      for (; rounds > 0; rounds--) {
        v0 = (v0 + v1) | 0;
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
        v0 = (v0 << 16) | (v0 >>> 16);
        v2 = (v2 + v3) | 0;
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
        v0 = (v0 + v3) | 0;
        v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
        v2 = (v2 + v1) | 0;
        v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
        v2 = (v2 << 16) | (v2 >>> 16);
      }
      v0 ^= m;
    }
    this.b = v1 ^ v3;
  }
}

function wordAt(text: string, at: number): number {
  return byteAt(text, at) | (byteAt(text, at + 1) << 8) | (byteAt(text, at + 2) << 16) | (byteAt(text, at + 3) << 24);
}

/** The bytes after the last whole word, and the length. */
function tailOf(text: string): number {
  let word = (text.length & 0xff) << 24;
  for (let i = text.length & ~3, shift = 0; i < text.length; i++, shift += 8) word |= byteAt(text, i) << shift;
  return word;
}

function byteAt(text: string, at: number): number {
  return text.charCodeAt(at) & 0xff;
}
