/**
 * The fields of an HTTP/2 answer, held to RFC 9113 §8.2 and §8.3.2, and written
 * as the head of the same answer in HTTP/1.1. What comes after (the strict
 * parser of heads, rewriting, framing for the client) is one code for both. The
 * parser is told where the lines stand, since who wrote them knows it.
 * Whatever could end a line early is refused here. Pure.
 */
import { STATUS_CODES } from 'node:http';
import { COLON, copyBytes, CR, latin1, LF, SPACE, TOKEN_FOLDED } from './bytes.ts';
import { FIELD_COUNT_LIMIT, FieldLines } from './field-lines.ts';
import { FIELD, fieldId, HASH_START, hashStep } from './field-names.ts';
import type { FieldSink } from './hpack-decoder.ts';
import { isFieldValue } from './http2-field-value.ts';
import type { OutBytes } from './out-bytes.ts';
import type { HeadLimits } from './request-head.ts';

/** Where the config sets no limit: a few bytes of a block can stand for thousands. */
const HEADER_BYTES_LIMIT = 1024 * 1024;
/** With a reason, which may be missing by the grammar and is missed by some clients. */
const statusLines: Buffer[] = [];
const CHUNKED_LINE = Buffer.from('transfer-encoding: chunked\r\n', 'latin1');
const EMPTY_LINE = Buffer.from('content-length: 0\r\n', 'latin1');

export class AnswerFields implements FieldSink {
  /** Why the answer is malformed; '': it is not. */
  problem = '';
  /** Over the limits; what came after was not looked at. */
  isTooLarge = false;
  /** 0: a trailer section. */
  status = 0;
  /** -1: it says none. */
  contentLength = -1;
  /** The lines of a head, by their places in `out`; they end at `listedEnd`. */
  readonly lines = new FieldLines();
  listedEnd = 0;
  #out!: OutBytes;
  #start = 0;
  #count = 0;
  #isTrailer = false;
  #limits: HeadLimits = { headerBytesMax: 0, headerCountMax: 0 };

  /** Before each block; what is made of it is put behind what `out` holds. `isTrailer`: the section behind a body. */
  begin(out: OutBytes, limits: HeadLimits, isTrailer: boolean): void {
    this.problem = '';
    this.isTooLarge = false;
    this.status = 0;
    this.contentLength = -1;
    this.lines.count = 0;
    this.#out = out;
    this.#start = out.length;
    this.#count = 0;
    this.#isTrailer = isTrailer;
    this.#limits = limits;
  }

