/** What answers over HTTP/2 carry besides the backend's fields: the date, Via, and the fields of our own replies. */
import type { Exchange } from '../exchange.ts';
import type { ResponseHead } from '../parse/response-head.ts';
import type { OwnReply } from '../relay/own-replies.ts';
import { dateText, type AnswerClock } from './answer-date.ts';

/** By the version of the answer as it came (RFC 9110 §7.6.3). */
const VIA_LINES = ['Via: 1.0 weir\r\n', 'Via: 1.1 weir\r\n'].map((line) => Buffer.from(line, 'latin1'));

let lastDate = '';
let dateLine = Buffer.alloc(0);

function date(clock: AnswerClock): Buffer {
  const text = dateText(clock);
  if (text !== lastDate) {
    lastDate = text;
    dateLine = Buffer.from(`Date: ${text}\r\n`, 'latin1');
  }
  return dateLine;
}

/** Lines to add to an answer of a backend; null: none. */
export function addedLines(head: ResponseHead, via: boolean, clock: AnswerClock): Buffer | null {
  const needsDate = !head.hasDate && head.status >= 200;
  if (!via) return needsDate ? date(clock) : null;
  const viaLine = VIA_LINES[head.minorVersion === 0 ? 0 : 1]!;
  return needsDate ? Buffer.concat([date(clock), viaLine]) : viaLine;
}

/** Our own reply as field lines and body. */
export function ownLines(reply: OwnReply, exchange: Exchange, via: boolean, clock: AnswerClock): { lines: Buffer[]; body: Buffer } {
  const hasBody = reply.status !== 204 && reply.status !== 304;
  const body = Buffer.from(hasBody ? reply.body : '', 'utf8');
  const lines = [date(clock), Buffer.from(`${reply.fields}${hasBody ? `Content-Length: ${body.length}\r\n` : ''}`, 'latin1')];
  if (via) lines.push(VIA_LINES[1]!);
  return { lines: [...lines, ...(exchange.route?.answerEdits?.lines ?? [])], body };
}
