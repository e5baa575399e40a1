/**
 * One stream of a client's HTTP/2 connection: a request and its exchange. The
 * connection (http2-client.ts) gives it what the frames say and takes it back
 * when it is closed, to use it again. Window for a body is given as the backend
 * takes it. The answering half is http2-sink.ts.
 */
import type { ErrorCode } from '../../base/errors.ts';
import { TICK_MS } from '../../base/timer-wheel.ts';
import { countEarlyError, logEarlyError } from '../accounting.ts';
import { H2_ERROR, putReset } from '../parse/http2-frames.ts';
import { METHOD, RequestHead } from '../parse/request-head.ts';
import { grpcTimeoutMs, replyFor } from '../relay/grpc-call.ts';
import { errorReply, prefersJson, type OwnReply } from '../relay/own-replies.ts';
import { filterTrailers } from '../relay/trailers.ts';
import { closeRequestHead, giveHeadBack, readHead } from './http2-request-head.ts';
import { Http2Sink, P } from './http2-sink.ts';
import { Http2Upload } from './http2-upload.ts';
import { openExchange } from './open-exchange.ts';
import { refusalCode } from './refused-head.ts';

/** What a stream's body may be ahead of its backend. */
export const STREAM_WINDOW_BYTES = 128 * 1024;
const NO_BYTES = Buffer.alloc(0);
/** Filled for each request; the pipeline is done with it when `begin` returns. */
const sharedHead = new RequestHead();
/** For a head that is read again: the lines of the one above are those of the block that was decoded last. */
const scratchHead = new RequestHead();

export class Http2Stream extends Http2Sink {
  readonly upload = new Http2Upload();
  hasLength = false;
  #head: Buffer = NO_BYTES;
  #headLength = 0;
  /** Of the block that it was made of. */
  #headSerial = 0;
  #trailer: Buffer | null = null;
  #isExchangeOver = true;
  #isRetired = true;
  /** Of our window for its body. */
  #window = 0;
  /** Taken by the backend, and not yet given back to the window. */
  #toReturn = 0;
  /** Handed over, and not yet taken. */
  #owed = 0;

  // ---- the request

  /** Another request comes. `head` (of keepHead) has room behind `headLength` for what closes it. */
  open(id: number, head: Buffer, headLength: number, headSerial: number, isLast: boolean, window: number): void {
    this.id = id;
    this.#head = head;
    this.#headLength = headLength;
    this.#headSerial = headSerial;
    this.isRemoteEnded = isLast;
    this.window = window;
    this.phase = P.opening;
    this.isLocalEnded = false;
    this.#isExchangeOver = true;
    this.#isRetired = false;
    this.dropHeld();
    this.#trailer = null;
    this.#window = STREAM_WINDOW_BYTES;
    this.#toReturn = this.#owed = 0;
    this.upload.reset();
  }

  get isOpening(): boolean {
    return this.phase === P.opening;
  }

  /** A frame of DATA counts for the window; false: it is larger than that. */
  takesWindow(length: number): boolean {
    this.#window -= length;
    return this.#window >= 0;
  }

  /** False: a field of it must not trail, or it is malformed. */
  addTrailer(section: Buffer): boolean {
    this.#trailer = filterTrailers(section);
    return this.#trailer !== null;
  }

