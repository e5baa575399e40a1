/** The check values of RFC 3720 §B.4 and of the CRC catalogue. */
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../src/base/crc32c.ts';

const whole = (bytes: Uint8Array): number => crc32c(bytes, 0, bytes.length);

describe('CRC-32C', () => {
  it.each([
    ['123456789', Buffer.from('123456789'), 0xe3069283],
    ['nothing', Buffer.alloc(0), 0],
    ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
    ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['0 to 31', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
  ])('of %s', (_, bytes, expected) => {
    expect(whole(bytes)).toBe(expected);
  });

  it('takes four bytes as zeros, and only [start, end)', () => {
    const bytes = Buffer.from('123456789');
    const zeroed = Buffer.from('12\0\0\0\x00789');
    expect(crc32c(bytes, 0, bytes.length, 2)).toBe(whole(zeroed));
    expect(crc32c(Buffer.from('xx123456789y'), 2, 11)).toBe(whole(bytes));
  });
});
