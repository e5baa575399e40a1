/**
 * The answering half of a client's HTTP/1.1 connection: what the exchange's
 * relay and the pipeline send goes out here. The reading half (http1-client.ts)
 * builds on it.
 */
import type { Socket } from 'node:net';
import { Deadline } from '../../base/timer-wheel.ts';
import type { ProxyEnds } from '../../net/proxy-header.ts';
import { listenerColumns } from '../../shared/counter-pages.ts';
import { Exchange, type AnswerSink, type BodyKind } from '../exchange.ts';
import type { WorkerContext } from '../live/worker-context.ts';
import { METHOD, RequestHead } from '../parse/request-head.ts';
import type { ResponseHead } from '../parse/response-head.ts';
import type { RelayOutcome } from '../relay/http-relay.ts';
import { HttpRelay } from '../relay/http-relay.ts';
import { prefersJson, type OwnReply } from '../relay/own-replies.ts';
import { Http1Answer, type AnswerTerms } from './http1-answer.ts';
import type { HttpListener } from './http-listener.ts';
import { endsOf, Introduction } from './introduction.ts';
import { peerOf } from './open-exchange.ts';

/** For a head that is read again. */
const scratchHead = new RequestHead();

function ignore(): void {}

export abstract class Http1Sink extends Deadline implements AnswerSink {
  protected readonly socket: Socket;
  protected readonly listener: HttpListener;
  protected readonly context: WorkerContext;
  protected readonly answer: Http1Answer;
  protected readonly exchange: Exchange;
  protected readonly terms: AnswerTerms = { minorVersion: 1, method: METHOD.get, closes: false, via: false, edits: null };
  /** The socket has not taken all; the deadline is the client's. */
  protected isFlushing = false;

  constructor(socket: Socket, localPort: number, listener: HttpListener, outcome: RelayOutcome, context: WorkerContext) {
    super();
    this.socket = socket;
    socket.on('error', ignore); // 'close' follows, and says all there is to say
    this.listener = listener;
    this.context = context;
    this.answer = new Http1Answer(socket, context);
    const exchange = (this.exchange = new Exchange(this));
    exchange.relay = new HttpRelay(exchange, outcome);
    exchange.listener = listener.live;
    const peer = peerOf(socket.remoteAddress ?? '', localPort);
    exchange.localPort = localPort;
    exchange.peerAddress = exchange.clientAddress = peer.address;
    exchange.forwardedLines = peer.forwardedLines;
  }

  /** Sets the next deadline; 0: none. */
  protected abstract arm(delayMs: number): void;
  /** The socket has taken all that was written. */
  protected abstract onFlushed(): void;
  /** All is said: its end, in order. */
  protected closeSocket(): void {
    this.socket.destroy();
  }

  abstract finish(): void;
  abstract abort(): void;
  abstract startTunnel(): void;
  abstract resumeBody(): void;

  /** The connection has to go: its listener is closed. */
  protected get isEnding(): boolean {
    return this.context.isStopping || this.listener.isRetired;
  }

  get takesChunks(): boolean {
    return this.terms.minorVersion === 1;
  }

  /** The ends that a PROXY header named; null: there was none. */
  protected get namedEnds(): ProxyEnds | null {
    return null;
  }

  ends(): ProxyEnds | null {
    return this.namedEnds ?? endsOf(this.socket);
  }

  /** For who takes its place. */
  protected introduction(): Introduction {
    const { peerAddress, localPort, forwardedLines } = this.exchange;
    return new Introduction(this.socket, this.namedEnds, peerAddress, localPort, forwardedLines, null);
  }

  sendInterim(head: ResponseHead, start: number, end: number): boolean {
    // HTTP/1.0 knows no interim answers (RFC 9110 §15.2).
    if (this.terms.minorVersion === 1) this.answer.sendInterim(head, start, end);
    return this.afterWrite();
  }

  sendHead(head: ResponseHead, headStart: number, headEnd: number, bodyStart: number, bodyEnd: number, kind: BodyKind, isLast: boolean): boolean {
    const x = this.exchange;
    const { terms } = this;
    terms.edits = x.route!.answerEdits;
    // An answer before the body is whole: what follows of it could be taken for a request.
    if (!x.isBodyComplete && (isLast || x.expectsContinue)) terms.closes = true;
    terms.closes ||= this.isEnding || this.context.isShedding;
    this.answer.sendHead(head, headStart, headEnd, bodyStart, bodyEnd, kind, isLast, terms);
    return this.afterWrite();
  }

  sendBody(bytes: Buffer, start: number, end: number, isLast: boolean): boolean {
    this.answer.sendBody(bytes, start, end, isLast);
    return this.afterWrite();
  }

  sendTrailer(trailer: Buffer): boolean {
    this.answer.sendTrailer(trailer);
    return this.afterWrite();
  }

  sendTunnel(bytes: Buffer, start: number, end: number): boolean {
    this.arm(this.exchange.listener.spec.timeouts.tunnelMs);
    this.answer.sendTunnel(bytes, start, end);
    return this.afterWrite();
  }

  wantsJson(): boolean {
    return prefersJson(this.exchange, scratchHead);
  }

  endTunnel(): void {
    this.socket.end();
  }

  sendOwnReply(reply: OwnReply): void {
    const { terms, exchange } = this;
    terms.closes ||= !exchange.isBodyComplete || this.isEnding || this.context.isShedding;
    terms.edits = exchange.route?.answerEdits ?? null;
    exchange.ownBytes = this.answer.sendOwnReply(reply, terms);
    this.afterWrite();
  }

  /** True if the socket took all; otherwise the bytes stay in use until `onFlushed`. */
  protected afterWrite(): boolean {
    const { live } = this.listener;
    live.counters[live.base + listenerColumns.bytesOut]! += this.answer.bytesWritten;
    this.answer.bytesWritten = 0;
    if (this.answer.isFlushed) return true;
    if (!this.isFlushing) {
      this.isFlushing = true;
      this.arm(this.exchange.listener.spec.timeouts.sendMs);
      // An empty write marks the flush: 'drain' is not told below the high-water mark.
      this.socket.write('', () => {
        this.isFlushing = false;
        this.onFlushed();
      });
    }
    return false;
  }
}
