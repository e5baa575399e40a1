/** The head of an HTTP/1.1 answer (RFC 9112 §4–§6) as offsets. Pure, like request-head.ts. */
import { CR, FIELD_VALUE, HEAD_TOO_LARGE, INCOMPLETE, LF, MALFORMED, SPACE } from './bytes.ts';
import { applyResponseFraming } from './body-framing.ts';
import { FieldLines, scanFieldLines } from './field-lines.ts';
import { KnownLines } from './known-lines.ts';
import type { HeadLimits } from './request-head.ts';

export class ResponseHead {
  bytes: Buffer = Buffer.alloc(0);
  /** 100 to 599. */
  status = 0;
  minorVersion = 1;
  /** Position after the status line's CR LF. */
  fieldsStart = 0;
  fields = new FieldLines();

  // Set by body-framing.ts.
  contentLength = -1;
  chunked = false;
  close = false;
  keepAlive = false;
  nominatesFields = false;
  hasDate = false;
}

/** Field lines of answers that were seen before. */
const knownLines = new KnownLines();

/** Parses one head in bytes[start, end): position after it, INCOMPLETE, MALFORMED or HEAD_TOO_LARGE. `view`: of the same bytes, if there is one, which tells lines seen before. */
export function parseResponseHead(bytes: Buffer, start: number, end: number, limits: HeadLimits, out: ResponseHead, view: DataView | null = null): number {
  const fieldsStart = beginHead(bytes, start, end, limits, out);
  if (fieldsStart < 1) return fieldsStart;
  const bodyStart = view === null ? scanFieldLines(bytes, fieldsStart, end, limits.headerCountMax, out.fields) : knownLines.scan(view, bytes, fieldsStart, end, limits.headerCountMax, out.fields);
  return finishHead(start, end, bodyStart, limits, out);
}

/** The same for a head of ours in bytes[start, end), whose field lines up to `listedEnd` are in out.fields already, as parseListedHead has it of requests. */
export function parseListedAnswer(bytes: Buffer, start: number, end: number, limits: HeadLimits, out: ResponseHead, listedEnd: number): number {
  const fieldsStart = beginHead(bytes, start, end, limits, out);
  if (fieldsStart < 1) return fieldsStart;
  const { fields } = out;
  // The first listed line begins where the status line ends, or the head is not what its maker thinks.
  if ((fields.count === 0 ? listedEnd : fields.nameStart[0]) !== fieldsStart) return MALFORMED;
  return finishHead(start, end, scanFieldLines(bytes, listedEnd, end, limits.headerCountMax, fields, fields.count), limits, out);
}

function beginHead(bytes: Buffer, start: number, end: number, limits: HeadLimits, out: ResponseHead): number {
  out.bytes = bytes;
  const fieldsStart = parseStatusLine(bytes, start, end, out);
  out.fieldsStart = fieldsStart;
  return fieldsStart === INCOMPLETE ? tooLargeIfOver(start, end, limits) : fieldsStart;
}

function finishHead(start: number, end: number, bodyStart: number, limits: HeadLimits, out: ResponseHead): number {
  if (bodyStart < 1) return bodyStart === INCOMPLETE ? tooLargeIfOver(start, end, limits) : bodyStart;
  if (tooLargeIfOver(start, bodyStart, limits) === HEAD_TOO_LARGE) return HEAD_TOO_LARGE;
  return applyResponseFraming(out) < 0 ? MALFORMED : bodyStart;
}

function tooLargeIfOver(start: number, end: number, { headerBytesMax }: HeadLimits): number {
  return headerBytesMax !== 0 && end - start > headerBytesMax ? HEAD_TOO_LARGE : INCOMPLETE;
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
