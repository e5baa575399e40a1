/**
 * The fields of an HTTP/2 answer, held to RFC 9113 §8.2 and §8.3.2, and written
 * as the head of the same answer in HTTP/1.1. What comes after (the strict
 * parser of heads, rewriting, framing for the client) is one code for both.
 * Whatever could end a line early is refused here. Pure.
 */
import { STATUS_CODES } from 'node:http';
import { latin1, SPACE, TOKEN_FOLDED } from './bytes.ts';
import { FIELD_COUNT_LIMIT } from './field-lines.ts';
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
    if (name[nameStart] === 58) return this.#takeStatus(name, nameStart, nameEnd, value, valueStart, valueEnd);
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
        return this.#takeLength(name, nameStart, nameEnd, value, valueStart, valueEnd);
    }
    this.#putLine(name, nameStart, nameEnd, value, valueStart, valueEnd);
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
        const line = isLast ? EMPTY_LINE : CHUNKED_LINE;
        out.reserve(line.length);
        out.length += line.copy(out.bytes, out.length);
      }
    }
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
    out.length += line.copy(out.bytes, out.length);
  }

  #takeLength(name: Buffer, nameStart: number, nameEnd: number, value: Buffer, start: number, end: number): void {
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
    this.#putLine(name, nameStart, nameEnd, value, start, end);
  }

  #putLine(name: Buffer, nameStart: number, nameEnd: number, value: Buffer, valueStart: number, valueEnd: number): void {
    const out = this.#out;
    out.reserve(nameEnd - nameStart + valueEnd - valueStart + 4);
    out.length += name.copy(out.bytes, out.length, nameStart, nameEnd);
    out.bytes[out.length++] = 58;
    out.bytes[out.length++] = SPACE;
    out.length += value.copy(out.bytes, out.length, valueStart, valueEnd);
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
  out.bytes[out.length++] = 13;
  out.bytes[out.length++] = 10;
}
