/**
 * The head of an HTTP/1.1 request (RFC 9112 §2–§6) as offsets. Pure: bytes in,
 * offsets or an error out; no I/O, no clock. What is ambiguous is refused, not
 * guessed: an origin behind us may guess differently.
 */
import { CR, equalsWord, HEAD_TOO_LARGE, INCOMPLETE, latin1, LF, MALFORMED, NOT_IMPLEMENTED, SLASH, SPACE, TARGET, TARGET_TOO_LONG, TOKEN, VERSION_UNSUPPORTED } from './bytes.ts';
import { applyRequestFraming } from './body-framing.ts';
import { FieldLines, scanFieldLines } from './field-lines.ts';
import { FIELD } from './field-names.ts';
import { authorityEnd, isAuthority } from './authority.ts';

export interface HeadLimits {
  /** Bytes of start line, fields and empty line; 0: no limit. */
  readonly headerBytesMax: number;
  /** 0: FIELD_COUNT_LIMIT. */
  readonly headerCountMax: number;
}

/** Index in METHODS (shared/counter-pages.ts) by the method's name. */
export const METHOD = { get: 0, head: 1, post: 2, put: 3, delete: 4, patch: 5, options: 6, other: 7 } as const;

export const TARGET_FORM = { origin: 0, absolute: 1, asterisk: 2 } as const;

export class RequestHead {
  /** The bytes all offsets point into. */
  bytes: Buffer = Buffer.alloc(0);
  methodStart = 0;
  methodEnd = 0;
  method: number = METHOD.other;
  /** Whole target as sent. */
  targetStart = 0;
  targetEnd = 0;
  form: number = TARGET_FORM.origin;
  /** Path without query; empty for an absolute target without path. */
  pathStart = 0;
  pathEnd = 0;
  /** Readings of the path may differ: it holds "%", "\", ";", "//" or a segment that begins with a dot. */
  pathMayReadTwoWays = false;
  /** Authority that rules: of an absolute target, else of Host; empty: none. */
  authorityStart = 0;
  authorityEnd = 0;
  /** 0 or 1. */
  minorVersion = 1;
  fields = new FieldLines();

  // What the fields say about connection and body; set by body-framing.ts.
  /** -1: no content-length. */
  contentLength = -1;
  chunked = false;
  /** The client wants the connection closed after the answer. */
  close = false;
  /** `Connection: keep-alive`, which only HTTP/1.0 needs. */
  keepAlive = false;
  /** `Connection: upgrade` and an Upgrade field. */
  upgrade = false;
  expectContinue = false;
  /** Connection names fields besides the usual ones: those are hop-by-hop too. */
  nominatesFields = false;
  /** In HTTP/1.1 a TE field that lists trailers, and that Connection names. */
  acceptsTrailers = false;
  /** Connection names TE. */
  namesTe = false;
  /** Max-Forwards; -1: none. It counts for OPTIONS alone (RFC 9110 §7.6.2). */
  maxForwards = -1;
}

/**
 * Parses one head in bytes[start, end). Returns the position of the first byte
 * after it, INCOMPLETE, or an error (all below 1; see bytes.ts).
 */
export function parseRequestHead(bytes: Buffer, start: number, end: number, limits: HeadLimits, out: RequestHead): number {
  let pos = start;
  // An empty line before the request line is ignored (RFC 9112 §2.2); a stream of them is no request, and must not be kept as one.
  while (pos + 1 < end && bytes[pos] === CR && bytes[pos + 1] === LF) pos += 2;
  if (pos - start > EMPTY_LINE_BYTES_MAX) return MALFORMED;
  // Only a line feed may follow; what stands here is looked at again when it is there.
  if (pos + 1 === end && bytes[pos] === CR) return INCOMPLETE;
  return parseFrom(bytes, pos, end, limits, out, -1);
}

/**
 * The same for a head of ours in bytes[0, end), whose field lines up to
 * `listedEnd` are in out.fields already: who put them there held each to what
 * the scan holds it to, and the result is that of a parse.
 */
export function parseListedHead(bytes: Buffer, end: number, limits: HeadLimits, out: RequestHead, listedEnd: number): number {
  return parseFrom(bytes, 0, end, limits, out, listedEnd);
}

