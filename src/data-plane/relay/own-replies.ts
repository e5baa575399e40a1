/** Answers this proxy gives itself: errors, redirects, fixed responses; in text, or JSON for who asks for it. */
import { STATUS_CODES } from 'node:http';
import type { Exchange } from '../exchange.ts';
import { equalsWord, INCOMPLETE, latin1 } from '../parse/bytes.ts';
import { parseRequestHead, type RequestHead } from '../parse/request-head.ts';
import { errorSpecs, type ErrorCode } from '../../base/errors.ts';

export interface OwnReply {
  readonly status: number;
  /** Field lines with CR LF: content type and what belongs to the reply. Length, date and connection are the sender's. */
  readonly fields: string;
  readonly body: string;
}

/** The reply to a failure. `wantsJson`: the request's Accept names JSON. */
export function errorReply(code: ErrorCode, wantsJson: boolean): OwnReply {
  const { status, text } = errorSpecs[code];
  if (!wantsJson) return { status, fields: 'Content-Type: text/plain; charset=utf-8\r\n', body: `${status} ${reasonOf(status)}\n${text}\n` };
  return { status, fields: 'Content-Type: application/json\r\n', body: `${JSON.stringify({ status, error: code, message: text })}\n` };
}

export function redirectReply(status: number, location: string): OwnReply {
  return { status, fields: `Location: ${location}\r\n`, body: '' };
}

export function fixedReply(status: number, contentType: string, body: string): OwnReply {
  return { status, fields: body === '' ? '' : `Content-Type: ${contentType}\r\n`, body };
}

export function reasonOf(status: number): string {
  return STATUS_CODES[status] ?? 'Unknown';
}

/**
 * True if an Accept field prefers JSON to text (RFC 9110 §12.5.1): it names a
 * JSON type with a weight above 0 and not below that of text/plain or text/html.
 */
export function acceptsJson(accept: string): boolean {
  let json = 0;
  let text = 0;
  for (const member of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = member.split(';').map((part) => part.trim());
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    const weight = q === undefined ? 1 : Number(q.slice(2)) || 0;
    if (type === 'application/json' || type.endsWith('+json')) json = Math.max(json, weight);
    else if (type.startsWith('text/')) text = Math.max(text, weight);
  }
  return json > 0 && json >= text;
}

const NO_LIMITS = { headerBytesMax: 0, headerCountMax: 0 };

/** What `acceptsJson` says of the exchange's request. Its head is read again, into `scratch`: only errors ask. */
export function prefersJson(exchange: Exchange, scratch: RequestHead): boolean {
  const bytes = exchange.requestBytes;
  if (parseRequestHead(bytes, exchange.requestStart, exchange.requestEnd, NO_LIMITS, scratch) <= INCOMPLETE) return false;
  const { fields } = scratch;
  for (let i = 0; i < fields.count; i++) {
    if (equalsWord(bytes, fields.nameStart[i]!, fields.nameEnd[i]!, 'accept')) return acceptsJson(latin1(bytes, fields.valueStart[i]!, fields.valueEnd[i]!));
  }
  return false;
}
