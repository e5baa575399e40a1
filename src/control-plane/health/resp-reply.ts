/**
 * Commands and replies of RESP2, the protocol of Redis and what speaks like it,
 * as far as probes need them: a reply is its type and its text, and of an array
 * only what is asked for is read.
 */
import { BadAnswer, exactly, line, read, type Talk } from './talk-script.ts';

/** `+OK`, `-ERR …`, `:1`, `$5 hello` (null: absent); of `*3 …` the text is the count. */
export interface RespReply {
  readonly kind: '+' | '-' | ':' | '$' | '*';
  readonly text: string | null;
}

const LINE_BYTES_MAX = 4096;
const BULK_BYTES_MAX = 60 * 1024;
const KINDS = new Set(['+', '-', ':', '$', '*']);
const NOT_RESP = 'malformed answer: not the protocol of Redis';

export function respCommand(...words: readonly string[]): Buffer {
  return Buffer.from(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`, 'utf8');
}

/** A protocol of lines would be read to the end of its first one; this says so at the first byte. */
function respLine(bytes: Buffer): number {
  if (bytes.length > 0 && !KINDS.has(String.fromCharCode(bytes[0]!))) throw new BadAnswer(NOT_RESP);
  return line(LINE_BYTES_MAX)(bytes);
}

export function* readReply(): Talk<RespReply> {
  const head = yield* read(respLine);
  if (head.at(-2) !== 0x0d) throw new BadAnswer(NOT_RESP);
  const kind = String.fromCharCode(head[0]!) as RespReply['kind'];
  const text = head.toString('utf8', 1, head.length - 2);
  if (kind === '*') return { kind, text: String(lengthOf(text)) };
  if (kind !== '$') return { kind, text };
  const length = lengthOf(text);
  if (length === -1) return { kind, text: null };
  if (length > BULK_BYTES_MAX) throw new BadAnswer(`malformed answer: a text of ${length} bytes`);
  const bulk = yield* read(exactly(length + 2));
  if (bulk.toString('latin1', length) !== '\r\n') throw new BadAnswer(NOT_RESP);
  return { kind, text: bulk.toString('utf8', 0, length) };
}

function lengthOf(text: string): number {
  if (!/^(?:-1|[0-9]{1,10})$/.test(text)) throw new BadAnswer(NOT_RESP);
  return Number(text);
}
