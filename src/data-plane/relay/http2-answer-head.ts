/**
 * Heads of answers as an HTTP/2 client gets them: the same lines pass as in
 * HTTP/1.1 (response-head-rewriter.ts says which), names in lower case, what
 * frames the message left to the frames. Each function appends one HEADERS
 * frame.
 */
import type { HpackEncoder } from '../parse/hpack-encoder.ts';
import { closeHeaders, openHeaders } from '../parse/http2-frames.ts';
import { CR, equalsWord, SPACE } from '../parse/bytes.ts';
import { FieldLines, scanFieldLines } from '../parse/field-lines.ts';
import { FIELD } from '../parse/field-names.ts';
import type { OutBytes } from '../parse/out-bytes.ts';
import type { ResponseHead } from '../parse/response-head.ts';
import { isLeftOut, type AnswerRewrite } from './response-head-rewriter.ts';

const SET_COOKIE_LENGTH = 'set-cookie'.length;
const COLON = 58;

const lines = new FieldLines();

/** `status` is the answer's own, but for a switch of protocols, which is 200 (RFC 8441 §5). */
export function putAnswerHead(out: OutBytes, encoder: HpackEncoder, stream: number, head: ResponseHead, status: number, how: AnswerRewrite, isLast: boolean): void {
  const at = openHeaders(out);
  encoder.begin(out);
  encoder.status(out, status);
  const { bytes, fields } = head;
  for (let i = 0; i < fields.count; i++) {
    const isPlain = fields.id[i] === FIELD.other && how.edits === null && !head.nominatesFields;
    if (!isPlain && isLeftOut(head, i, how)) continue;
    if (head.status === 101 && isOfHandshake(bytes, fields, i)) continue;
    putField(out, encoder, bytes, fields, i);
  }
  if (how.added !== null) putLines(out, encoder, how.added);
  if (how.edits !== null) for (const line of how.edits.lines) putLines(out, encoder, line);
  closeHeaders(out, at, stream, isLast);
}

/** Our own answer: `text` is field lines with CR LF. */
export function putOwnHead(out: OutBytes, encoder: HpackEncoder, stream: number, status: number, text: readonly Buffer[], isLast: boolean): void {
  const at = openHeaders(out);
  encoder.begin(out);
  encoder.status(out, status);
  for (const part of text) putLines(out, encoder, part);
  closeHeaders(out, at, stream, isLast);
}

/** The trailer section, filtered: field lines with their empty line. It ends the stream. */
export function putTrailers(out: OutBytes, encoder: HpackEncoder, stream: number, section: Buffer): void {
  const at = openHeaders(out);
  encoder.begin(out);
  if (scanFieldLines(section, 0, section.length, 0, lines) > 0) {
    for (let i = 0; i < lines.count; i++) putField(out, encoder, section, lines, i);
  }
  closeHeaders(out, at, stream, true);
}

function putField(out: OutBytes, encoder: HpackEncoder, bytes: Buffer, fields: FieldLines, i: number): void {
  const nameStart = fields.nameStart[i]!;
  const nameEnd = fields.nameEnd[i]!;
  const known = fields.known[i]!;
  // No line of Set-Cookie is known.
  if (known !== 0) encoder.knownField(out, known, bytes, nameStart, nameEnd, fields.valueStart[i]!, fields.valueEnd[i]!);
  else encoder.field(out, bytes, nameStart, nameEnd, fields.valueStart[i]!, fields.valueEnd[i]!, isSetCookie(bytes, nameStart, nameEnd));
}

/** Lines of ours, each "Name: value" with CR LF. */
function putLines(out: OutBytes, encoder: HpackEncoder, text: Buffer): void {
  for (let start = 0; start < text.length; ) {
    let nameEnd = start;
    while (text[nameEnd] !== COLON) nameEnd++;
    let valueStart = nameEnd + 1;
    while (text[valueStart] === SPACE) valueStart++;
    let end = valueStart;
    while (end < text.length && text[end] !== CR) end++;
    encoder.field(out, text, start, nameEnd, valueStart, end, isSetCookie(text, start, nameEnd));
    start = end + 2;
  }
}

function isSetCookie(bytes: Buffer, nameStart: number, nameEnd: number): boolean {
  return nameEnd - nameStart === SET_COOKIE_LENGTH && equalsWord(bytes, nameStart, nameEnd, 'set-cookie');
}

/** Between us and the backend alone: its answer to the key that we made (RFC 8441 §5). */
function isOfHandshake(bytes: Buffer, fields: FieldLines, i: number): boolean {
  return equalsWord(bytes, fields.nameStart[i]!, fields.nameEnd[i]!, 'sec-websocket-accept');
}
