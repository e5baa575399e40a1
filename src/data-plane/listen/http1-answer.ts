/**
 * Writes answers to an HTTP/1.1 client: chooses the framing the client can
 * read, sets our lines, and knows whether the socket has taken everything.
 */
import type { Socket } from 'node:net';
import type { BodyKind } from '../exchange.ts';
import { METHOD } from '../parse/request-head.ts';
import type { ResponseHead } from '../parse/response-head.ts';
import type { LiveEdits } from '../live/live-route.ts';
import { composeAnswerHead, rewriteAnswerHead, type AnswerRewrite } from '../relay/response-head-rewriter.ts';
import { reasonOf, type OwnReply } from '../relay/own-replies.ts';

/** What the answer to this request is held to. */
export interface AnswerTerms {
  minorVersion: number;
  method: number;
  /** The connection closes after this answer. */
  closes: boolean;
  via: boolean;
  edits: LiveEdits | null;
}

const CLOSE_LINE = 'Connection: close\r\n';
const KEEP_ALIVE_LINE = 'Connection: keep-alive\r\n';
const CHUNKED_LINE = 'Transfer-Encoding: chunked\r\n';
const VIA_LINE = 'Via: 1.1 weir\r\n';
const LAST_CHUNK = Buffer.from('0\r\n\r\n', 'latin1');

/** Added lines by their combination; those with a date are made anew each second. */
const addedCache = new Map<number, Buffer>();

export class Http1Answer {
  readonly #socket: Socket;
  readonly #wallMs: () => number;
  readonly #rewrite: AnswerRewrite = { takesChunks: true, added: null, edits: null, isUpgrade: false };
  /** We set chunk lines around the data ourselves. */
  #setsChunks = false;
  /** The end of the body is the end of the connection. */
  isCloseDelimited = false;
  /** Bytes handed to the socket since the last look; the owner takes them. */
  bytesWritten = 0;

  constructor(socket: Socket, wallMs: () => number) {
    this.#socket = socket;
    this.#wallMs = wallMs;
  }

  get isFlushed(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** `terms.closes` is set if the framing needs the close. */
  sendHead(head: ResponseHead, headStart: number, headEnd: number, bodyStart: number, bodyEnd: number, kind: BodyKind, isLast: boolean, terms: AnswerTerms): void {
    const isOld = terms.minorVersion === 0;
    const isUpgrade = head.status === 101;
    const isUnsized = kind === 'until-close' || (kind === 'chunked' && isOld);
    this.isCloseDelimited = isUnsized && isOld;
    this.#setsChunks = kind === 'until-close' && !isOld;
    if (this.isCloseDelimited) terms.closes = true;
    const how = this.#rewrite;
    how.takesChunks = !isOld && !this.#setsChunks && !isUpgrade;
    how.isUpgrade = isUpgrade;
    how.edits = terms.edits;
    how.added = this.#addedLines(head, terms, isUpgrade);
    const { bytes } = head;
    let line = '';
    if (this.#setsChunks && bodyEnd > bodyStart) line = `${(bodyEnd - bodyStart).toString(16)}\r\n`;
    const end = this.#setsChunks ? this.#endChunk(bytes, bodyStart, bodyEnd, isLast) : bodyEnd;
    const start = rewriteAnswerHead(head, headStart, headEnd, headEnd - bodyStart + line.length, how);
    if (line !== '') bytes.write(line, bodyStart - line.length, 'latin1');
    if (start >= 0) this.#write(bytes.subarray(start, end));
    else {
      this.#write(composeAnswerHead(head, headStart, headEnd, how));
      if (end > bodyStart) this.#write(bytes.subarray(bodyStart - line.length, end));
    }
  }

  sendInterim(head: ResponseHead, start: number, end: number): void {
    const how: AnswerRewrite = { takesChunks: false, added: null, edits: null, isUpgrade: false };
    this.#write(composeAnswerHead(head, start, end, how));
  }

  sendBody(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    if (!this.#setsChunks) {
      if (end > start) this.#write(bytes.subarray(start, end));
      return;
    }
    let from = start;
    if (end > start) {
      const line = `${(end - start).toString(16)}\r\n`;
      from = start - line.length;
      bytes.write(line, from, 'latin1');
    }
    this.#write(bytes.subarray(from, this.#endChunk(bytes, start, end, isLast)));
  }

  /** After a chunked body whose trailers were kept apart; an older client gets no trailers. */
  sendTrailer(trailer: Buffer): void {
    if (this.#rewrite.takesChunks) this.#write(trailer);
  }

  sendTunnel(bytes: Buffer, start: number, end: number): void {
    this.#write(bytes.subarray(start, end));
  }

  sendOwnReply(reply: OwnReply, terms: AnswerTerms): void {
    const hasBody = reply.status !== 204 && reply.status !== 304;
    const body = hasBody ? Buffer.from(reply.body, 'utf8') : Buffer.alloc(0);
    let text = `HTTP/1.1 ${reply.status} ${reasonOf(reply.status)}\r\nDate: ${this.#date()}\r\n${reply.fields}`;
    if (hasBody) text += `Content-Length: ${body.length}\r\n`;
    if (terms.closes) text += CLOSE_LINE;
    else if (terms.minorVersion === 0) text += KEEP_ALIVE_LINE;
    if (terms.via) text += VIA_LINE;
    const lines = terms.edits === null ? [] : terms.edits.lines;
    const head = Buffer.concat([Buffer.from(text, 'latin1'), ...lines, Buffer.from('\r\n')]);
    this.#write(terms.method === METHOD.head || body.length === 0 ? head : Buffer.concat([head, body]));
  }

  #write(bytes: Uint8Array): void {
    this.bytesWritten += bytes.length;
    this.#socket.write(bytes);
  }

  /** Closes the data's chunk and, at the end, the body; returns the new end. The buffer has TAILROOM. */
  #endChunk(bytes: Buffer, start: number, end: number, isLast: boolean): number {
    let to = end;
    if (end > start) {
      bytes[to++] = 13;
      bytes[to++] = 10;
    }
    if (isLast) to += LAST_CHUNK.copy(bytes, to);
    return to;
  }

  #addedLines(head: ResponseHead, terms: AnswerTerms, isUpgrade: boolean): Buffer | null {
    const needsDate = !head.hasDate && head.status >= 200;
    const key =
      (terms.closes && !isUpgrade ? 1 : 0) |
      (!terms.closes && terms.minorVersion === 0 ? 2 : 0) |
      (this.#setsChunks ? 4 : 0) |
      (terms.via ? 8 : 0);
    if (key === 0 && !needsDate) return null;
    let lines = addedCache.get(key);
    if (lines === undefined) {
      const text = (key & 1 ? CLOSE_LINE : '') + (key & 2 ? KEEP_ALIVE_LINE : '') + (key & 4 ? CHUNKED_LINE : '') + (key & 8 ? VIA_LINE : '');
      lines = Buffer.from(text, 'latin1');
      addedCache.set(key, lines);
    }
    return needsDate ? Buffer.concat([Buffer.from(`Date: ${this.#date()}\r\n`, 'latin1'), lines]) : lines;
  }

  #date(): string {
    return new Date(this.#wallMs()).toUTCString();
  }
}