  /** Begins the exchange, with what has come of the body. */
  begin(): void {
    const { exchange: x, upload } = this;
    const { context, listener } = this.client;
    x.listener = listener.live;
    const { limits } = listener.live.spec;
    const length = closeRequestHead(this.#head, this.#headLength, this);
    const bodyStart = readHead(this.#head, length, this.#headSerial, limits, sharedHead);
    if (bodyStart !== length) return this.refuse(refusalCode(bodyStart));
    openExchange(x, this.terms, sharedHead, bodyStart, context.accessLog !== null);
    this.phase = P.busy;
    this.#isExchangeOver = false;
    upload.open(sharedHead.contentLength, sharedHead.chunked, limits.bodyBytesMax);
    x.isBodyComplete = this.isRemoteEnded || this.isWebSocket;
    const problem = upload.problem(this.isRemoteEnded);
    if (problem !== null) {
      x.startedMs = context.clock.monotonicMs();
      return this.#refuseBody(problem);
    }
    if (upload.dataBytes > 0 && !this.isWebSocket) this.#takeFirstBody();
    this.armForBody();
    const deadlineMs = x.method === METHOD.post ? grpcTimeoutMs(sharedHead) : 0;
    this.client.pipeline.begin(x, sharedHead);
    if (deadlineMs > 0 && this.phase === P.busy) this.#endBy(deadlineMs);
    if (x.totalTick !== 0 && this.phase === P.busy) this.armForBody();
  }

  /** The call has a deadline of its own; the route's may be sooner. */
  #endBy(deadlineMs: number): void {
    const { exchange: x } = this;
    const tick = this.client.context.wheel.now + Math.ceil(deadlineMs / TICK_MS) + 1;
    if (x.totalTick === 0 || tick < x.totalTick) x.totalTick = tick;
  }

  override sendOwnReply(reply: OwnReply): void {
    super.sendOwnReply(replyFor(reply, this.exchange, scratchHead));
  }

  #takeFirstBody(): void {
    const { exchange: x, upload } = this;
    this.#returnWindow(upload.take(this.isRemoteEnded, this.#takeTrailer()));
    x.requestBodyBytes = upload.dataBytes;
    x.firstBody.bytes = upload.bytes;
    x.firstBody.start = upload.start;
    x.firstBody.end = upload.end;
    upload.letGo();
  }

  /** No exchange comes of it: our own reply. */
  refuse(code: ErrorCode): void {
    const { exchange: x } = this;
    this.phase = P.flush;
    x.requestBytes = NO_BYTES;
    x.requestStart = x.requestEnd = 0;
    x.listener = this.client.listener.live;
    x.method = METHOD.other;
    x.route = null;
    this.terms.method = METHOD.get;
    countEarlyError(x, code);
    this.sendOwnReply(errorReply(code, false));
    logEarlyError(x, code, this.client.context);
    if (this.isLocalEnded) this.conclude();
  }