  onField(name: Buffer, nameStart: number, nameEnd: number, value: Buffer, valueStart: number, valueEnd: number): void {
    if (this.problem !== '' || this.isTooLarge) return;
    const { headerBytesMax, headerCountMax } = this.#limits;
    const bytes = nameEnd - nameStart + valueEnd - valueStart + 4;
    this.isTooLarge = this.#out.length - this.#start + bytes > (headerBytesMax || HEADER_BYTES_LIMIT) || ++this.#count > (headerCountMax || FIELD_COUNT_LIMIT) + 1;
    if (this.isTooLarge) return;
    if (name[nameStart] === COLON) return this.#takeStatus(name, nameStart, nameEnd, value, valueStart, valueEnd);
    if (this.status === 0 && !this.#isTrailer) return void (this.problem = 'no status');
    const id = nameId(name, nameStart, nameEnd);
    if (id === -1) return void (this.problem = 'a field name is malformed, or not in lower case');
    if (!isFieldValue(value, valueStart, valueEnd)) return void (this.problem = 'a field value is malformed');
    switch (id) {
      case FIELD.connection:
      case FIELD.keepAlive:
      case FIELD.proxyConnection:
      case FIELD.transferEncoding:
      case FIELD.upgrade:
        return void (this.problem = 'a field that is for one connection of HTTP/1.1');
      case FIELD.contentLength:
        return this.#takeLength(id, name, nameStart, nameEnd, value, valueStart, valueEnd);
    }
    this.#putLine(id, name, nameStart, nameEnd, value, valueStart, valueEnd);
  }

  /**
   * The block is over. An answer without a length is framed by chunks, as it
   * would be in HTTP/1.1, or has the length 0 if no body follows; `hasNone`:
   * its kind has no body, whatever it says.
   */
  finish(isLast: boolean, hasNone: boolean): void {
    if (this.problem !== '' || this.isTooLarge) return;
    const out = this.#out;
    if (!this.#isTrailer) {
      if (this.status === 0) return void (this.problem = 'no status');
      if (this.contentLength === -1 && this.status >= 200 && !hasNone) {
        if (isLast) this.#putWhole(FIELD.contentLength, EMPTY_LINE, 'content-length'.length);
        else this.#putWhole(FIELD.transferEncoding, CHUNKED_LINE, 'transfer-encoding'.length);
      }
    }
    this.listedEnd = out.length;
    out.reserve(2);
    putLineEnd(out);
  }

  #takeStatus(name: Buffer, nameStart: number, nameEnd: number, value: Buffer, start: number, end: number): void {
    const isStatus = nameEnd - nameStart === 7 && latin1(name, nameStart, nameEnd) === ':status';
    if (!isStatus || this.#isTrailer || this.status !== 0 || this.#count > 1) return void (this.problem = 'a pseudo-field that answers have not, or out of place');
    let status = 0;
    for (let i = start; i < end; i++) {
      const digit = value[i]! - 48;
      if (digit < 0 || digit > 9) return void (this.problem = 'the status is no number');
      status = status * 10 + digit;
    }
    if (end - start !== 3 || status < 100 || status > 599) return void (this.problem = 'the status is none');
    // It is for one connection of HTTP/1.1 (§8.6).
    if (status === 101) return void (this.problem = 'status 101');
    this.status = status;
    const out = this.#out;
    const line = (statusLines[status] ??= Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`, 'latin1'));
    out.reserve(line.length);
    out.length = copyBytes(line, 0, line.length, out.bytes, out.length);
  }

  /** A line of ours. */
  #putWhole(id: number, line: Buffer, nameLength: number): void {
    const out = this.#out;
    const start = out.length;
    out.reserve(line.length);
    out.length = copyBytes(line, 0, line.length, out.bytes, start);
    this.lines.add(id, start, start + nameLength, start + nameLength + 2, out.length - 2);
  }

  #takeLength(id: number, name: Buffer, nameStart: number, nameEnd: number, value: Buffer, start: number, end: number): void {
    let length = 0;
    for (let i = start; i < end; i++) {
      const digit = value[i]! - 48;
      if (digit < 0 || digit > 9) return void (this.problem = 'the length is no number');
      length = length * 10 + digit;
    }
    if (start === end || !Number.isSafeInteger(length)) return void (this.problem = 'the length is no number');
    if (this.contentLength !== -1) {
      if (this.contentLength !== length) this.problem = 'two lengths';
      return;
    }
    this.contentLength = length;
    this.#putLine(id, name, nameStart, nameEnd, value, start, end);
  }

  #putLine(id: number, name: Buffer, nameStart: number, nameEnd: number, value: Buffer, valueStart: number, valueEnd: number): void {
    const out = this.#out;
    out.reserve(nameEnd - nameStart + valueEnd - valueStart + 4);
    const { bytes } = out;
    const start = out.length;
    const colon = copyBytes(name, nameStart, nameEnd, bytes, start);
    bytes[colon] = COLON;
    bytes[colon + 1] = SPACE;
    out.length = copyBytes(value, valueStart, valueEnd, bytes, colon + 2);
    this.lines.add(id, start, colon, colon + 2, out.length);
    putLineEnd(out);
  }
}

/** Number of the name in field-names.ts; -1: it is no token, or not in lower case (§8.2.1). */
function nameId(name: Buffer, start: number, end: number): number {
  let hash = HASH_START;
  for (let i = start; i < end; i++) {
    const byte = name[i]!;
    const folded = TOKEN_FOLDED[byte]!;
    if (folded === 0 || (byte >= 65 && byte <= 90)) return -1;
    hash = hashStep(hash, folded);
  }
  return start === end ? -1 : fieldId(name, start, end, hash);
}

function putLineEnd(out: OutBytes): void {
  out.bytes[out.length++] = CR;
  out.bytes[out.length++] = LF;
}
