/** Bytes → the text of a config. Never throws. */
import { isUtf8 } from 'node:buffer';

/** Larger files are refused: nothing an operator writes comes near it. */
export const CONFIG_BYTES_MAX = 16 * 1024 * 1024;

export interface DecodedText {
  /** Without byte order mark. Where `problem` is about the encoding, decoded as well as it goes, for the code frame. */
  readonly text: string;
  readonly problem: { readonly at: number; readonly message: string; readonly expected: string } | null;
}

/** Strict UTF-8 without byte order mark; null if it is not. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  return isUtf8(bytes) ? new TextDecoder().decode(bytes) : null;
}

/** Checks size and encoding. Text that is a string already is checked the same way. */
export function decodeText(input: string | Uint8Array): DecodedText {
  const size = typeof input === 'string' ? Buffer.byteLength(input) : input.byteLength;
  if (size > CONFIG_BYTES_MAX) {
    return { text: '', problem: { at: 0, message: `the file is larger than 16 MiB (${size} bytes)`, expected: '16 MiB at most' } };
  }
  const text = typeof input === 'string' ? input.replace(/^\uFEFF/, '') : decodeUtf8(input);
  if (text === null) return explainEncoding(input as Uint8Array);
  const nul = text.indexOf('\0');
  if (nul !== -1) return { text, problem: { at: nul, message: 'the file holds a NUL character', expected: 'YAML text; is this a binary file?' } };
  return { text, problem: null };
}

function explainEncoding(bytes: Uint8Array): DecodedText {
  const mark = `${bytes[0] ?? 0} ${bytes[1] ?? 0}`;
  if (mark === '255 254' || mark === '254 255') {
    return { text: '', problem: { at: 0, message: 'the file is UTF-16', expected: 'a file saved as UTF-8' } };
  }
  // A line feed byte is never part of another character, so the first bad line can be found by itself.
  let start = 0;
  for (;;) {
    const feed = bytes.indexOf(10, start);
    const end = feed === -1 ? bytes.length : feed;
    if (!isUtf8(bytes.subarray(start, end)) || feed === -1) break;
    start = feed + 1;
  }
  const decoder = new TextDecoder();
  const before = decoder.decode(bytes.subarray(0, start)).length;
  const text = decoder.decode(bytes);
  const at = Math.max(before, text.indexOf('\uFFFD', before));
  return { text, problem: { at, message: 'the file is not valid UTF-8 from here on', expected: 'a file saved as UTF-8' } };
}