/** `listedEnd` -1: no lines are listed. */
function parseFrom(bytes: Buffer, pos: number, end: number, limits: HeadLimits, out: RequestHead, listedEnd: number): number {
  const sizeMax = limits.headerBytesMax === 0 ? Infinity : limits.headerBytesMax;
  out.bytes = bytes;
  const lineEnd = parseRequestLine(bytes, pos, end, out);
  if (lineEnd < 1) return lineEnd === INCOMPLETE && end - pos > sizeMax ? TARGET_TOO_LONG : lineEnd;
  if (lineEnd - pos > sizeMax) return TARGET_TOO_LONG;
  const { fields } = out;
  // The first listed line begins where the request line ends, or the head is not what its maker thinks.
  if (listedEnd !== -1 && (fields.count === 0 ? listedEnd : fields.nameStart[0]) !== lineEnd) return MALFORMED;
  const bodyStart = listedEnd === -1 ? scanFieldLines(bytes, lineEnd, end, limits.headerCountMax, fields) : scanFieldLines(bytes, listedEnd, end, limits.headerCountMax, fields, fields.count);
  if (bodyStart < 1) return bodyStart === INCOMPLETE && end - pos > sizeMax ? HEAD_TOO_LARGE : bodyStart;
  if (bodyStart - pos > sizeMax) return HEAD_TOO_LARGE;
  const framing = applyRequestFraming(out);
  if (framing < 0) return framing;
  return applyAuthority(out) ? bodyStart : MALFORMED;
}

/** Returns the position after the line's CR LF, or a result below 1. */
function parseRequestLine(bytes: Buffer, start: number, end: number, out: RequestHead): number {
  let pos = start;
  while (pos < end && TOKEN[bytes[pos]!] === 1) pos++;
  if (pos >= end) return pos - start > METHOD_LENGTH_MAX ? MALFORMED : INCOMPLETE;
  if (bytes[pos] !== SPACE || pos === start || pos - start > METHOD_LENGTH_MAX) return MALFORMED;
  out.methodStart = start;
  out.methodEnd = pos;
  out.method = methodOf(bytes, start, pos);
  const targetStart = ++pos;
  while (pos < end && TARGET[bytes[pos]!] === 1) pos++;
  if (pos >= end) return INCOMPLETE;
  if (bytes[pos] !== SPACE || pos === targetStart) return MALFORMED;
  out.targetStart = targetStart;
  out.targetEnd = pos;
  const versionEnd = parseVersion(bytes, pos + 1, end, out);
  if (versionEnd < 1) return versionEnd;
  if (isMethod(bytes, out, 'CONNECT') || isMethod(bytes, out, 'TRACE')) return NOT_IMPLEMENTED;
  return parseTarget(bytes, out) ? versionEnd : MALFORMED;
}

/** Clients known to send more than one empty line end a body with two. */
const EMPTY_LINE_BYTES_MAX = 8;

/** The longest registered method has 17 bytes (UPDATEREDIRECTREF). */
const METHOD_LENGTH_MAX = 32;

/** "HTTP/1.x" CR LF at `start`: position after it. */
function parseVersion(bytes: Buffer, start: number, end: number, out: RequestHead): number {
  const word = 'HTTP/';
  for (let i = 0; i < word.length; i++) {
    if (start + i >= end) return INCOMPLETE;
    if (bytes[start + i] !== word.charCodeAt(i)) return MALFORMED;
  }
  const at = start + word.length;
  if (at + 5 > end) return INCOMPLETE;
  const major = bytes[at]! - 48;
  const minor = bytes[at + 2]! - 48;
  if (major < 0 || major > 9 || bytes[at + 1] !== 46 || minor < 0 || minor > 9) return MALFORMED;
  if (bytes[at + 3] !== CR || bytes[at + 4] !== LF) return MALFORMED;
  if (major !== 1) return VERSION_UNSUPPORTED;
  out.minorVersion = minor === 0 ? 0 : 1;
  return at + 5;
}

