/**
 * What a gRPC call asks of a proxy beside HTTP (the protocol is gRPC's "gRPC
 * over HTTP2"): its deadline is kept, and a failure of ours is told as a status
 * of gRPC in a head that ends the stream, since clients look for nothing else.
 */
import type { Exchange } from '../exchange.ts';
import { equalsWord, INCOMPLETE, latin1 } from '../parse/bytes.ts';
import { parseRequestHead, type RequestHead } from '../parse/request-head.ts';
import type { OwnReply } from './own-replies.ts';

const CONTENT_TYPE = /^application\/grpc(?:$|[+;\s])/i;
/** Up to eight digits and a unit. */
const TIMEOUT = /^([0-9]{1,8})([HMSmun])$/;
const MS_BY_UNIT: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 };

const INTERNAL = 13;
const UNKNOWN = 2;
/** By the status of HTTP; as gRPC maps those of proxies that know it not, but for 504, which here is the end of the time allowed. */
const STATUS_BY_HTTP: Readonly<Record<number, number>> = { 400: INTERNAL, 401: 16, 403: 7, 404: 12, 413: 8, 429: 14, 431: INTERNAL, 501: 12, 502: 14, 503: 14, 504: 4 };

const NO_LIMITS = { headerBytesMax: 0, headerCountMax: 0 };

/** The deadline that comes with a request, in ms; 0: none, or none that can be read. */
export function grpcTimeoutMs(head: RequestHead): number {
  const match = TIMEOUT.exec(valueOf(head, 'grpc-timeout'));
  return match === null ? 0 : Math.max(1, Number(match[1]) * MS_BY_UNIT[match[2]!]!);
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

function valueOf({ bytes, fields }: RequestHead, name: string): string {
  for (let i = 0; i < fields.count; i++) {
    if (equalsWord(bytes, fields.nameStart[i]!, fields.nameEnd[i]!, name)) return latin1(bytes, fields.valueStart[i]!, fields.valueEnd[i]!);
  }
  return '';
}

/** Percent-encoded but for what is printed, as the protocol has it. */
function encodeMessage(text: string): string {
  return Array.from(Buffer.from(text, 'utf8'), (byte) => (byte >= 0x20 && byte <= 0x7e && byte !== 0x25 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)).join('');
}
