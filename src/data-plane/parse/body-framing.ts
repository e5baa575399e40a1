/**
 * How long a body is and whether the connection goes on (RFC 9112 §6, §7, §9;
 * RFC 9110 §7.6.1). For requests every doubt is an error; for answers too,
 * with the caller turning it into a 502.
 */
import { eachListMember, equalsWord, latin1, MALFORMED, NOT_IMPLEMENTED } from './bytes.ts';
import { FIELD } from './field-names.ts';
import type { FieldLines } from './field-lines.ts';
import type { RequestHead } from './request-head.ts';
import type { ResponseHead } from './response-head.ts';

const OK = 1;

/** Reads Content-Length, Transfer-Encoding, Connection, Upgrade, Expect, TE and Max-Forwards. Returns OK or an error below 0. */
export function applyRequestFraming(head: RequestHead): number {
  head.contentLength = -1;
  head.chunked = false;
  head.close = false;
  head.keepAlive = false;
  head.upgrade = false;
  head.expectContinue = false;
  head.nominatesFields = false;
  head.acceptsTrailers = false;
  head.namesTe = false;
  head.maxForwards = -1;
  const { fields } = head;
  for (let i = 0; i < fields.count; i++) {
    const id = fields.id[i]!;
    if (id < FIELD.connection || id > FIELD.maxForwards) continue;
    const result = applyRequestField(head, id, i);
    if (result !== OK) return result;
  }
  // A request with both is refused: RFC 9112 §6.1 allows it, and it is the oldest way to smuggle.
  if (head.chunked && (head.contentLength !== -1 || head.minorVersion === 0)) return MALFORMED;
  // "close" prevails over "keep-alive", in whichever order they come (RFC 9112 §9.3).
  if (head.minorVersion === 0 && !head.keepAlive) head.close = true;
  // A TE that Connection does not name may have been sent to another hop, and says nothing of this client (RFC 9110 §10.1.4).
  if (head.acceptsTrailers) head.acceptsTrailers = head.namesTe && head.minorVersion === 1;
  if (head.upgrade) head.upgrade = head.minorVersion === 1 && fields.indexOf(FIELD.upgrade) !== -1;
  return OK;
}

function applyRequestField(head: RequestHead, id: number, index: number): number {
  const { bytes, fields } = head;
  const start = fields.valueStart[index]!;
  const end = fields.valueEnd[index]!;
  switch (id) {
    case FIELD.contentLength: {
      const length = parseLength(bytes, start, end);
      if (length < 0 || head.contentLength !== -1) return MALFORMED;
      head.contentLength = length;
      return OK;
    }
    case FIELD.transferEncoding:
      if (head.chunked) return MALFORMED;
      if (!equalsWord(bytes, start, end, 'chunked')) return unknownCoding(bytes, start, end);
      head.chunked = true;
      return OK;
    case FIELD.connection:
      applyRequestConnection(head, start, end);
      return OK;
    case FIELD.expect:
      if (head.minorVersion === 1 && equalsWord(bytes, start, end, '100-continue')) head.expectContinue = true;
      return OK;
    case FIELD.maxForwards: {
      const hops = parseLength(bytes, start, end);
      if (hops < 0 || head.maxForwards !== -1) return MALFORMED;
      head.maxForwards = hops;
      return OK;
    }
    case FIELD.te:
      eachListMember(bytes, start, end, (a, b) => {
        if (equalsWord(bytes, a, b, 'trailers')) head.acceptsTrailers = true;
      });
      return OK;
    default:
      return OK;
  }
}

/** A list of tokens that ends in another coding is 501 (RFC 9112 §6.1); a "chunked" in any disguise is 400. */
function unknownCoding(bytes: Buffer, start: number, end: number): number {
  return /^[a-z0-9-]+$/i.test(latin1(bytes, start, end)) ? NOT_IMPLEMENTED : MALFORMED;
}

