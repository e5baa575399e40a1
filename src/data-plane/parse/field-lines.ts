/**
 * Field lines (RFC 9112 §5) as offsets into the bytes they stand in: no string
 * is made. One object is filled again and again; its owner must have read it
 * before the next message is parsed.
 */
import { CR, FIELD_VALUE, HEAD_TOO_LARGE, INCOMPLETE, LF, MALFORMED, SPACE, TAB, TOKEN_FOLDED, COLON } from './bytes.ts';
import { fieldId, HASH_START } from './field-names.ts';

/** The most fields a message may have, whatever the config allows: the size of the preallocated arrays. */
export const FIELD_COUNT_LIMIT = 1024;

export class FieldLines {
  count = 0;
  /** Position of the name, of the byte after it, of the value, and of the byte after that. */
  readonly nameStart = new Int32Array(FIELD_COUNT_LIMIT);
  readonly nameEnd = new Int32Array(FIELD_COUNT_LIMIT);
  readonly valueStart = new Int32Array(FIELD_COUNT_LIMIT);
  readonly valueEnd = new Int32Array(FIELD_COUNT_LIMIT);
  /** Number of the name (FIELD in field-names.ts). */
  readonly id = new Uint8Array(FIELD_COUNT_LIMIT);
  /** Of a line that was seen before, as it stands there, the id it has (known-lines.ts); 0: none. */
  readonly known = new Float64Array(FIELD_COUNT_LIMIT);

  /** One more, which was found otherwise than by a scan. Of more than fit the number is kept alone. */
  add(id: number, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const index = this.count++;
    if (index >= FIELD_COUNT_LIMIT) return;
    this.nameStart[index] = nameStart;
    this.nameEnd[index] = nameEnd;
    this.valueStart[index] = valueStart;
    this.valueEnd[index] = valueEnd;
    this.id[index] = id;
    this.known[index] = 0;
  }

  /** Index of the first field with this number, or -1. */
  indexOf(id: number): number {
    for (let i = 0; i < this.count; i++) if (this.id[i] === id) return i;
    return -1;
  }
}

/**
 * Scans field lines from `start` to the empty line, and puts them behind the
 * `listed` that `out` has already; `stopAt`: no further than so many. Returns
 * the position after the empty line, or the last of those, or INCOMPLETE, MALFORMED, HEAD_TOO_LARGE (too many fields).
 * Folded lines, a space before the colon, bare CR, bare LF, NUL and other
 * control bytes are malformed (RFC 9112 §2.2, §5.1, §5.2; RFC 9110 §5.5).
 */
export function scanFieldLines(bytes: Uint8Array, start: number, end: number, countMax: number, out: FieldLines, listed = 0, stopAt = FIELD_COUNT_LIMIT + 1): number {
  let pos = start;
  let count = listed;
  const most = countMax === 0 || countMax > FIELD_COUNT_LIMIT ? FIELD_COUNT_LIMIT : countMax;
  if (count > most) return HEAD_TOO_LARGE;
  while (true) {
    if (pos >= end) return INCOMPLETE;
    let byte = bytes[pos]!;
    if (byte === CR) {
      if (pos + 1 >= end) return INCOMPLETE;
      if (bytes[pos + 1] !== LF) return MALFORMED;
      out.count = count;
      return pos + 2;
    }
    if (count === most) return HEAD_TOO_LARGE;
    const nameStart = pos;
    let hash = HASH_START;
    let folded = TOKEN_FOLDED[byte]!;
    while (folded !== 0) {
      hash = (Math.imul(hash, 31) + folded) | 0;
      if (++pos >= end) return INCOMPLETE;
      byte = bytes[pos]!;
      folded = TOKEN_FOLDED[byte]!;
    }
    if (byte !== COLON || pos === nameStart) return MALFORMED;
    out.nameStart[count] = nameStart;
    out.nameEnd[count] = pos;
    out.id[count] = fieldId(bytes, nameStart, pos, hash);
    out.known[count] = 0;
    pos++;
    while (pos < end && (bytes[pos] === SPACE || bytes[pos] === TAB)) pos++;
    const valueStart = pos;
    pos = plainEnd(bytes, pos, end);
    while (pos < end && FIELD_VALUE[bytes[pos]!] === 1) pos++;
    if (pos + 1 >= end) return pos < end && bytes[pos] !== CR ? MALFORMED : INCOMPLETE;
    if (bytes[pos] !== CR || bytes[pos + 1] !== LF) return MALFORMED;
    let valueEnd = pos;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SPACE || bytes[valueEnd - 1] === TAB)) valueEnd--;
    out.valueStart[count] = valueStart;
    out.valueEnd[count] = valueEnd;
    count++;
    pos += 2;
    if (count !== stopAt) continue;
    out.count = count;
    return pos;
  }
}

/**
 * Skips printable ASCII, four bytes at a time: one that is below 32, is 127 or
 * is above leaves the high bit of a byte set in one of the three words (of
 * several, the lowest does: there is nothing to borrow or carry below it).
 * Stops at or before the first other byte, at most three bytes before. Spares a
 * tenth of the parse of a browser's head (bench/micro/parse.ts).
 */
export function plainEnd(bytes: Uint8Array, start: number, end: number): number {
  let pos = start;
  for (const last = end - 4; pos <= last; pos += 4) {
    const word = bytes[pos]! | (bytes[pos + 1]! << 8) | (bytes[pos + 2]! << 16) | (bytes[pos + 3]! << 24);
    if ((((word - 0x20202020) | (word + 0x01010101) | word) & 0x80808080) !== 0) break;
  }
  return pos;
}
