/**
 * The request as the backend gets it: one unambiguous, normalised head, built
 * by one pass of copies into the backend connection's own buffer. Runs of
 * lines that pass unchanged are one copy each; what names the client, the
 * scheme and the request is ours (CONFIG: "Passed on").
 */
import { copyBytes, CR, latin1, LF, TAB } from '../parse/bytes.ts';
import { FIELD } from '../parse/field-names.ts';
import { METHOD, type RequestHead, TARGET_FORM } from '../parse/request-head.ts';
import type { Exchange } from '../exchange.ts';
import type { LiveEdits } from '../live/live-route.ts';
import { endsHere } from './hop-headers.ts';
import { REQUEST_ID_LENGTH, writeRequestIdLine } from './request-id.ts';

const VERSION_LINE = Buffer.from(' HTTP/1.1\r\n', 'latin1');
const CHUNKED = Buffer.from('Transfer-Encoding: chunked\r\n', 'latin1');
const VIA = [Buffer.from('Via: 1.0 weir\r\n', 'latin1'), Buffer.from('Via: 1.1 weir\r\n', 'latin1'), Buffer.from('Via: 2.0 weir\r\n', 'latin1')] as const;
const FORWARDED_HOST = Buffer.from('X-Forwarded-Host: ', 'latin1');
const REQUEST_ID_NAME_LENGTH = 'X-Request-ID: '.length;
const HOST = Buffer.from('Host: ', 'latin1');
const CONNECTION_UPGRADE = Buffer.from('Connection: upgrade\r\n', 'latin1');
/** A sender of TE names it in Connection (RFC 9110 §10.1.4). */
const TAKES_TRAILERS = Buffer.from('TE: trailers\r\nConnection: TE\r\n', 'latin1');
const TAKES_TRAILERS_UPGRADE = Buffer.from('TE: trailers\r\nConnection: TE, upgrade\r\n', 'latin1');

/** Of the version's last digit, behind the target. */
const MINOR_VERSION_AT = ' HTTP/1.'.length;
const DIGIT_ONE = 49;

/** Room for the lines we add whose length does not depend on the request. */
const ADDED_BYTES_MAX = 1024;

/** A buffer that the head fits in, and the head's length in it. */
export interface BuiltHead {
  out: Buffer;
  outLength: number;
}

/** Where the next bytes go; module-wide, because a build is never interrupted. */
let out: Buffer = Buffer.alloc(0);
let at = 0;
/** Where the id of our own stands in the head last built; -1: it has none of ours. */
let ownIdAt = -1;

/** `newTarget`: the rewritten target, or null. `bodyRoom`: bytes that should fit behind the head. */
export function buildRequestHead(exchange: Exchange, head: RequestHead, newTarget: string | null, target: BuiltHead, bodyRoom: number): void {
  const edits = exchange.route!.requestEdits;
  const rewriteHost = exchange.route!.rewriteHost;
  const { fields, bytes } = head;
  const headBytes = exchange.requestEnd - exchange.requestStart;
  // Nearly the whole head can be the authority of an absolute target: it goes to Host, X-Forwarded-Host and Forwarded.
  const most = headBytes * 3 + ADDED_BYTES_MAX + exchange.forwardedLines.length + exchange.peerAddress.length + (newTarget?.length ?? 0) + (edits?.bytesMax ?? 0) + bodyRoom;
  if (target.out.length < most) target.out = Buffer.allocUnsafeSlow(most);
  out = target.out;
  at = 0;
  ownIdAt = -1;
  const ownHost = rewriteHost ?? (head.form === TARGET_FORM.absolute ? latin1(bytes, head.authorityStart, head.authorityEnd) : null);
  // HTTP/1.0 may come without; the backend is spoken to in HTTP/1.1, where it must be there (RFC 9112 §3.2).
  const lacksHost = head.minorVersion === 0 && fields.indexOf(FIELD.host) === -1;
  if (newTarget === null && ownHost === null && !lacksHost) putPassedLines(exchange, head, edits);
  else {
    putRequestLine(head, newTarget);
    if (ownHost !== null || lacksHost) putLine(HOST, ownHost ?? '');
    putPassedFields(exchange, head, edits, ownHost !== null, fields.count === 0 ? 0 : fields.nameStart[0]!);
  }
  putOwnFields(exchange, head, edits);
  if (head.chunked) put(CHUNKED);
  else if (head.contentLength >= 0 && isOddLength(head, fields.indexOf(FIELD.contentLength))) putText(`Content-Length: ${head.contentLength}\r\n`);
  if (head.maxForwards > 0 && head.method === METHOD.options) putText(`Max-Forwards: ${head.maxForwards - 1}\r\n`);
  // Only for a client that said so: what we say is said for all behind us (RFC 9110 §6.5.1).
  if (exchange.wantsUpgrade) putUpgrade(head);
  else if (head.acceptsTrailers) put(TAKES_TRAILERS);
  if (edits !== null) for (const line of edits.lines) put(line);
  putLineEnd();
  target.outLength = at;
}