function applyRequestConnection(head: RequestHead, start: number, end: number): void {
  const { bytes } = head;
  eachListMember(bytes, start, end, (a, b) => {
    if (equalsWord(bytes, a, b, 'close')) head.close = true;
    else if (equalsWord(bytes, a, b, 'keep-alive')) head.keepAlive = true;
    else if (equalsWord(bytes, a, b, 'upgrade')) head.upgrade = true;
    else if (equalsWord(bytes, a, b, 'te')) head.namesTe = true;
    else head.nominatesFields = true;
  });
}

/** Decimal digits only, below 2^53; -1 otherwise. */
export function parseLength(bytes: Uint8Array, start: number, end: number): number {
  if (end === start || end - start > 16) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i]! - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

/** Reads the same of an answer. Returns OK or MALFORMED. */
export function applyResponseFraming(head: ResponseHead): number {
  head.contentLength = -1;
  head.chunked = false;
  head.close = false;
  head.keepAlive = false;
  head.nominatesFields = false;
  head.hasDate = false;
  const { bytes, fields } = head;
  for (let i = 0; i < fields.count; i++) {
    const id = fields.id[i]!;
    if (id === FIELD.other) continue;
    const start = fields.valueStart[i]!;
    const end = fields.valueEnd[i]!;
    if (id === FIELD.contentLength) {
      const length = parseLength(bytes, start, end);
      if (length < 0 || head.contentLength !== -1) return MALFORMED;
      head.contentLength = length;
    } else if (id === FIELD.transferEncoding) {
      if (head.chunked || !equalsWord(bytes, start, end, 'chunked')) return MALFORMED;
      head.chunked = true;
    } else if (id === FIELD.connection) {
      applyResponseConnection(head, fields, i);
    } else if (id === FIELD.date) {
      head.hasDate = true;
    }
  }
  if (head.chunked && (head.contentLength !== -1 || head.minorVersion === 0)) return MALFORMED;
  if (head.minorVersion === 0 && !head.keepAlive) head.close = true;
  return OK;
}

function applyResponseConnection(head: ResponseHead, fields: FieldLines, index: number): void {
  const { bytes } = head;
  const start = fields.valueStart[index]!;
  const end = fields.valueEnd[index]!;
  // What most origins send; the general loop below makes a closure.
  if (equalsWord(bytes, start, end, 'keep-alive')) {
    head.keepAlive = true;
    return;
  }
  eachListMember(bytes, start, end, (a, b) => {
    if (equalsWord(bytes, a, b, 'close')) head.close = true;
    else if (equalsWord(bytes, a, b, 'keep-alive')) head.keepAlive = true;
    else if (!equalsWord(bytes, a, b, 'upgrade')) head.nominatesFields = true;
  });
}

/** True if a Connection field of the message names bytes[nameStart, nameEnd) of the same bytes. */
export function isNominated(bytes: Buffer, fields: FieldLines, index: number): boolean {
  const name = latin1(bytes, fields.nameStart[index]!, fields.nameEnd[index]!).toLowerCase();
  let found = false;
  for (let i = 0; i < fields.count; i++) {
    if (fields.id[i] !== FIELD.connection) continue;
    eachListMember(bytes, fields.valueStart[i]!, fields.valueEnd[i]!, (a, b) => {
      if (equalsWord(bytes, a, b, name)) found = true;
    });
  }
  return found;
}

/** Lower-case names that the message's Connection fields list: trailers of these names end here too (RFC 9110 §7.6.1). */
export function nominatedNames(bytes: Buffer, fields: FieldLines): Set<string> {
  const names = new Set<string>();
  for (let i = 0; i < fields.count; i++) {
    if (fields.id[i] !== FIELD.connection) continue;
    eachListMember(bytes, fields.valueStart[i]!, fields.valueEnd[i]!, (a, b) => names.add(latin1(bytes, a, b).toLowerCase()));
  }
  return names;
}
