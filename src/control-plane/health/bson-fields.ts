/**
 * The scalar fields at the top of a BSON document (https://bsonspec.org), as
 * mongodb-probe.ts needs them: a handful of fields of an answer of a few
 * hundred bytes. Called with bytes of a backend's, whose length the caller has
 * bounded: looks at each byte once, never recurses, throws BadAnswer and
 * nothing else.
 *
 * By hand rather than with the `bson` package: that builds the whole document
 * out of whatever a backend sends, nested as deep as it likes, and would be
 * code that every proxy loads for ten fields. The tests hold this reader
 * against that package's.
 */
import { BadAnswer } from './talk-script.ts';

/** Numbers (64-bit ones too, rounded), text, booleans, and object ids as hexadecimal digits. */
export type BsonScalar = number | string | boolean;

/** Bytes of values whose type has a fixed length. */
const FIXED_BYTES: Readonly<Record<number, number>> = {
  0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0a: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16, 0x7f: 0, 0xff: 0,
};
/** Types that begin with a length, and what the value has beyond it. A document's length counts itself. */
const PREFIXED_BYTES: Readonly<Record<number, number>> = {
  0x02: 4, 0x03: 0, 0x04: 0, 0x05: 5, 0x0c: 16, 0x0d: 4, 0x0e: 4, 0x0f: 0,
};
const REGEX = 0x0b;
const DOCUMENT_BYTES_MIN = 5;

/** Fields of other types are passed over; of a repeated one the last counts. The document must fill `bytes`. */
export function readBsonFields(bytes: Buffer): ReadonlyMap<string, BsonScalar> {
  if (bytes.length < DOCUMENT_BYTES_MIN || bytes.readInt32LE(0) !== bytes.length || bytes.at(-1) !== 0) throw malformed();
  const end = bytes.length - 1;
  const fields = new Map<string, BsonScalar>();
  let at = 4;
  while (at < end) {
    const type = bytes[at]!;
    const nameEnd = textEnd(bytes, at + 1, end);
    const name = bytes.toString('utf8', at + 1, nameEnd);
    const start = nameEnd + 1;
    at = valueEnd(bytes, type, start, end);
    const value = scalar(bytes, type, start, at);
    if (value === null) fields.delete(name);
    else fields.set(name, value);
  }
  return fields;
}

function valueEnd(bytes: Buffer, type: number, start: number, end: number): number {
  if (type === REGEX) return textEnd(bytes, textEnd(bytes, start, end) + 1, end) + 1;
  const fixed = FIXED_BYTES[type];
  if (fixed !== undefined) return within(start + fixed, end);
  const beyond = PREFIXED_BYTES[type];
  if (beyond === undefined) throw malformed();
  within(start + 4, end);
  const length = bytes.readInt32LE(start);
  if (length < 0) throw malformed();
  return within(start + length + beyond, end, start + 4);
}

function scalar(bytes: Buffer, type: number, start: number, end: number): BsonScalar | null {
  switch (type) {
    case 0x01:
      return bytes.readDoubleLE(start);
    case 0x02:
      // Its length counts a closing zero.
      if (end - start < 5 || bytes[end - 1] !== 0) throw malformed();
      return bytes.toString('utf8', start + 4, end - 1);
    case 0x07:
      return bytes.toString('hex', start, end);
    case 0x08:
      return bytes[start] === 1;
    case 0x10:
      return bytes.readInt32LE(start);
    case 0x12:
      return Number(bytes.readBigInt64LE(start));
    default:
      return null;
  }
}

/** Where the zero is that ends a text. */
function textEnd(bytes: Buffer, start: number, end: number): number {
  const zero = bytes.indexOf(0, start);
  if (zero === -1 || zero >= end) throw malformed();
  return zero;
}

function within(at: number, end: number, from = 0): number {
  if (at > end || at < from) throw malformed();
  return at;
}

function malformed(): BadAnswer {
  return new BadAnswer('malformed answer: not BSON');
}
