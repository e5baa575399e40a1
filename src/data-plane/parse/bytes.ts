/** Byte classes of HTTP/1.1 (RFC 9110 §5.5, §5.6.2) as lookup tables: one load per byte beats any comparison chain. */

export const CR = 13;
export const LF = 10;
export const SPACE = 32;
export const TAB = 9;
export const COLON = 58;
export const SLASH = 47;

/**
 * For each byte of a token its lower-case form with "_" folded to "-"; 0 for a
 * byte that no token may hold. The folding is for finding disguises: many
 * origins read `X_Forwarded_For` as `X-Forwarded-For`.
 */
export const TOKEN_FOLDED = new Uint8Array(256);

/** 1 for a byte that may stand in a token. */
export const TOKEN = new Uint8Array(256);

/** 1 for a byte that may stand in a field value: HTAB, SP, VCHAR, obs-text. */
export const FIELD_VALUE = new Uint8Array(256);

/** 1 for a byte that may stand in a request target: visible ASCII without "#", which never leaves a client. */
export const TARGET = new Uint8Array(256);

/** Value of a hexadecimal digit; 255 for any other byte. */
export const HEX_VALUE = new Uint8Array(256).fill(255);

for (const char of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  const byte = char.charCodeAt(0);
  TOKEN[byte] = 1;
  TOKEN_FOLDED[byte] = char === '_' ? 45 : char.toLowerCase().charCodeAt(0);
}
FIELD_VALUE[TAB] = 1;
for (let byte = 32; byte < 256; byte++) if (byte !== 127) FIELD_VALUE[byte] = 1;
for (let byte = 33; byte < 127; byte++) if (byte !== 35) TARGET[byte] = 1;
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  HEX_VALUE[digit.charCodeAt(0)] = value;
  HEX_VALUE[digit.toUpperCase().charCodeAt(0)] = value;
}

/** Results of a parser that are no position. All are below 1, so one comparison tells. */
export const INCOMPLETE = 0;
export const MALFORMED = -1;
export const HEAD_TOO_LARGE = -2;
export const TARGET_TOO_LONG = -3;
export const NOT_IMPLEMENTED = -4;
export const VERSION_UNSUPPORTED = -5;

/** The text of bytes[start, end): heads are latin1 throughout, one byte a character. */
export function latin1(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('latin1', start, end);
}

/** Up to so many bytes are copied by a loop: a call into the runtime costs more (60 ns). */
const LOOP_BYTES_MAX = 24;

/** Copies from[start, end) to `to` at `at`, where there is room; returns the end. */
export function copyBytes(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  const length = end - start;
  if (length > LOOP_BYTES_MAX) from.copy(to, at, start, end);
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i]!;
  return at + length;
}

/** True if bytes[start, end) equal `word` (lower case), letters compared without case. */
export function equalsWord(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) {
    let byte = bytes[start + i]!;
    if (byte >= 65 && byte <= 90) byte |= 32;
    if (byte !== word.charCodeAt(i)) return false;
  }
  return true;
}

/** Calls `visit` for each member of a comma-separated list (RFC 9110 §5.6.1), trimmed, empty ones left out. */
export function eachListMember(bytes: Uint8Array, start: number, end: number, visit: (start: number, end: number) => void): void {
  let from = start;
  while (from <= end) {
    let to = from;
    while (to < end && bytes[to] !== 44) to++;
    let a = from;
    let b = to;
    while (a < b && (bytes[a] === SPACE || bytes[a] === TAB)) a++;
    while (b > a && (bytes[b - 1] === SPACE || bytes[b - 1] === TAB)) b--;
    if (b > a) visit(a, b);
    from = to + 1;
  }
}
