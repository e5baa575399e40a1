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
import { dateText, type AnswerClock } from './answer-date.ts';

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
/** By the version of the answer as it came (RFC 9110 §7.6.3). */
const VIA_LINES = ['Via: 1.0 weir\r\n', 'Via: 1.1 weir\r\n'] as const;
const LAST_CHUNK = Buffer.from('0\r\n\r\n', 'latin1');

/** Added lines by their combination; those with a date are made anew each second. */
const plainLines = new Map<number, Buffer>();
const datedLines = new Map<number, Buffer>();
let linesDate = '';

export class Http1Answer {
  readonly #socket: Socket;
  readonly #clock: AnswerClock;
  readonly #rewrite: AnswerRewrite = { takesChunks: true, added: null, edits: null, isUpgrade: false };
  /** We set chunk lines around the data ourselves. */
  #setsChunks = false;
  /** Cut short, the body could pass for whole: it ends with the connection, or its last chunk went out before what follows it (RFC 9112 §8). */
  #mayPassForWhole = false;
  /** Bytes handed to the socket since the last look; the owner takes them. */
  bytesWritten = 0;

  constructor(socket: Socket, clock: AnswerClock) {
    this.#socket = socket;
    this.#clock = clock;
  }

  get isFlushed(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** `terms.closes` is set if the framing needs the close. */
  sendHead(head: ResponseHead, headStart: number, headEnd: number, bodyStart: number, bodyEnd: number, kind: BodyKind, isLast: boolean, terms: AnswerTerms): void {
    const isOld = terms.minorVersion === 0;
    const isUpgrade = head.status === 101;
    const isUnsized = kind === 'until-close' || (kind === 'chunked' && isOld);
    this.#mayPassForWhole = kind === 'chunked' || kind === 'until-close';
    this.#setsChunks = kind === 'until-close' && !isOld;
    if (isUnsized && isOld) terms.closes = true;
    const how = this.#rewrite;
    how.takesChunks = !isOld && !this.#setsChunks && !isUpgrade;
    how.isUpgrade = isUpgrade;
    how.edits = terms.edits;
    how.added = this.#addedLines(head, terms, isUpgrade);
    const { bytes } = head;
    const start = this.#setsChunks ? -1 : rewriteAnswerHead(head, headStart, headEnd, bodyStart, how);
    if (start >= 0) {
      this.#write(bytes.subarray(start, bodyEnd));
      return;
    }
    this.#write(composeAnswerHead(head, headStart, headEnd, how));
    this.sendBody(bytes, bodyStart, bodyEnd, isLast);
  }

  /** Ends the connection so that the client can see that the answer is incomplete. */
  cutShort(): void {
    const socket = this.#socket;
    // A socket whose end is on its way cannot be reset (EINVAL): it would stay open, and never tell of its close. All was said then.
    const isEnded = socket.writableEnded && socket.writableLength === 0;
    if (this.#mayPassForWhole && !isEnded) socket.resetAndDestroy();
    else socket.destroy();
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
    const to = this.#endChunk(bytes, start, end, isLast);
    if (to > from) this.#write(bytes.subarray(from, to));
  }

  /** After a chunked body whose trailers were kept apart; an older client gets no trailers. */
  sendTrailer(trailer: Buffer): void {
    if (this.#rewrite.takesChunks) this.#write(trailer);
  }

  sendTunnel(bytes: Buffer, start: number, end: number): void {
    this.#write(bytes.subarray(start, end));
  }

  /** Returns the bytes of the body it sent. */
  sendOwnReply(reply: OwnReply, terms: AnswerTerms): number {
    const hasBody = reply.status !== 204 && reply.status !== 304;
    const body = hasBody ? Buffer.from(reply.body, 'utf8') : Buffer.alloc(0);
    let text = `HTTP/1.1 ${reply.status} ${reasonOf(reply.status)}\r\nDate: ${dateText(this.#clock)}\r\n${reply.fields}`;
    if (hasBody) text += `Content-Length: ${body.length}\r\n`;
    if (terms.closes) text += CLOSE_LINE;
    else if (terms.minorVersion === 0) text += KEEP_ALIVE_LINE;
    if (terms.via) text += VIA_LINES[1];
    const lines = terms.edits === null ? [] : terms.edits.lines;
    const head = Buffer.concat([Buffer.from(text, 'latin1'), ...lines, Buffer.from('\r\n')]);
    const isBare = terms.method === METHOD.head || body.length === 0;
    this.#write(isBare ? head : Buffer.concat([head, body]));
    return isBare ? 0 : body.length;
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
      (terms.via ? (head.minorVersion === 0 ? 16 : 8) : 0);
    if (key === 0 && !needsDate) return null;
    const date = needsDate ? dateText(this.#clock) : '';
    if (needsDate && date !== linesDate) {
      linesDate = date;
      datedLines.clear();
    }
    const cache = needsDate ? datedLines : plainLines;
    let lines = cache.get(key);
    if (lines === undefined) {
      const text = (key & 1 ? CLOSE_LINE : '') + (key & 2 ? KEEP_ALIVE_LINE : '') + (key & 4 ? CHUNKED_LINE : '') + (key & 16 ? VIA_LINES[0] : '') + (key & 8 ? VIA_LINES[1] : '');
      lines = Buffer.from(needsDate ? `Date: ${date}\r\n${text}` : text, 'latin1');
      cache.set(key, lines);
    }
    return lines;
  }
}
