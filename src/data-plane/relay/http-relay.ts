/**
 * One exchange over one backend connection at a time: request up, answer down.
 * It knows neither pools nor balancing: a failure goes to `outcome`, which may
 * give it another connection. What the backend's side cannot take yet is kept
 * here, and the client is not read meanwhile.
 */
import type { ErrorCode } from '../../base/errors.ts';
import type { AnswerExpectation, BackendConnection, ConnectionOwner } from '../connect/connection-owner.ts';
import { giveBack } from '../connect/read-buffer.ts';
import type { AnswerSink, BodyKind, Exchange } from '../exchange.ts';
import { nominatedNames } from '../parse/body-framing.ts';
import type { ResponseHead } from '../parse/response-head.ts';
import { METHOD } from '../parse/request-head.ts';
import type { BuiltHead } from './request-head-builder.ts';
import { withAttempt } from './grpc-call.ts';
import { filterTrailers } from './trailers.ts';

const NO_BYTES = Buffer.alloc(0);
const NOTHING_SENT: BuiltHead = { out: NO_BYTES, outLength: 0 };
/** Of a body that goes out behind its head, on a route with `retry`, so much is kept for another attempt. */
const KEPT_BYTES_MAX = 64 * 1024;

/** Filled for each attempt: a connection takes what it needs of it at once. */
const expected: { -readonly [Key in keyof AnswerExpectation]: AnswerExpectation[Key] } = {
  limits: { headerBytesMax: 0, headerCountMax: 0 }, isHeadRequest: false, takesChunks: false, expectsUpgrade: false, responseTimeoutMs: 0, bodyIdleMs: 0,
};

/** What the pipeline does with the end of an attempt. */
export interface RelayOutcome {
  /** The head of a final answer came. */
  onAnswer(exchange: Exchange): void;
  /** The same answer, on a route with `retry`, while all of the request is held. True: the request goes elsewhere, and `dropAnswer` was called. `isBare`: it ends with its head. */
  sendsElsewhere(exchange: Exchange, head: ResponseHead, isLast: boolean, isBare: boolean): boolean;
  /** The answer is complete and handed to the client; the connection was let go. `atOnce`: it came whole with its head, just now. */
  onComplete(exchange: Exchange, atOnce: boolean): void;
  /** The attempt failed; its connection is gone. */
  onFailure(exchange: Exchange, code: ErrorCode, detail: string): void;
}

export class HttpRelay implements ConnectionOwner {
  readonly #exchange: Exchange;
  readonly #client: AnswerSink;
  readonly #outcome: RelayOutcome;
  #connection: BackendConnection | null = null;
  /** Request body that came before the connection did; kept until it is written. */
  #queue: Buffer[] | null = null;
  /** The request as it was last sent: what another attempt sends. */
  #sent: BuiltHead = NOTHING_SENT;
  /** Body that went out behind it, copied; null: none, or it is not kept. */
  #kept: Buffer[] | null = null;
  #keptBytes = 0;
  /** All that went out could go out again, and nothing of an answer went to the client. */
  #isHeld = true;
  #isTunnel = false;
  #tunnelEnded = 0;
  /** Names that the answer's Connection lists; null: none, or no trailers to hold to them. */
  #nominated: ReadonlySet<string> | null = null;
  /** The end of an answer, still being written to the client though its connection is at work elsewhere. */
  #lent: Buffer | null = null;

  constructor(exchange: Exchange, outcome: RelayOutcome) {
    this.#exchange = exchange;
    this.#client = exchange.client;
    this.#outcome = outcome;
  }

  get isActive(): boolean {
    return this.#connection !== null;
  }

  /** It could be sent again as it is. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Begins the exchange's first attempt, on a connection whose `out` holds the head. */
  start(connection: BackendConnection): void {
    // What an earlier request of this client left here would be read behind this one's head.
    this.#queue = null;
    this.#letGoOfKept();
    this.#isHeld = true;
    this.#attempt(connection);
  }

