import { describe, expect, it } from 'vitest';
import { KeyedHash } from '../../src/base/keyed-hash.ts';

/** The authors' vectors: key 00 01 … 07, input of n bytes 00 01 02 …, result as bytes. */
const vectors = ['218d1f59b9b83cc8', 'be552412f8387315', '064f39ef7c50eb57', 'ce0f1a45f7060679', 'd5e78a175be52ea1', 'cb9d7c3f2f3db580', 'ce3e91358aa2bc25', 'ff202728b07bc684', 'edfee820bce4858c', '5b51cccc13888307'];

function hex(hash: KeyedHash, text: string): string {
  hash.of(text);
  const bytes = Buffer.alloc(8);
  bytes.writeInt32LE(hash.a, 0);
  bytes.writeInt32LE(hash.b, 4);
  return bytes.toString('hex');
}

describe('a keyed hash', () => {
  it.each(vectors.map((expected, length) => [length, expected] as const))('of %d bytes is that of its authors', (length, expected) => {
    const text = String.fromCharCode(...Array.from({ length }, (_, index) => index));
    expect(hex(new KeyedHash(0x03020100, 0x07060504), text)).toBe(expected);
  });

  it('depends on its key', () => {
    expect(hex(new KeyedHash(1, 2), '10.0.0.1')).not.toBe(hex(new KeyedHash(1, 3), '10.0.0.1'));
  });
});
