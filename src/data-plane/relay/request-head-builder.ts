/**
 * The request as the backend gets it: one unambiguous, normalised head, built
 * by one pass of copies into the backend connection's own buffer. Runs of
 * lines that pass unchanged are one copy each; what names the client, the
 * scheme and the request is ours (CONFIG: "Passed on").
 */
import { latin1 } from '../parse/bytes.ts';
import { FIELD } from '../parse/field-names.ts';
import { type RequestHead, TARGET_FORM } from '../parse/request-head.ts';
import type { Exchange } from '../exchange.ts';
import type { LiveEdits } from '../live/live-route.ts';
import { endsHere } from './hop-headers.ts';
import { REQUEST_ID_LENGTH, writeRequestId } from './request-id.ts';

const VERSION_LINE = Buffer.from(' HTTP/1.1\r\n', 'latin1');
const CRLF = Buffer.from('\r\n', 'latin1');
const CHUNKED = Buffer.from('Transfer-Encoding: chunked\r\n', 'latin1');
const VIA = Buffer.from('Via: 1.1 weir\r\n', 'latin1');
const FORWARDED_HOST = Buffer.from('X-Forwarded-Host: ', 'latin1');
const REQUEST_ID = Buffer.from('X-Request-ID: ', 'latin1');
const HOST = Buffer.from('Host: ', 'latin1');
const CONNECTION_UPGRADE = Buffer.from('Connection: upgrade\r\n', 'latin1');

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

/** `newTarget`: the rewritten target, or null. `bodyRoom`: bytes that should fit behind the head. */
export function buildRequestHead(exchange: Exchange, head: RequestHead, newTarget: string | null, target: BuiltHead, bodyRoom: number): void {
  const edits = exchange.route!.requestEdits;
  const rewriteHost = exchange.route!.rewriteHost;
  const { fields, bytes } = head;
  const headBytes = exchange.requestEnd - exchange.requestStart;
  const most = headBytes * 2 + ADDED_BYTES_MAX + exchange.peerAddress.length + (newTarget?.length ?? 0) + (edits?.bytesMax ?? 0) + bodyRoom;
  if (target.out.length < most) target.out = Buffer.allocUnsafeSlow(most);
  out = target.out;
  at = 0;
  putRequestLine(head, newTarget);
  const ownHost = rewriteHost ?? (head.form === TARGET_FORM.absolute ? latin1(bytes, head.authorityStart, head.authorityEnd) : null);
  if (ownHost !== null) putLine(HOST, ownHost);
  // HTTP/1.0 may come without; the backend is spoken to in HTTP/1.1, where it must be there (RFC 9112 §3.2).
  else if (head.minorVersion === 0 && fields.indexOf(FIELD.host) === -1) putLine(HOST, '');
  putPassedFields(exchange, head, edits, ownHost !== null);
  putOwnFields(exchange, head, edits);
  if (head.chunked) put(CHUNKED);
  if (exchange.wantsUpgrade) putUpgrade(head);
  if (edits !== null) for (const line of edits.lines) put(line);
  put(CRLF);
  target.outLength = at;
}

function put(bytes: Buffer): void {
  bytes.copy(out, at);
  at += bytes.length;
}

function putRange(bytes: Buffer, start: number, end: number): void {
  bytes.copy(out, at, start, end);
  at += end - start;
}

function putText(text: string): void {
  at += out.write(text, at, 'latin1');
}

function putLine(name: Buffer, value: string): void {
  put(name);
  putText(value);
  put(CRLF);
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

/** Copies the lines that pass, a run at a time. */
function putPassedFields(exchange: Exchange, head: RequestHead, edits: LiveEdits | null, hasOwnHost: boolean): void {
  const { bytes, fields } = head;
  const count = fields.count;
  const isTrusted = exchange.isTrusted;
  const nominates = head.nominatesFields;
  let runStart = count === 0 ? 0 : fields.nameStart[0]!;
  for (let i = 0; i < count; i++) {
    const id = fields.id[i]!;
    const isPassed =
      (id === FIELD.other && !nominates) ||
      (!endsHere(bytes, fields, i, isTrusted, nominates) && !(id === FIELD.host && hasOwnHost));
    if (isPassed && (edits === null || !edits.removes(bytes, fields, i))) continue;
    const lineStart = fields.nameStart[i]!;
    if (lineStart > runStart) putRange(bytes, runStart, lineStart);
    runStart = i + 1 < count ? fields.nameStart[i + 1]! : exchange.requestEnd - 2;
  }
  const end = exchange.requestEnd - 2;
  if (count > 0 && end > runStart) putRange(bytes, runStart, end);
}

function putOwnFields(exchange: Exchange, head: RequestHead, edits: LiveEdits | null): void {
  const { listener } = exchange;
  // Edits that remove or set one of ours are rare: then each is asked for.
  if (exchange.isTrusted || (edits?.touchesOwn ?? false)) putOwnFieldsSlowly(exchange, head, edits);
  else {
    put(exchange.forwardedLines);
    if (head.authorityEnd > head.authorityStart) {
      put(FORWARDED_HOST);
      putRange(head.bytes, head.authorityStart, head.authorityEnd);
      put(CRLF);
    }
    put(REQUEST_ID);
    at = writeRequestId(out, at);
    put(CRLF);
  }
  if (listener.spec.forwarded) putText(`${forwardedLine(exchange, head)}\r\n`);
  if (listener.spec.via) put(VIA);
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
  if (wants('x-forwarded-proto') && !came(FIELD.xForwardedProto)) putText('X-Forwarded-Proto: http\r\n');
  if (wants('x-forwarded-port') && !came(FIELD.xForwardedPort)) putText(`X-Forwarded-Port: ${exchange.localPort}\r\n`);
  if (wants('x-forwarded-host') && !came(FIELD.xForwardedHost) && head.authorityEnd > head.authorityStart) {
    putLine(FORWARDED_HOST, latin1(bytes, head.authorityStart, head.authorityEnd));
  }
  if (wants('x-request-id') && !came(FIELD.xRequestId)) {
    put(REQUEST_ID);
    at = writeRequestId(out, at);
    put(CRLF);
  }
}

/** RFC 7239 §4: one element for this hop; a trusted peer's own elements stay in their line before ours. */
function forwardedLine(exchange: Exchange, head: RequestHead): string {
  const address = exchange.peerAddress.includes(':') ? `"[${exchange.peerAddress}]"` : exchange.peerAddress;
  const authority = latin1(head.bytes, head.authorityStart, head.authorityEnd);
  return `Forwarded: for=${address};proto=http${authority === '' ? '' : `;host="${authority}"`}`;
}

function putUpgrade(head: RequestHead): void {
  const index = head.fields.indexOf(FIELD.upgrade);
  put(CONNECTION_UPGRADE);
  putText(`Upgrade: ${latin1(head.bytes, head.fields.valueStart[index]!, head.fields.valueEnd[index]!)}\r\n`);
}

/** The id that a built head carries, for the access log; '' if an edit took it out. */
export function requestIdOf(built: BuiltHead): string {
  const name = built.out.indexOf('X-Request-ID: ', 0, 'latin1');
  if (name === -1 || name >= built.outLength) return '';
  const start = name + REQUEST_ID.length;
  return latin1(built.out, start, Math.min(built.out.indexOf('\r', start), start + REQUEST_ID_LENGTH * 4));
}