  #attempt(connection: BackendConnection): void {
    const x = this.#exchange;
    const { route } = x;
    this.#connection = connection;
    this.#isTunnel = false;
    this.#tunnelEnded = 0;
    const first = x.firstBody;
    if (first.end > first.start) this.#takeFirstBody(connection);
    expected.limits = x.listener.spec.limits;
    expected.isHeadRequest = x.method === METHOD.head;
    expected.takesChunks = this.#client.takesChunks;
    expected.expectsUpgrade = x.wantsUpgrade;
    expected.responseTimeoutMs = route!.retry === null ? route!.spec.timeouts.responseMs : route!.retry.responseTimeoutMs;
    expected.bodyIdleMs = route!.spec.timeouts.idleMs;
    connection.begin(this, expected);
    if (connection.isConnected) this.#afterConnect(connection);
  }

  /** Begins another attempt with the request as it was sent before. */
  startAgain(connection: BackendConnection): void {
    connection.out = this.#sent.out;
    connection.outLength = this.#sent.outLength;
    const kept = this.#kept;
    this.#letGoOfKept();
    if (kept !== null) this.#queue = [...kept, ...(this.#queue ?? [])];
    this.#attempt(connection);
  }

  /** Another attempt follows one that its backend may have looked at: a call of gRPC says so. */
  countAttempt(): void {
    this.#sent = withAttempt(this.#sent);
  }

  /** The body that came with the head joins it in one write if it fits; it stays in `out` for another attempt. */
  #takeFirstBody(connection: BackendConnection): void {
    const first = this.#exchange.firstBody;
    const length = first.end - first.start;
    if (length <= connection.out.length - connection.outLength) {
      first.bytes.copy(connection.out, connection.outLength, first.start, first.end);
      connection.outLength += length;
    } else (this.#queue ??= []).unshift(first.bytes.subarray(first.start, first.end));
    first.start = first.end = 0;
  }

  /** More request body. Returns false if the client must not be read until `resumeBody`. The bytes are not reused by the caller. */
  sendBody(bytes: Buffer, start: number, end: number): boolean {
    const connection = this.#connection;
    if (connection === null) return true;
    const part = bytes.subarray(start, end);
    if (connection.isConnected) return this.#write(connection, part);
    (this.#queue ??= []).push(part);
    return false;
  }

  /** Copied before it is written, which may move its bytes, and hands them back to the client's side. */
  #write(connection: BackendConnection, part: Buffer): boolean {
    if (this.#isHeld) this.#keep(part);
    return connection.write(part);
  }

  #keep(part: Buffer): void {
    this.#keptBytes += part.length;
    if (this.#exchange.route!.retry === null || this.#keptBytes > KEPT_BYTES_MAX) this.#stopHolding();
    else (this.#kept ??= []).push(Buffer.from(part));
  }

  #stopHolding(): void {
    this.#isHeld = false;
    this.#letGoOfKept();
  }

  #letGoOfKept(): void {
    this.#kept = null;
    this.#keptBytes = 0;
  }

  /** The request body is complete. */
  endBody(): void {
    if (this.#connection?.isConnected === true) this.#connection.awaitAnswer();
  }

  sendTunnel(bytes: Buffer, start: number, end: number): boolean {
    return this.#connection === null || this.#connection.write(bytes.subarray(start, end));
  }

  /** The client shut down its sending side of the tunnel. */
  endTunnel(): void {
    this.#connection?.endWriting();
    this.#closeTunnelHalf();
  }

  /** The client is gone, or was answered otherwise: the backend's work is called off (a connection in mid exchange is closed). */
  cancel(): void {
    const connection = this.#connection;
    this.#detach();
    connection?.destroy();
  }

  /** The client took what it was sent: go on reading the answer. */
  onClientFlushed(): void {
    this.#connection?.resume();
  }

  /** The client took the whole answer. */
  onAnswerFlushed(): void {
    if (this.#lent === null) return;
    giveBack(this.#lent);
    this.#lent = null;
  }

  onConnected(): void {
    this.#afterConnect(this.#connection!);
  }

  #afterConnect(connection: BackendConnection): void {
    const queue = this.#queue;
    let isFlushed = true;
    if (queue !== null) {
      this.#queue = null;
      for (const part of queue) isFlushed = this.#write(connection, part);
    }
    if (this.#exchange.isBodyComplete) connection.awaitAnswer();
    else if (isFlushed) this.#client.resumeBody();
  }

  onFlushed(): void {
    if (!this.#exchange.isBodyComplete || this.#isTunnel) this.#client.resumeBody();
    else this.#connection?.awaitAnswer();
  }

  onInterim(head: ResponseHead, start: number, end: number): void {
    this.#stopHolding();
    if (!this.#client.sendInterim(head, start, end)) this.#connection?.pause();
  }

  onHead(head: ResponseHead, headStart: number, headEnd: number, bodyStart: number, bodyEnd: number, kind: BodyKind, isLast: boolean): void {
    const x = this.#exchange;
    x.status = head.status;
    this.#outcome.onAnswer(x);
    if (x.route!.retry !== null) {
      if (this.#isHeld && this.#outcome.sendsElsewhere(x, head, isLast, isLast && bodyEnd === bodyStart)) return;
      this.#stopHolding();
    }
    x.hasAnswered = true;
    this.#nominated = kind === 'chunked' && head.nominatesFields ? nominatedNames(head.bytes, head.fields) : null;
    x.answerBytes += bodyEnd - bodyStart;
    const isUpgrade = head.status === 101;
    const isFlushed = this.#client.sendHead(head, headStart, headEnd, bodyStart, bodyEnd, kind, isLast);
    if (isUpgrade) this.#beginTunnel();
    else this.#afterSend(isFlushed, isLast, isLast);
  }

  onBody(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    this.#exchange.answerBytes += end - start;
    this.#afterSend(this.#client.sendBody(bytes, start, end, isLast), isLast);
  }

  onTrailer(section: Buffer): void {
    const trailer = filterTrailers(section, this.#nominated);
    if (trailer === null) this.onFailure('response-incomplete', 'trailers that are malformed or frame the answer');
    else this.#afterSend(this.#client.sendTrailer(trailer), true);
  }

  #afterSend(isFlushed: boolean, isLast: boolean, atOnce = false): void {
    const connection = this.#connection;
    // The client's socket may have failed in the write itself.
    if (connection === null) return;
    if (!isLast) {
      if (!isFlushed) connection.pause();
      return;
    }
    if (!isFlushed) this.#lent = connection.keepBytes();
    if (!this.#exchange.isBodyComplete) connection.mustClose = true;
    this.#detach();
    connection.complete();
    this.#outcome.onComplete(this.#exchange, atOnce);
  }

  #beginTunnel(): void {
    this.#isTunnel = true;
    this.#client.startTunnel();
  }

  onTunnel(bytes: Buffer, start: number, end: number): void {
    this.#exchange.answerBytes += end - start;
    if (!this.#client.sendTunnel(bytes, start, end)) this.#connection?.pause();
  }

  onTunnelEnd(): void {
    this.#client.endTunnel();
    this.#closeTunnelHalf();
  }

  /** Both sides ended: the tunnel is complete. */
  #closeTunnelHalf(): void {
    if (++this.#tunnelEnded < 2) return;
    this.cancel();
    this.#outcome.onComplete(this.#exchange, false);
  }

  /** The answer is not wanted, of which `isLast` says that it is whole: its connection is let go, what was sent over it is kept. */
  dropAnswer(isLast: boolean): void {
    const connection = this.#takeSent();
    if (connection === null) return;
    if (!this.#exchange.isBodyComplete) connection.mustClose = true;
    if (isLast) connection.complete();
    else connection.destroy();
  }

  #takeSent(): BackendConnection | null {
    const connection = this.#connection;
    this.#connection = null;
    if (connection === null) return null;
    this.#sent = { out: connection.out, outLength: connection.outLength };
    connection.out = NO_BYTES;
    return connection;
  }

  onFailure(code: ErrorCode, detail: string): void {
    this.#takeSent()?.destroy();
    this.#outcome.onFailure(this.#exchange, code, detail);
    // Nobody took it up again: the body that was kept for another attempt belongs to none.
    if (this.#connection === null) this.#detach();
  }

  #detach(): void {
    this.#connection = null;
    this.#queue = null;
    this.#kept = null;
  }
}