  /** The body breaks its word: a limit has its reply, what is malformed ends the stream (RFC 9113 §8.1.1). */
  #refuseBody(code: ErrorCode): void {
    const { pipeline } = this.client;
    if (code !== 'bad-request') return pipeline.fail(this.exchange, code);
    this.client.resetForBreach(this.id, H2_ERROR.protocolError);
  }

  /** What came of the body in this read goes to the backend. */
  passBody(): void {
    const { exchange: x, upload } = this;
    if (this.phase === P.tunnel) return this.#passTunnel();
    // Before the switch of protocols it waits; an answer that is complete has no use for it.
    if (this.phase !== P.busy || this.isWebSocket) return this.phase === P.busy ? undefined : upload.letGo();
    if (x.isBodyComplete) return;
    const problem = upload.problem(this.isRemoteEnded);
    if (problem !== null) return this.#refuseBody(problem);
    x.expectsContinue = false;
    const length = upload.take(this.isRemoteEnded, this.#takeTrailer());
    x.requestBodyBytes = upload.dataBytes;
    x.isBodyComplete = this.isRemoteEnded;
    const isTaken = upload.end === upload.start || x.relay.sendBody(upload.bytes, upload.start, upload.end);
    if (isTaken) upload.free();
    else upload.letGo();
    if (isTaken) this.#returnWindow(length);
    else this.#owed += length;
    this.armForBody();
    if (this.isRemoteEnded) x.relay.endBody();
  }

  #takeTrailer(): Buffer | null {
    const trailer = this.#trailer;
    this.#trailer = null;
    return trailer;
  }

  #passTunnel(): void {
    const { exchange: x, upload } = this;
    this.arm(x.listener.spec.timeouts.tunnelMs);
    const length = upload.take(false);
    x.requestBodyBytes += length;
    const isTaken = length === 0 || x.relay.sendTunnel(upload.bytes, upload.start, upload.end);
    if (isTaken) upload.free();
    else upload.letGo();
    if (isTaken) this.#returnWindow(length);
    else this.#owed += length;
    if (this.isRemoteEnded) x.relay.endTunnel();
  }

  resumeBody(): void {
    if (this.phase !== P.busy && this.phase !== P.tunnel) return;
    this.#returnWindow(this.#owed);
    this.#owed = 0;
    this.armForBody();
  }

  /** In halves of the window: a frame for each read would be one too many. */
  #returnWindow(length: number): void {
    this.#toReturn += length;
    if (this.#toReturn < STREAM_WINDOW_BYTES / 2 || this.isRemoteEnded) return;
    this.#window += this.#toReturn;
    this.client.putWindow(this.id, this.#toReturn);
    this.#toReturn = 0;
  }

  /** Padding is nobody's to take. */
  returnPadding(length: number): void {
    if (length > 0) this.#returnWindow(length);
  }

  startTunnel(): void {
    if (this.phase === P.closed) return;
    this.phase = P.tunnel;
    this.#passTunnel();
  }

  wantsJson(): boolean {
    return prefersJson(this.exchange, scratchHead);
  }

  // ---- its end

  finish(): void {
    this.#isExchangeOver = true;
    this.exchange.letGo();
    if (this.phase === P.closed) return this.#retire();
    this.phase = P.flush;
    if (this.isLocalEnded) this.conclude();
  }

  /** The answer is complete. A body that is still coming is told to stop (RFC 9113 §8.1). */
  protected conclude(): void {
    if (!this.isRemoteEnded) putReset(this.client.output.open(), this.id, H2_ERROR.noError);
    this.close(!this.isRemoteEnded);
  }

  abort(): void {
    if (this.phase === P.closed) return;
    const { error } = this.exchange;
    putReset(this.client.output.open(), this.id, error === 'client-aborted' || error === 'client-stalled' ? H2_ERROR.cancel : H2_ERROR.internalError);
    this.close(true);
  }

  /** Its connection ends it, or a reset of either side: nothing more is sent. `code`: what became of the exchange, if it was not over. */
  end(code: ErrorCode, mayStillSend = false): void {
    if (this.phase === P.closed) return;
    this.close(mayStillSend);
    if (!this.#isExchangeOver) this.client.pipeline.cancel(this.exchange, code);
  }

  /** No frame of it is sent any more. `mayStillSend`: the client has not heard of that. */
  close(mayStillSend: boolean): void {
    const { output, context } = this.client;
    this.phase = P.closed;
    output.withdraw(this);
    context.wheel.forget(this);
    this.upload.letGo();
    this.dropHeld();
    this.#trailer = null;
    if (this.#isExchangeOver) this.exchange.relay.onAnswerFlushed();
    this.client.onStreamClosed(this, mayStillSend);
    if (this.#isExchangeOver) this.#retire();
  }

  /** Closed, and its exchange over: nobody asks for its head any more. Once, or it would be the stream of two requests. */
  #retire(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    giveHeadBack(this.#head);
    this.#head = NO_BYTES;
    this.client.recycle(this);
  }

  // ---- time

  /** Sets the next deadline, never past that of the whole exchange. */
  arm(delayMs: number): void {
    const { wheel } = this.client.context;
    wheel.set(this, delayMs);
    const { totalTick } = this.exchange;
    if (totalTick === 0 || this.phase !== P.busy) return;
    if (this.deadlineTick === 0 || totalTick < this.deadlineTick) wheel.setTick(this, Math.max(totalTick, wheel.now + 1));
  }

  protected armForBody(): void {
    const { timeouts } = this.exchange.listener.spec;
    if (this.isDeferred) return;
    if (this.phase === P.tunnel) this.arm(timeouts.tunnelMs);
    else if (this.phase === P.busy) this.arm(this.exchange.isBodyComplete || this.#owed > 0 ? 0 : timeouts.bodyMs);
  }

  onDeadline(): void {
    const { context, pipeline } = this.client;
    const x = this.exchange;
    if (this.phase === P.busy && x.totalTick !== 0 && context.wheel.now >= x.totalTick) return pipeline.fail(x, 'total-timeout');
    if (this.phase === P.busy && !this.isDeferred) return pipeline.fail(x, 'request-timeout');
    putReset(this.client.output.open(), this.id, H2_ERROR.cancel);
    this.end('client-stalled', true);
  }
}
