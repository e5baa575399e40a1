/**
 * What a gRPC call asks of a proxy beside HTTP (the protocol is gRPC's "gRPC
 * over HTTP2"): its deadline is kept, and a failure of ours is told as a status
 * of gRPC in a head that ends the stream, since clients look for nothing else.
 */
import type { Exchange } from '../exchange.ts';
import { equalsWord, INCOMPLETE, latin1 } from '../parse/bytes.ts';
import { FieldLines, scanFieldLines } from '../parse/field-lines.ts';
import { METHOD, parseRequestHead, type RequestHead } from '../parse/request-head.ts';
import type { ResponseHead } from '../parse/response-head.ts';
import type { OwnReply } from './own-replies.ts';
import type { BuiltHead } from './request-head-builder.ts';

const CONTENT_TYPE = /^application\/grpc(?:$|[+;\s])/i;
/** Up to eight digits and a unit. */
const TIMEOUT = /^([0-9]{1,8})([HMSmun])$/;
const MS_BY_UNIT: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 };

const INTERNAL = 13;
const UNKNOWN = 2;
/** By the status of HTTP; as gRPC maps those of proxies that know it not, but for 504, which here is the end of the time allowed. */
const STATUS_BY_HTTP: Readonly<Record<number, number>> = { 400: INTERNAL, 401: 16, 403: 7, 404: 12, 413: 8, 429: 14, 431: INTERNAL, 501: 12, 502: 14, 503: 14, 504: 4 };

/** What a client may have counted before. */
const ATTEMPTS_SHOWN_MAX = 1000;

const NO_LIMITS = { headerBytesMax: 0, headerCountMax: 0 };

/** The deadline that comes with a request, in ms; 0: none, or none that can be read. */
export function grpcTimeoutMs(head: RequestHead): number {
  const match = TIMEOUT.exec(valueOf(head, 'grpc-timeout'));
  return match === null ? 0 : Math.max(1, Number(match[1]) * MS_BY_UNIT[match[2]!]!);
}

/** A call, by its request's method and content type. The head is read again, into `scratch`: only failures ask. */
export function isGrpcCall({ method, requestBytes, requestStart, requestEnd }: Exchange, scratch: RequestHead): boolean {
  if (method !== METHOD.post || parseRequestHead(requestBytes, requestStart, requestEnd, NO_LIMITS, scratch) <= INCOMPLETE) return false;
  return CONTENT_TYPE.test(valueOf(scratch, 'content-type'));
}

/** Of an answer whose trailers are its head; -1: it says none. */
export function grpcStatusOf(head: ResponseHead): number {
  const value = valueOf(head, 'grpc-status');
  return /^[0-9]{1,2}$/.test(value) ? Number(value) : -1;
}

/** When the backend wants to be asked again, in ms; 0: it says nothing; -1: not at all, or what cannot be read. */
export function pushbackMs(head: ResponseHead): number {
  const value = valueOf(head, 'grpc-retry-pushback-ms');
  if (value === '') return 0;
  return /^[0-9]{1,9}$/.test(value) ? Number(value) : -1;
}

const ATTEMPTS_NAME = 'grpc-previous-rpc-attempts';
const lines = new FieldLines();

/** The request with one attempt more in what tells the backend of those before. */
export function withAttempt(request: BuiltHead): BuiltHead {
  const { out, outLength } = request;
  const fieldsStart = out.indexOf(10) + 1;
  const bodyStart = scanFieldLines(out, fieldsStart, outLength, 0, lines);
  if (bodyStart < 1) throw new Error('a request head of ours cannot be read');
  let before = 0;
  const parts = [out.subarray(0, fieldsStart)];
  for (let i = 0; i < lines.count; i++) {
    const start = lines.nameStart[i]!;
    const end = i + 1 < lines.count ? lines.nameStart[i + 1]! : bodyStart - 2;
    if (!equalsWord(out, start, lines.nameEnd[i]!, ATTEMPTS_NAME)) parts.push(out.subarray(start, end));
    else before = Math.min(ATTEMPTS_SHOWN_MAX, Number(latin1(out, lines.valueStart[i]!, lines.valueEnd[i]!)) || 0);
  }
  parts.push(Buffer.from(`${ATTEMPTS_NAME}: ${before + 1}\r\n`, 'latin1'), out.subarray(bodyStart - 2, outLength));
  const whole = Buffer.concat(parts);
  return { out: whole, outLength: whole.length };
}

/** The reply to an exchange as its client can read it. The request's head is read again, into `scratch`: only failures ask. */
export function replyFor(reply: OwnReply, exchange: Exchange, scratch: RequestHead): OwnReply {
  if (reply.status < 400) return reply;
  const { requestBytes, requestStart, requestEnd } = exchange;
  if (parseRequestHead(requestBytes, requestStart, requestEnd, NO_LIMITS, scratch) <= INCOMPLETE) return reply;
  if (!CONTENT_TYPE.test(valueOf(scratch, 'content-type'))) return reply;
  const status = STATUS_BY_HTTP[reply.status] ?? UNKNOWN;
  const message = reply.body.trimEnd().split('\n').at(-1)!;
  return { status: 200, fields: `Content-Type: application/grpc\r\ngrpc-status: ${status}\r\ngrpc-message: ${encodeMessage(message)}\r\n`, body: '' };
}

function valueOf({ bytes, fields }: Pick<RequestHead, 'bytes' | 'fields'>, name: string): string {
  for (let i = 0; i < fields.count; i++) {
    if (equalsWord(bytes, fields.nameStart[i]!, fields.nameEnd[i]!, name)) return latin1(bytes, fields.valueStart[i]!, fields.valueEnd[i]!);
  }
  return '';
}

/** Percent-encoded but for what is printed, as the protocol has it. */
function encodeMessage(text: string): string {
  return Array.from(Buffer.from(text, 'utf8'), (byte) => (byte >= 0x20 && byte <= 0x7e && byte !== 0x25 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)).join('');
}