function put(bytes: Buffer): void {
  at = copyBytes(bytes, 0, bytes.length, out, at);
}

function putRange(bytes: Buffer, start: number, end: number): void {
  at = copyBytes(bytes, start, end, out, at);
}

function putLineEnd(): void {
  out[at++] = CR;
  out[at++] = LF;
}

function putText(text: string): void {
  at += out.write(text, at, 'latin1');
}

function putLine(name: Buffer, value: string): void {
  put(name);
  putText(value);
  putLineEnd();
}

function putRequestLine(head: RequestHead, newTarget: string | null): void {
  const { bytes } = head;
  if (newTarget !== null) {
    putRange(bytes, head.methodStart, head.methodEnd);
    putText(` ${newTarget}`);
  } else if (head.form !== TARGET_FORM.absolute) {
    putRange(bytes, head.methodStart, head.targetEnd);
  } else {
    putRange(bytes, head.methodStart, head.methodEnd);
    // An absolute target without path means "/", and for OPTIONS the whole of the origin (RFC 9112 §3.2.4).
    const isOptionsStar = head.pathStart === head.pathEnd && head.pathEnd === head.targetEnd && latin1(bytes, head.methodStart, head.methodEnd) === 'OPTIONS';
    putText(isOptionsStar ? ' *' : head.pathStart === head.pathEnd ? ' /' : ' ');
    putRange(bytes, head.pathStart, head.targetEnd);
  }
  put(VERSION_LINE);
}

/** The usual case: the request line is the first of the lines that pass, but for the version, which is ours (RFC 9110 §2.5). */
function putPassedLines(exchange: Exchange, head: RequestHead, edits: LiveEdits | null): void {
  putPassedFields(exchange, head, edits, false, head.methodStart);
  out[head.targetEnd - head.methodStart + MINOR_VERSION_AT] = DIGIT_ONE;
}

/** Copies the lines that pass, a run at a time; the first run begins at `from`. */
function putPassedFields(exchange: Exchange, head: RequestHead, edits: LiveEdits | null, hasOwnHost: boolean, from: number): void {
  const { bytes, fields } = head;
  const count = fields.count;
  const isTrusted = exchange.isTrusted;
  const nominates = head.nominatesFields;
  let runStart = from;
  for (let i = 0; i < count; i++) {
    const id = fields.id[i]!;
    const isPassed =
      (id === FIELD.other && !nominates) ||
      (!endsHere(bytes, fields, i, isTrusted, nominates) && !(id === FIELD.host && hasOwnHost) && !isReplaced(head, id, i));
    if (isPassed && (edits === null || !edits.removes(bytes, fields, i))) continue;
    const lineStart = fields.nameStart[i]!;
    if (lineStart > runStart) putRange(bytes, runStart, lineStart);
    runStart = i + 1 < count ? fields.nameStart[i + 1]! : exchange.requestEnd - 2;
  }
  const end = exchange.requestEnd - 2;
  if (count > 0 && end > runStart) putRange(bytes, runStart, end);
}

/** Written anew (RFC 9110 §7.6.2), or without meaning in HTTP/1.0, where it must be ignored (§10.1.1). */
function isReplaced(head: RequestHead, id: number, index: number): boolean {
  if (id === FIELD.contentLength) return isOddLength(head, index);
  return (id === FIELD.maxForwards && head.method === METHOD.options) || (id === FIELD.expect && head.minorVersion === 0);
}

/** A length with tabs, more white space or leading zeros is written plainly: nginx takes a tab for a part of it, and zeros have been read as octal. */
function isOddLength({ bytes, fields }: RequestHead, index: number): boolean {
  const start = fields.valueStart[index]!;
  const end = fields.valueEnd[index]!;
  return bytes[end] !== CR || start - fields.nameEnd[index]! > 2 || bytes[start - 1] === TAB || (bytes[start] === 48 && end - start > 1);
}

