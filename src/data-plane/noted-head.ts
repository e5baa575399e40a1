/**
 * Where in an exchange's request bytes the access log finds what it says of
 * the request. Noted when the head is parsed, since by the end of the exchange
 * another request has used the parser's result: to parse the head again cost
 * a microsecond for each line of the log.
 */
import { hostEnd } from './parse/authority.ts';
import { equalsWord, latin1 } from './parse/bytes.ts';
import { FIELD } from './parse/field-names.ts';
import type { RequestHead } from './parse/request-head.ts';

const REFERER = 'referer';
const USER_AGENT = 'user-agent';

export class NotedHead {
  #bytes: Buffer | null = null;
  #methodStart = 0;
  #methodEnd = 0;
  #targetStart = 0;
  #targetEnd = 0;
  #hostStart = 0;
  #hostEnd = 0;
  /** Of the value; 0: the field is not there. */
  #refererStart = 0;
  #refererEnd = 0;
  #userAgentStart = 0;
  #userAgentEnd = 0;
  minorVersion = 1;

  note(head: RequestHead): void {
    const { bytes, fields } = head;
    this.#bytes = bytes;
    this.#methodStart = head.methodStart;
    this.#methodEnd = head.methodEnd;
    this.#targetStart = head.targetStart;
    this.#targetEnd = head.targetEnd;
    this.#hostStart = head.authorityStart;
    this.#hostEnd = hostEnd(bytes, head.authorityStart, head.authorityEnd);
    this.minorVersion = head.minorVersion;
    this.#refererStart = this.#refererEnd = this.#userAgentStart = this.#userAgentEnd = 0;
    for (let i = 0; i < fields.count; i++) {
      if (fields.id[i] !== FIELD.other) continue;
      const start = fields.nameStart[i]!;
      const end = fields.nameEnd[i]!;
      if (equalsWord(bytes, start, end, REFERER)) {
        this.#refererStart = fields.valueStart[i]!;
        this.#refererEnd = fields.valueEnd[i]!;
      } else if (equalsWord(bytes, start, end, USER_AGENT)) {
        this.#userAgentStart = fields.valueStart[i]!;
        this.#userAgentEnd = fields.valueEnd[i]!;
      }
    }
  }

  /** The bytes are no longer the exchange's. */
  forget(): void {
    this.#bytes = null;
  }

  /** False: no whole head came, or it was forgotten; then all texts are ''. */
  get isKnown(): boolean {
    return this.#bytes !== null;
  }

  get method(): string {
    return this.#text(this.#methodStart, this.#methodEnd);
  }
  get target(): string {
    return this.#text(this.#targetStart, this.#targetEnd);
  }
  /** Without port. */
  get host(): string {
    return this.#text(this.#hostStart, this.#hostEnd);
  }
  get referer(): string {
    return this.#text(this.#refererStart, this.#refererEnd);
  }
  get userAgent(): string {
    return this.#text(this.#userAgentStart, this.#userAgentEnd);
  }

  #text(start: number, end: number): string {
    return this.#bytes === null || end === start ? '' : latin1(this.#bytes, start, end);
  }
}