/** Finds the target's form and its path (RFC 9112 §3.2). */
function parseTarget(bytes: Buffer, out: RequestHead): boolean {
  const { targetStart, targetEnd } = out;
  const first = bytes[targetStart];
  if (first === SLASH) {
    out.form = TARGET_FORM.origin;
    scanPath(bytes, targetStart, targetEnd, out);
    return true;
  }
  if (first === 42 && targetEnd === targetStart + 1) {
    out.form = TARGET_FORM.asterisk;
    out.pathStart = targetStart;
    out.pathEnd = targetEnd;
    out.pathMayReadTwoWays = false;
    // The asterisk form is for OPTIONS alone (RFC 9112 §3.2.4).
    return out.method === METHOD.options;
  }
  const authorityStart = schemeEnd(bytes, targetStart, targetEnd);
  if (authorityStart === -1) return false;
  out.form = TARGET_FORM.absolute;
  const end = authorityEnd(bytes, authorityStart, targetEnd);
  out.authorityStart = authorityStart;
  out.authorityEnd = end;
  if (end === authorityStart || !isAuthority(bytes, authorityStart, end)) return false;
  scanPath(bytes, end, targetEnd, out);
  return true;
}

/** Position after "http://", or -1. What is asked for as https must not come in the clear (RFC 9110 §7.4), and the backend would not see that it was. */
function schemeEnd(bytes: Buffer, start: number, end: number): number {
  return equalsWord(bytes, start, Math.min(end, start + 7), 'http://') ? start + 7 : -1;
}

/** 1 for "%", "\" and ";": one load instead of three comparisons. */
const READS_TWO_WAYS = new Uint8Array(256);
for (const byte of [37, 92, 59]) READS_TWO_WAYS[byte] = 1;

/** Sets the path's end (at "?") and whether it may read two ways. */
function scanPath(bytes: Buffer, start: number, end: number, out: RequestHead): void {
  let pos = start;
  let twoWays = false;
  let previous = 0;
  while (pos < end) {
    const byte = bytes[pos]!;
    if (byte === 63) break;
    // Or a slash or dot right after a slash.
    if (READS_TWO_WAYS[byte] === 1 || (previous === SLASH && (byte === SLASH || byte === 46))) twoWays = true;
    previous = byte;
    pos++;
  }
  out.pathStart = start;
  out.pathEnd = pos;
  out.pathMayReadTwoWays = twoWays;
}

/** Exactly one valid Host in HTTP/1.1 (RFC 9112 §3.2); an absolute target overrules it (§3.2.2). */
function applyAuthority(out: RequestHead): boolean {
  const fields = out.fields;
  let host = -1;
  for (let i = 0; i < fields.count; i++) {
    if (fields.id[i] !== FIELD.host) continue;
    if (host !== -1) return false;
    host = i;
  }
  const isAbsolute = out.form === TARGET_FORM.absolute;
  if (host === -1) {
    if (!isAbsolute) out.authorityStart = out.authorityEnd = 0;
    return out.minorVersion === 0;
  }
  const start = fields.valueStart[host]!;
  const end = fields.valueEnd[host]!;
  if (!isAuthority(out.bytes, start, end)) return false;
  if (!isAbsolute) {
    out.authorityStart = start;
    out.authorityEnd = end;
  }
  return true;
}

function isMethod(bytes: Buffer, head: RequestHead, name: string): boolean {
  if (head.methodEnd - head.methodStart !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (bytes[head.methodStart + i] !== name.charCodeAt(i)) return false;
  return true;
}

/** Case counts (RFC 9110 §9.1): "get" is not GET. */
function methodOf(bytes: Buffer, start: number, end: number): number {
  const word = ((bytes[start]! << 24) | (bytes[start + 1]! << 16) | (bytes[start + 2]! << 8)) >>> 0;
  switch (end - start) {
    case 3:
      return word === 0x47455400 ? METHOD.get : word === 0x50555400 ? METHOD.put : METHOD.other;
    case 4:
      if (word === 0x504f5300 && bytes[start + 3] === 0x54) return METHOD.post;
      return word === 0x48454100 && bytes[start + 3] === 0x44 ? METHOD.head : METHOD.other;
    case 5:
      return latin1(bytes, start, end) === 'PATCH' ? METHOD.patch : METHOD.other;
    case 6:
      return latin1(bytes, start, end) === 'DELETE' ? METHOD.delete : METHOD.other;
    case 7:
      return latin1(bytes, start, end) === 'OPTIONS' ? METHOD.options : METHOD.other;
    default:
      return METHOD.other;
  }
}