function putOwnFields(exchange: Exchange, head: RequestHead, edits: LiveEdits | null): void {
  const { listener } = exchange;
  // Edits that remove or set one of ours are rare: then each is asked for.
  if (exchange.isTrusted || (edits?.touchesOwn ?? false)) putOwnFieldsSlowly(exchange, head, edits);
  else {
    const lines = exchange.forwardedLines;
    if (head.authorityEnd > head.authorityStart) {
      put(lines);
      putRange(head.bytes, head.authorityStart, head.authorityEnd);
      putLineEnd();
    } else putRange(lines, 0, lines.length - FORWARDED_HOST.length);
    putRequestId();
  }
  if (listener.spec.forwarded) putText(`${forwardedLine(exchange, head)}\r\n`);
  // The version is that of the message as it came (RFC 9110 §7.6.3).
  if (listener.spec.via) put(VIA[exchange.isHttp2 ? 2 : head.minorVersion === 0 ? 0 : 1]);
}

/** For trusted peers X-Forwarded-For is extended and the rest kept if it came (CONFIG: "Passed on"). */
function putOwnFieldsSlowly(exchange: Exchange, head: RequestHead, edits: LiveEdits | null): void {
  const { fields, bytes } = head;
  const wants = (name: string): boolean => edits === null || !edits.names.has(name);
  const came = (id: number): boolean => exchange.isTrusted && fields.indexOf(id) !== -1;
  if (wants('x-forwarded-for')) {
    const chain: string[] = [];
    for (let i = 0; i < fields.count; i++) {
      if (exchange.isTrusted && fields.id[i] === FIELD.xForwardedFor) chain.push(latin1(bytes, fields.valueStart[i]!, fields.valueEnd[i]!));
    }
    putText(`X-Forwarded-For: ${[...chain, exchange.peerAddress].join(', ')}\r\n`);
  }
  if (wants('x-forwarded-proto') && !came(FIELD.xForwardedProto)) putText(`X-Forwarded-Proto: ${exchange.scheme}\r\n`);
  if (wants('x-forwarded-port') && !came(FIELD.xForwardedPort)) putText(`X-Forwarded-Port: ${exchange.localPort}\r\n`);
  if (wants('x-forwarded-host') && !came(FIELD.xForwardedHost) && head.authorityEnd > head.authorityStart) {
    putLine(FORWARDED_HOST, latin1(bytes, head.authorityStart, head.authorityEnd));
  }
  // What a trusted peer says of its client stays, in a line before ours.
  if (exchange.certificateLine !== null && wants('x-forwarded-client-cert')) put(exchange.certificateLine);
  if (wants('x-request-id') && !came(FIELD.xRequestId)) {
    putRequestId();
  }
}

/** RFC 7239 §4: one element for this hop; a trusted peer's own elements stay in their line before ours. */
function forwardedLine(exchange: Exchange, head: RequestHead): string {
  const address = exchange.peerAddress.includes(':') ? `"[${exchange.peerAddress}]"` : exchange.peerAddress;
  const authority = latin1(head.bytes, head.authorityStart, head.authorityEnd);
  return `Forwarded: for=${address};proto=${exchange.scheme}${authority === '' ? '' : `;host="${authority}"`}`;
}

function putRequestId(): void {
  ownIdAt = at + REQUEST_ID_NAME_LENGTH;
  at = writeRequestIdLine(out, at);
}

function putUpgrade(head: RequestHead): void {
  const index = head.fields.indexOf(FIELD.upgrade);
  put(head.acceptsTrailers ? TAKES_TRAILERS_UPGRADE : CONNECTION_UPGRADE);
  putText(`Upgrade: ${latin1(head.bytes, head.fields.valueStart[index]!, head.fields.valueEnd[index]!)}\r\n`);
}

/** The id that the head last built (from `head`) carries, for the access log; '' if an edit took it out. */
export function requestIdOf(built: BuiltHead, exchange: Exchange, head: RequestHead): string {
  if (ownIdAt !== -1) return latin1(built.out, ownIdAt, ownIdAt + REQUEST_ID_LENGTH);
  const edits = exchange.route!.requestEdits;
  if (edits !== null && edits.names.has('x-request-id')) return requestIdOfEdit(edits);
  const kept = head.fields.indexOf(FIELD.xRequestId);
  return kept === -1 ? '' : latin1(head.bytes, head.fields.valueStart[kept]!, head.fields.valueEnd[kept]!);
}

function requestIdOfEdit(edits: LiveEdits): string {
  for (const line of edits.lines) {
    const match = /^x-request-id: *(.*)\r\n$/i.exec(line.toString('latin1'));
    if (match !== null) return match[1]!;
  }
  return '';
}
