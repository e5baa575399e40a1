/**
 * The answering half of a stream of HTTP/2: what the exchange's relay and the
 * pipeline send goes out here. Bytes that the client's windows do not let
 * through stay where they are, and the backend is not read meanwhile. The half
 * that takes the request (http2-stream.ts) builds on it.
 */
import { Deadline } from '../../base/timer-wheel.ts';
import type { ProxyEnds } from '../../net/proxy-header.ts';
import { Exchange, type AnswerSink, type BodyKind } from '../exchange.ts';
import { putPayload, WINDOW_MAX } from '../parse/http2-frames.ts';
import { URGENCY_DEFAULT } from '../parse/http2-priority.ts';
import { METHOD } from '../parse/request-head.ts';
import type { ResponseHead } from '../parse/response-head.ts';
import { HttpRelay } from '../relay/http-relay.ts';
import { putAnswerHead, putOwnHead, putTrailers } from '../relay/http2-answer-head.ts';
import type { OwnReply } from '../relay/own-replies.ts';
import type { AnswerRewrite } from '../relay/response-head-rewriter.ts';
import type { AnswerTerms } from './http1-answer.ts';
import { addedLines, ownLines } from './http2-answer-lines.ts';
import type { Http2Connection } from './http2-connection.ts';
import type { BodySource } from './http2-output.ts';

/** `opening`: its head came, its exchange has not begun. `flush`: the exchange is over, the rest of the answer still goes out. */
export const P = { opening: 0, busy: 1, tunnel: 2, flush: 3, closed: 4 } as const;

const NO_BYTES = Buffer.alloc(0);
const how: AnswerRewrite = { takesChunks: false, added: null, edits: null, isUpgrade: false };

export abstract class Http2Sink extends Deadline implements AnswerSink, BodySource {
  readonly takesChunks = false;
  readonly exchange: Exchange;
  id = 0;
  urgency = URGENCY_DEFAULT;
  isWaiting = false;
  /** The client's window for this stream; a change of its settings may make it negative. */
  window = 0;
  /** The client has sent its last frame of it. */
  isRemoteEnded = false;
  /** Extended CONNECT (RFC 8441). */
  isWebSocket = false;
  protected client: Http2Connection;
  protected readonly terms: AnswerTerms = { minorVersion: 1, method: METHOD.get, closes: false, via: false, edits: null };
  protected phase: number = P.closed;
  /** Our last frame of it is put. */
  protected isLocalEnded = false;
  /** Whoever gave what is held was told to wait. */
  protected isDeferred = false;
  /** Part of an answer that was not let through. */
  #held: Buffer = NO_BYTES;
  #heldStart = 0;
  #heldEnd = 0;
  #heldIsLast = false;
  #heldTrailer: Buffer | null = null;

  constructor(client: Http2Connection) {
    super();
    this.client = client;
    const exchange = (this.exchange = new Exchange(this, true));
    exchange.relay = new HttpRelay(exchange, client.pipeline);
    client.introduce(exchange);
  }

  /** Its next request is one of that connection. */
  moveTo(client: Http2Connection): void {
    if (this.client === client) return;
    this.client = client;
    client.introduce(this.exchange);
  }

  /** Sets the next deadline; 0: none. */
  abstract arm(delayMs: number): void;
  protected abstract armForBody(): void;
  /** The answer is complete, and the exchange over. */
  protected abstract conclude(): void;
  abstract finish(): void;
  abstract abort(): void;
  abstract startTunnel(): void;
  abstract resumeBody(): void;
  abstract wantsJson(): boolean;

  sendInterim(head: ResponseHead): boolean {
    if (this.phase === P.closed) return true;
    how.added = null;
    how.edits = null;
    putAnswerHead(this.client.output.open(), this.client.encoder, this.id, head, head.status, how, false);
    return true;
  }

  sendHead(head: ResponseHead, _headStart: number, _headEnd: number, bodyStart: number, bodyEnd: number, _kind: BodyKind, isLast: boolean): boolean {
    if (this.phase === P.closed) return true;
    const x = this.exchange;
    // A 2xx would say that the tunnel stands (RFC 8441 §5).
    if (this.isWebSocket && head.status >= 200 && head.status < 300) {
      this.client.pipeline.fail(x, 'response-malformed');
      return true;
    }
    how.edits = x.route!.answerEdits;
    how.added = addedLines(head, this.terms.via, this.client.context);
    const endsHere = isLast && bodyStart === bodyEnd;
    putAnswerHead(this.client.output.open(), this.client.encoder, this.id, head, head.status === 101 ? 200 : head.status, how, endsHere);
    if (endsHere) this.isLocalEnded = true;
    return bodyEnd === bodyStart || this.#send(head.bytes, bodyStart, bodyEnd, isLast);
  }

