/**
 * The head of an answer as the client gets it, rewritten where it stands in
 * the connection's read buffer: lines that end here are closed up from behind,
 * and ours go after the status line, so that head and body still leave in one
 * write. The buffer has HEADROOM before the head.
 */
import type { FieldLines } from '../parse/field-lines.ts';
import { FIELD } from '../parse/field-names.ts';
import type { ResponseHead } from '../parse/response-head.ts';
import type { LiveEdits } from '../live/live-route.ts';
import { endsAtProxy } from './hop-headers.ts';

/** What the client's side adds or takes, besides what ends here. */
export interface AnswerRewrite {
  /** Chunk lines pass as they are: Transfer-Encoding stays. */
  takesChunks: boolean;
  /** Lines to add, each with CR LF; null: none. */
  added: Buffer | null;
  edits: LiveEdits | null;
  /** An upgrade was agreed: Connection and Upgrade stay. */
  isUpgrade: boolean;
}

/** True if field `index` of the answer does not pass to the client. */
export function isLeftOut(head: ResponseHead, index: number, how: AnswerRewrite): boolean {
  const { bytes, fields } = head;
  if (how.edits !== null && how.edits.removes(bytes, fields, index)) return true;
  const id = fields.id[index]!;
  // No message of these statuses has a body: what says so is taken out (RFC 9110 §8.6, RFC 9112 §6.1).
  if ((id === FIELD.contentLength || id === FIELD.transferEncoding) && (head.status < 200 || head.status === 204)) return true;
  if (how.isUpgrade && (id === FIELD.connection || id === FIELD.upgrade)) return false;
  return endsAtProxy(bytes, fields, index, how.takesChunks, head.nominatesFields);
}

/**
 * Rewrites the head that ends at `headEnd` so that it ends at `to` (not before
 * `headEnd`: all moves go one way, so none destroys what is still to be moved),
 * and returns where it now starts; -1, with nothing changed, if there is no
 * room before it, or if Connection names fields: the moves would destroy that
 * list while it is still asked.
 */
export function rewriteAnswerHead(head: ResponseHead, headStart: number, headEnd: number, to: number, how: AnswerRewrite): number {
  const { bytes, fields } = head;
  const addedLength = (how.added?.length ?? 0) + editLength(how.edits);
  if (headStart < addedLength || head.nominatesFields) return -1;
  // HTTP/1.0 origins: the version on a connection is the sender's own (RFC 9110 §2.5).
  bytes[headStart + 7] = 49;
  let end = to;
  let runEnd = headEnd;
  for (let i = fields.count - 1; i >= 0; i--) {
    if ((fields.id[i] === FIELD.other && how.edits === null && !head.nominatesFields) || !isLeftOut(head, i, how)) continue;
    end = moveBack(bytes, lineEnd(fields, i, headEnd), runEnd, end);
    runEnd = fields.nameStart[i]!;
  }
  if (addedLength === 0) return moveBack(bytes, headStart, runEnd, end);
  end = moveBack(bytes, head.fieldsStart, runEnd, end);
  // The status line first: our lines may come to stand where it stood.
  const start = end - addedLength - (head.fieldsStart - headStart);
  bytes.copyWithin(start, headStart, head.fieldsStart);
  putAdded(bytes, end - addedLength, how);
  return start;
}

/** The same as a buffer of its own, for lines that do not fit before the head. */
export function composeAnswerHead(head: ResponseHead, headStart: number, headEnd: number, how: AnswerRewrite): Buffer {
  const { bytes, fields } = head;
  const addedLength = (how.added?.length ?? 0) + editLength(how.edits);
  const out = Buffer.allocUnsafe(headEnd - headStart + addedLength);
  let at = bytes.copy(out, 0, headStart, head.fieldsStart);
  out[7] = 49;
  putAdded(out, at, how);
  at += addedLength;
  for (let i = 0; i < fields.count; i++) {
    if (!isLeftOut(head, i, how)) at += bytes.copy(out, at, fields.nameStart[i], lineEnd(fields, i, headEnd));
  }
  at += bytes.copy(out, at, headEnd - 2, headEnd);
  return out.subarray(0, at);
}

function lineEnd(fields: FieldLines, index: number, headEnd: number): number {
  return index + 1 < fields.count ? fields.nameStart[index + 1]! : headEnd - 2;
}

/** Moves bytes[start, end) so that they end at `to`; returns where they start. */
function moveBack(bytes: Buffer, start: number, end: number, to: number): number {
  const length = end - start;
  if (to !== end && length > 0) bytes.copyWithin(to - length, start, end);
  return to - length;
}

function editLength(edits: LiveEdits | null): number {
  let length = 0;
  if (edits !== null) for (const line of edits.lines) length += line.length;
  return length;
}

function putAdded(out: Buffer, at: number, how: AnswerRewrite): void {
  let to = at;
  if (how.added !== null) to += how.added.copy(out, to);
  if (how.edits !== null) for (const line of how.edits.lines) to += line.copy(out, to);
}
