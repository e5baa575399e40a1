/** Bytes as they are written in the config: text (UTF-8), or `hex:` and digits. Options stay text, which is plain JSON. */
import { z } from 'zod';

const HEX = /^hex:/;
const HEX_DIGITS = /^hex:[ :]*(?:[0-9a-fA-F]{2}[ :]*)+$/;

/** An option that holds bytes; '': none. */
export const byteText = z.string().max(4096, { error: 'is longer than 4096 characters' }).refine((text) => !HEX.test(text) || HEX_DIGITS.test(text), { error: 'hex: takes pairs of hexadecimal digits' });

export function bytesOf(text: string): Buffer {
  return HEX.test(text) ? Buffer.from(text.slice('hex:'.length).replaceAll(/[ :]/g, ''), 'hex') : Buffer.from(text, 'utf8');
}
