/**
 * The head of a request, as it was built for a backend in HTTP/1.1 form, as a
 * field block of HTTP/2 (RFC 9113 §8.3.1): the request line and Host become
 * pseudo-fields, what speaks of one connection of HTTP/1.1 is left out (§8.2.2).
 */
import { equalsWord, latin1, SPACE } from '../parse/bytes.ts';
import { FieldLines, scanFieldLines } from '../parse/field-lines.ts';
import { FIELD } from '../parse/field-names.ts';
import { KnownLines } from '../parse/known-lines.ts';
import type { HpackEncoder } from '../parse/hpack-encoder.ts';
import type { OutBytes } from '../parse/out-bytes.ts';
import { isKeyField } from './http2-websocket.ts';

const PSEUDO = Buffer.from(':method:scheme:path:authorityhttphttps', 'latin1');
const CONNECT = Buffer.from('CONNECT:protocolwebsocket', 'latin1');
const CONNECT_END = 7;
const PROTOCOL_END = 16;
const METHOD_END = 7;
const SCHEME_END = 14;
const PATH_END = 19;
const AUTHORITY_END = 29;
const HTTP_END = 33;
const HTTPS_END = 38;

const lines = new FieldLines();
/** Lines of requests seen before; made with the first. */
let knownLines: KnownLines | null = null;
/** Where the fields of a head are looked at, in the places they have in it. */
const SCANNED_BYTES = 8 * 1024;
const scanned = Buffer.allocUnsafeSlow(SCANNED_BYTES);
const scannedView = new DataView(scanned.buffer);

/** What the head says of the body behind it. */
export interface RequestBlock {
  /** Where the head ends in its bytes. */
  bodyStart: number;
  isChunked: boolean;
  /** -1: it says none. */
  contentLength: number;
}

const block: RequestBlock = { bodyStart: 0, isChunked: false, contentLength: -1 };

/** Puts the block of the head in bytes[0, end), which is one of ours, behind `out`. The result is filled anew by the next call. */
export function putRequestBlock(out: OutBytes, encoder: HpackEncoder, bytes: Buffer, end: number, isSecure: boolean, isWebSocket = false): RequestBlock {
  const methodEnd = bytes.indexOf(SPACE);
  const targetEnd = bytes.indexOf(SPACE, methodEnd + 1);
  const fieldsStart = bytes.indexOf(10, targetEnd) + 1;
  block.bodyStart = scanFields(bytes, fieldsStart, end);
  if (methodEnd < 1 || targetEnd < 1 || block.bodyStart < 1) throw new Error('a request head of ours cannot be read');
  block.isChunked = false;
  block.contentLength = -1;
  encoder.begin(out);
  if (isWebSocket) {
    encoder.namedField(out, PSEUDO, 0, METHOD_END, CONNECT, 0, CONNECT_END);
    encoder.field(out, CONNECT, CONNECT_END, PROTOCOL_END, PROTOCOL_END, CONNECT.length);
  } else encoder.namedField(out, PSEUDO, 0, METHOD_END, bytes, 0, methodEnd);
  encoder.field(out, PSEUDO, METHOD_END, SCHEME_END, isSecure ? HTTP_END : AUTHORITY_END, isSecure ? HTTPS_END : HTTP_END);
  encoder.namedField(out, PSEUDO, SCHEME_END, PATH_END, bytes, methodEnd + 1, targetEnd);
  const host = lines.indexOf(FIELD.host);
  if (host !== -1 && lines.valueEnd[host]! > lines.valueStart[host]!) encoder.namedField(out, PSEUDO, PATH_END, AUTHORITY_END, bytes, lines.valueStart[host]!, lines.valueEnd[host]!);
  for (let i = 0; i < lines.count; i++) {
    const nameStart = lines.nameStart[i]!;
    const nameEnd = lines.nameEnd[i]!;
    if (!passes(bytes, i) || (isWebSocket && isKeyField(bytes, nameStart, nameEnd))) continue;
    if (lines.id[i] === FIELD.xRequestId) encoder.uniqueField(out, bytes, nameStart, nameEnd, lines.valueStart[i]!, lines.valueEnd[i]!);
    else if (lines.known[i] !== 0) encoder.knownField(out, lines.known[i]!, bytes, nameStart, nameEnd, lines.valueStart[i]!, lines.valueEnd[i]!);
    else encoder.field(out, bytes, nameStart, nameEnd, lines.valueStart[i]!, lines.valueEnd[i]!, isSecret(bytes, i));
  }
  return block;
}

/** The copy costs less than a view of each request's own bytes. */
function scanFields(bytes: Buffer, start: number, end: number): number {
  if (end > SCANNED_BYTES) return scanFieldLines(bytes, start, end, 0, lines);
  bytes.copy(scanned, start, start, end);
  return (knownLines ??= new KnownLines()).scan(scannedView, scanned, start, end, 0, lines);
}

function passes(bytes: Buffer, index: number): boolean {
  switch (lines.id[index]) {
    case FIELD.host:
    case FIELD.connection:
    case FIELD.keepAlive:
    case FIELD.proxyConnection:
    case FIELD.upgrade:
    case FIELD.http2Settings:
      return false;
    case FIELD.transferEncoding:
      block.isChunked = true;
      return false;
    case FIELD.te:
      return equalsWord(bytes, lines.valueStart[index]!, lines.valueEnd[index]!, 'trailers');
    case FIELD.contentLength:
      block.contentLength = Number(latin1(bytes, lines.valueStart[index]!, lines.valueEnd[index]!));
      return true;
    default:
      return true;
  }
}

/** Requests of many clients share the table: by what a block of their own costs, one could find out another's (RFC 7541 §7.1). */
function isSecret(bytes: Buffer, index: number): boolean {
  const start = lines.nameStart[index]!;
  const end = lines.nameEnd[index]!;
  switch (end - start) {
    case 6:
      return equalsWord(bytes, start, end, 'cookie');
    case 13:
      return equalsWord(bytes, start, end, 'authorization');
    case 19:
      return lines.id[index] === FIELD.proxyAuthorization;
    default:
      return false;
  }
}

/** Puts a trailer section, field lines with their empty line, as a block. False: it holds nothing. */
export function putTrailerBlock(out: OutBytes, encoder: HpackEncoder, section: Buffer): boolean {
  if (scanFieldLines(section, 0, section.length, 0, lines) < 1 || lines.count === 0) return false;
  encoder.begin(out);
  for (let i = 0; i < lines.count; i++) encoder.field(out, section, lines.nameStart[i]!, lines.nameEnd[i]!, lines.valueStart[i]!, lines.valueEnd[i]!, isSecret(section, i));
  return true;
}