  sendBody(bytes: Buffer, start: number, end: number, isLast: boolean): boolean {
    return this.phase === P.closed || this.#send(bytes, start, end, isLast);
  }

  sendTrailer(trailer: Buffer): boolean {
    if (this.phase === P.closed) return true;
    if (this.isDeferred) {
      this.#heldTrailer = trailer;
      return false;
    }
    this.#putTrailer(trailer);
    return true;
  }

  #putTrailer(trailer: Buffer): void {
    const out = this.client.output.open();
    // Nothing of it may pass: then the end alone is told.
    if (trailer.length <= 2) putPayload(out, this.id, trailer, 0, 0, true);
    else putTrailers(out, this.client.encoder, this.id, trailer);
    this.isLocalEnded = true;
  }

  sendOwnReply(reply: OwnReply): void {
    if (this.phase === P.closed) return;
    const x = this.exchange;
    const { lines, body } = ownLines(reply, x, this.terms.via, this.client.context);
    const isBare = body.length === 0 || this.terms.method === METHOD.head;
    x.ownBytes = isBare ? 0 : body.length;
    putOwnHead(this.client.output.open(), this.client.encoder, this.id, reply.status, lines, isBare);
    if (isBare) this.isLocalEnded = true;
    else this.#send(body, 0, body.length, true);
  }

  #send(bytes: Buffer, start: number, end: number, isLast: boolean): boolean {
    const { output } = this.client;
    if (start === end) {
      if (!isLast) return true;
      if (this.isDeferred) {
        this.#heldIsLast = true;
        return false;
      }
      putPayload(output.open(), this.id, bytes, 0, 0, true);
      this.isLocalEnded = true;
      return true;
    }
    this.#held = bytes;
    this.#heldStart = start;
    this.#heldEnd = end;
    this.#heldIsLast = isLast;
    output.offer(this);
    if (this.#heldStart === this.#heldEnd) return true;
    this.isDeferred = true;
    this.arm(this.exchange.listener.spec.timeouts.sendMs);
    return false;
  }

  putFrame(bytesMax: number): boolean {
    const length = Math.min(bytesMax, this.window, this.#heldEnd - this.#heldStart);
    if (length <= 0) return false;
    const start = this.#heldStart;
    const end = (this.#heldStart = start + length);
    const isLast = this.#heldIsLast && end === this.#heldEnd;
    this.client.putDataFrame(this, this.#held, start, end, isLast);
    if (end < this.#heldEnd) {
      if (this.isDeferred) this.arm(this.exchange.listener.spec.timeouts.sendMs);
      return this.window > 0;
    }
    this.#held = NO_BYTES;
    this.isLocalEnded ||= isLast;
    if (this.isDeferred) this.#onDrained();
    return false;
  }

  /** What was held has gone out. */
  #onDrained(): void {
    this.isDeferred = false;
    this.#heldStart = this.#heldEnd = 0;
    if (this.#heldTrailer !== null) this.#putTrailer(this.#heldTrailer);
    this.#heldTrailer = null;
    const { relay } = this.exchange;
    if (this.phase === P.flush) {
      relay.onAnswerFlushed();
      this.conclude();
      return;
    }
    this.armForBody();
    relay.onClientFlushed();
  }

  /** The client's window for it grows, or shrinks. False: beyond what there may be. */
  addWindow(bytes: number): boolean {
    this.window += bytes;
    if (this.window > WINDOW_MAX) return false;
    if (this.isDeferred && this.window > 0) this.client.output.offer(this);
    return true;
  }

  sendTunnel(bytes: Buffer, start: number, end: number): boolean {
    this.arm(this.exchange.listener.spec.timeouts.tunnelMs);
    return this.sendBody(bytes, start, end, false);
  }

  endTunnel(): void {
    if (this.phase === P.closed) return;
    if (this.isDeferred) this.#heldTrailer = NO_BYTES;
    else this.#putTrailer(NO_BYTES);
  }

  ends(): ProxyEnds | null {
    return this.client.ends();
  }

  protected dropHeld(): void {
    this.#held = NO_BYTES;
    this.#heldStart = this.#heldEnd = 0;
    this.#heldIsLast = this.isDeferred = false;
    this.#heldTrailer = null;
  }
}
