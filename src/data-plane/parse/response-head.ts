/** The head of an HTTP/1.1 answer (RFC 9112 §4–§6) as offsets. Pure, like request-head.ts. */
import { CR, FIELD_VALUE, HEAD_TOO_LARGE, INCOMPLETE, LF, MALFORMED, SPACE } from './bytes.ts';
import { applyResponseFraming } from './body-framing.ts';
import { FieldLines, scanFieldLines } from './field-lines.ts';
import type { HeadLimits } from './request-head.ts';

export class ResponseHead {
  bytes: Buffer = Buffer.alloc(0);
  /** 100 to 599. */
  status = 0;
  minorVersion = 1;
  /** Position after the status line's CR LF. */
  fieldsStart = 0;
  readonly fields = new FieldLines();

  // Set by body-framing.ts.
  contentLength = -1;
  chunked = false;
  close = false;
  keepAlive = false;
  nominatesFields = false;
  hasDate = false;
}

/** Parses one head in bytes[start, end): position after it, INCOMPLETE, MALFORMED or HEAD_TOO_LARGE. */
export function parseResponseHead(bytes: Buffer, start: number, end: number, limits: HeadLimits, out: ResponseHead): number {
  const sizeMax = limits.headerBytesMax === 0 ? Infinity : limits.headerBytesMax;
  out.bytes = bytes;
  const fieldsStart = parseStatusLine(bytes, start, end, out);
  if (fieldsStart < 1) return fieldsStart === INCOMPLETE && end - start > sizeMax ? HEAD_TOO_LARGE : fieldsStart;
  out.fieldsStart = fieldsStart;
  const bodyStart = scanFieldLines(bytes, fieldsStart, end, limits.headerCountMax, out.fields);
  if (bodyStart < 1) return bodyStart === INCOMPLETE && end - start > sizeMax ? HEAD_TOO_LARGE : bodyStart;
  if (bodyStart - start > sizeMax) return HEAD_TOO_LARGE;
  return applyResponseFraming(out) < 0 ? MALFORMED : bodyStart;
}

const VERSION = 'HTTP/1.';

/** `HTTP/1.x SP 3DIGIT SP reason CR LF`; the reason may be missing with its space, as several origins send it. */
function parseStatusLine(bytes: Buffer, start: number, end: number, out: ResponseHead): number {
  for (let i = 0; i < VERSION.length; i++) {
    if (start + i >= end) return INCOMPLETE;
    if (bytes[start + i] !== VERSION.charCodeAt(i)) return MALFORMED;
  }
  if (start + 13 > end) return INCOMPLETE;
  const minor = bytes[start + 7]! - 48;
  if (minor < 0 || minor > 9 || bytes[start + 8] !== SPACE) return MALFORMED;
  out.minorVersion = minor === 0 ? 0 : 1;
  const hundreds = bytes[start + 9]! - 48;
  const tens = bytes[start + 10]! - 48;
  const ones = bytes[start + 11]! - 48;
  if (hundreds < 1 || hundreds > 5 || tens < 0 || tens > 9 || ones < 0 || ones > 9) return MALFORMED;
  out.status = hundreds * 100 + tens * 10 + ones;
  let pos = start + 12;
  if (bytes[pos] === SPACE) {
    pos++;
    while (pos < end && FIELD_VALUE[bytes[pos]!] === 1) pos++;
  }
  if (pos + 1 >= end) return pos < end && bytes[pos] !== CR ? MALFORMED : INCOMPLETE;
  return bytes[pos] === CR && bytes[pos + 1] === LF ? pos + 2 : MALFORMED;
}
