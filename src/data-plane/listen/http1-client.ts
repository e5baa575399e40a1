/**
 * One HTTP/1.1 connection of a client: finds the requests in its bytes, one
 * exchange at a time and in order, and is the sink of their answers. What a
 * client can make us hold is bounded (docs/limits.md), every wait in time.
 */
import type { Socket } from 'node:net';
import { freeRead, readFrom, type AcceptedReader, type ReadTarget } from '../../net/read-from.ts';
import type { ErrorCode } from '../../base/errors.ts';
import { listenerColumns } from '../../shared/counter-pages.ts';
import { countEarlyError, logEarlyError } from '../accounting.ts';
import type { WorkerContext } from '../live/worker-context.ts';
import { INCOMPLETE } from '../parse/bytes.ts';
import { METHOD, parseRequestHead, RequestHead } from '../parse/request-head.ts';
import type { Pipeline } from '../pipeline.ts';
import { errorReply } from '../relay/own-replies.ts';
import type { HttpClient, HttpListener } from './http-listener.ts';
import { asksForHttp2 } from './http2-preface.ts';
import { RequestBody } from './http1-request-body.ts';
import { Http1Sink } from './http1-sink.ts';
import { openExchange } from './open-exchange.ts';
import { tellBug } from './own-bug.ts';
import { PartialHead } from './partial-head.ts';
import { FRESH_TICKS, GONE_CHECK_MS, HELD_BYTES_MAX, LINGER_MS, QUIET_MS, QUIET_TICKS } from './patience.ts';
import { refusalCode } from './refused-head.ts';

/** `rest`: between requests. `flush`: answered, the socket has not taken all. `linger`: reads on so that the close destroys no answer. */
const S = { rest: 0, head: 1, busy: 2, flush: 3, tunnel: 4, linger: 5, closed: 6 } as const;

/** Filled for each request; the pipeline is done with it when `begin` returns. */
const sharedHead = new RequestHead();

export class Http1Client extends Http1Sink implements ReadTarget, HttpClient {
  older: HttpClient | null = null;
  newer: HttpClient | null = null;
  readonly #pipeline: Pipeline;
  readonly #reader: AcceptedReader;
  #state: number = S.rest;
  #requests = 0;
  /** The wheel's tick when it came to rest. */
  #restTick: number;
  /** An incomplete head. */
  #partial: PartialHead | null = null;
  /** Bytes that came before their turn. */
  #held: Buffer | null = null;
  #isConsuming = false;
  /** Made with the first request that has a body. */
  #body: RequestBody | null = null;
  #hasEnded = false;

  constructor(socket: Socket, localPort: number, listener: HttpListener, pipeline: Pipeline, context: WorkerContext) {
    super(socket, localPort, listener, pipeline, context);
    this.#pipeline = pipeline;
    this.#restTick = context.wheel.now;
    this.arm(listener.live.spec.timeouts.headerMs);
    this.#reader = readFrom(socket, this);
  }

  /** It has its place: what has come so far is taken. */
  begin(): void {
    this.#reader.begin();
  }

  get isAtRest(): boolean {
    return this.#state === S.rest && this.#partial === null;
  }

  /** Its place is wanted: closes if it is at rest and has not only just come. */
  closeAtRest(): boolean {
    if (!this.isAtRest || (this.#requests === 0 && this.context.wheel.now < this.#restTick + FRESH_TICKS)) return false;
    this.closeSocket();
    return true;
  }

  /** It has to go: closes once it has been at rest for QUIET_MS, which it may have been already. */
  closeWhenQuiet(): void {
    if (!this.isAtRest) return;
    const { wheel } = this.context;
    const tick = Math.max(this.#restTick + QUIET_TICKS, wheel.now) + 1;
    if (this.deadlineTick === 0 || tick < this.deadlineTick) wheel.setTick(this, tick);
  }

  /** Its time is over, whatever it does. */
  cut(): void {
    const isBusy = this.#state === S.busy || this.#state === S.tunnel;
    this.#state = S.closed;
    if (isBusy) this.#pipeline.cancel(this.exchange, 'shutting-down');
    this.answer.cutShort();
  }

  onBytes(bytes: Buffer): void {
    try {
      this.#onBytes(bytes);
    } catch (error) {
      tellBug(this.listener.live, this.context, error);
      this.answer.cutShort();
    }
  }

  #onBytes(bytes: Buffer): void {
    const { live } = this.listener;
    live.counters[live.base + listenerColumns.bytesIn]! += bytes.length;
    switch (this.#state) {
      case S.rest:
        return this.#consume(bytes);
      case S.head:
        return this.#addToHead(bytes);
      case S.busy: {
        const from = this.exchange.isBodyComplete ? 0 : this.#readBody(bytes);
        if (from < bytes.length) this.#hold(from === 0 ? bytes : bytes.subarray(from));
        return;
      }
      case S.flush:
        return this.#hold(bytes);
      case S.tunnel:
        this.arm(this.exchange.listener.spec.timeouts.tunnelMs);
        this.exchange.requestBodyBytes += bytes.length;
        if (this.exchange.relay.sendTunnel(bytes, 0, bytes.length)) freeRead(bytes);
        else this.#reader.pause();
        return;
      default:
        return; // lingering or closed: nobody reads it any more
    }
  }

  onEnd(): void {
    this.#hasEnded = true;
    switch (this.#state) {
      case S.busy:
        // A client that only shut down its sending side still gets its answer.
        if (!this.exchange.isBodyComplete) this.#pipeline.fail(this.exchange, 'client-aborted');
        return;
      case S.flush:
        return;
      case S.tunnel:
        return this.exchange.relay.endTunnel();
      default:
        this.closeSocket();
    }
  }

  /** Takes requests from `bytes` while it is their turn; the rest is held. */
  #consume(bytes: Buffer): void {
    this.#isConsuming = true;
    let start = 0;
    while (this.#state === S.rest && start < bytes.length) start = this.#takeRequest(bytes, start, bytes.length);
    this.#isConsuming = false;
    if (start < bytes.length && (this.#state === S.busy || this.#state === S.flush)) this.#hold(bytes.subarray(start));
  }

  #hold(bytes: Buffer): void {
    this.#held = this.#held === null ? bytes : Buffer.concat([this.#held, bytes]);
    // Reading goes on meanwhile, since only a connection that is read tells that its client is gone; but not without end.
    if (this.#held.length >= HELD_BYTES_MAX) this.#holdBack();
  }

  /** Reads no more for now. The wait is not the client's; whether it is still there is looked at from time to time. */
  #holdBack(): void {
    this.#reader.pause();
    if (!this.isFlushing) this.#armForBody();
  }

  #addToHead(bytes: Buffer): void {
    const whole = this.#partial!.add(bytes, this.listener.live.spec.limits.headerBytesMax);
    if (whole === null) return;
    this.#partial = null;
    this.#state = S.rest;
    this.#consume(whole);
  }

  /** Parses one request at `start`; returns where the next one begins. */
  #takeRequest(bytes: Buffer, start: number, end: number): number {
    const x = this.exchange;
    const { live } = this.listener;
    const head = sharedHead;
    x.listener = live;
    const bodyStart = parseRequestHead(bytes, start, end, live.spec.limits, head);
    if (bodyStart === INCOMPLETE) return this.#keepPartial(bytes, start, end);
    if (bodyStart < INCOMPLETE) {
      if (this.#requests === 0 && asksForHttp2(live.spec, bodyStart, bytes, start, end)) this.#becomeHttp2(bytes, start, end);
      else this.#refuse(refusalCode(bodyStart), bytes);
      return end;
    }
    openExchange(x, this.terms, head, bodyStart, this.context.accessLog !== null);
    if (++this.#requests === 2) this.socket.setNoDelay(true);
    this.#state = S.busy;
    const next = x.hasBody ? this.#takeFirstBody(head, bytes, bodyStart, end) : bodyStart;
    if (next < 0) return end;
    this.#armForBody();
    this.#pipeline.begin(x, head);
    // Its route may have set an end for the whole exchange.
    if (x.totalTick !== 0) this.#armForBody();
    return next;
  }

  /** Its place, its socket and what is read of it are another client's from now on. */
  #becomeHttp2(bytes: Buffer, start: number, end: number): void {
    this.#state = S.closed;
    this.context.wheel.forget(this);
    this.listener.becomeHttp2(this, this.socket, this.#reader, this.introduction(), bytes, start, end);
  }

  #keepPartial(bytes: Buffer, start: number, end: number): number {
    this.#partial = new PartialHead(bytes, start, end);
    if (this.#requests > 0 || this.isEnding) this.arm(this.listener.live.spec.timeouts.headerMs);
    this.#state = S.head;
    return end;
  }

  // ---- request body

  /** The part of the body that came with the head. Returns where it stopped, or -1 if the request was refused. */
  #takeFirstBody(head: RequestHead, bytes: Buffer, start: number, end: number): number {
    const x = this.exchange;
    const { limits } = x.listener.spec;
    const body = (this.#body ??= new RequestBody());
    body.open(head, limits.bodyBytesMax, limits.headerBytesMax);
    const stopped = body.problem === null ? body.take(bytes, start, end) : start;
    x.requestBodyBytes = body.dataBytes;
    if (body.problem !== null) {
      x.startedMs = this.context.clock.monotonicMs();
      this.terms.closes = true;
      this.#pipeline.fail(x, body.problem);
      return -1;
    }
    x.isBodyComplete = body.isDone;
    x.firstBody.bytes = body.bytes;
    x.firstBody.start = body.start;
    x.firstBody.end = body.end;
    return stopped;
  }

  /** More of the body; returns where it stopped. */
  #readBody(bytes: Buffer): number {
    const x = this.exchange;
    const body = this.#body!;
    x.expectsContinue = false;
    const stopped = body.take(bytes, 0, bytes.length);
    x.requestBodyBytes = body.dataBytes;
    if (body.problem !== null) {
      this.terms.closes = true;
      this.#pipeline.fail(x, body.problem);
      return bytes.length;
    }
    x.isBodyComplete = body.isDone;
    const isTaken = body.start === body.end || x.relay.sendBody(body.bytes, body.start, body.end);
    if (isTaken || body.isDone) this.#armForBody();
    else this.#holdBack();
    if (body.isDone) x.relay.endBody();
    if (isTaken && stopped === bytes.length && body.bytes === bytes) {
      body.letGo();
      freeRead(bytes);
    }
    return stopped;
  }

  resumeBody(): void {
    if (this.#state !== S.busy && this.#state !== S.tunnel) return;
    if (this.#held === null) this.#reader.resume();
    this.#armForBody();
  }

  // ---- answering

  protected onFlushed(): void {
    switch (this.#state) {
      case S.busy:
      case S.tunnel:
        this.#armForBody();
        return this.exchange.relay.onClientFlushed();
      case S.flush:
        this.exchange.relay.onAnswerFlushed();
        return this.#next();
      default:
    }
  }

  startTunnel(): void {
    this.#state = S.tunnel;
    this.arm(this.exchange.listener.spec.timeouts.tunnelMs);
    const held = this.#held;
    this.#held = null;
    if (held !== null) this.onBytes(held);
    this.#reader.resume();
    if (this.#hasEnded) this.exchange.relay.endTunnel();
  }

  abort(): void {
    if (this.#state === S.closed) return;
    this.#state = S.closed;
    this.answer.cutShort();
  }

  finish(): void {
    if (this.#state === S.closed || this.#state === S.linger) return;
    if (this.#state === S.tunnel) this.terms.closes = true;
    if (!this.exchange.isBodyComplete) return this.#linger();
    if (this.answer.isFlushed) return this.#next();
    this.#state = S.flush;
  }

  #next(): void {
    if (this.terms.closes) return this.#close();
    this.#state = S.rest;
    this.#restTick = this.context.wheel.now;
    this.arm(this.isEnding ? QUIET_MS : this.listener.live.spec.timeouts.idleMs);
    if (this.#isConsuming) return;
    // At rest it must not keep what it last read, which may be a whole read of an upload.
    this.exchange.letGo();
    this.#body?.letGo();
    const held = this.#held;
    this.#held = null;
    if (held !== null) this.#consume(held);
    if (this.#hasEnded) this.onEnd();
    else if (this.#held === null) this.#reader.resume();
  }

  /** All is written. With nothing left to read, closing at once spares a round of events (5 µs a connection, measured). */
  #close(): void {
    if (this.#held !== null) return this.#linger();
    this.#state = S.closed;
    this.closeSocket();
  }

  /** Unread bytes would turn a close into a reset that destroys the answer: read on a while, and drop it. */
  #linger(): void {
    this.#state = S.linger;
    this.#held = null;
    this.socket.end();
    this.#reader.resume();
    this.context.wheel.set(this, LINGER_MS);
    if (this.#hasEnded) this.socket.destroySoon();
  }

  /** A head that cannot be read, or did not come in time: our own reply, and the end. */
  #refuse(code: ErrorCode, bytes: Buffer): void {
    const { exchange: x, terms } = this;
    x.requestBytes = bytes;
    x.method = METHOD.other;
    terms.minorVersion = 1;
    terms.method = METHOD.get;
    terms.closes = true;
    terms.edits = null;
    countEarlyError(x, code);
    x.ownBytes = this.answer.sendOwnReply(errorReply(code, false), terms);
    logEarlyError(x, code, this.context);
    this.afterWrite();
    this.#linger();
  }

  // ---- time and end

  /** Sets the next deadline, never past that of the whole exchange. */
  protected arm(delayMs: number): void {
    const { wheel } = this.context;
    wheel.set(this, delayMs);
    const { totalTick } = this.exchange;
    if (totalTick === 0 || this.#state !== S.busy) return;
    if (this.deadlineTick === 0 || totalTick < this.deadlineTick) wheel.setTick(this, Math.max(totalTick, wheel.now + 1));
  }

  /** For what an exchange waits for next: the client's body, the tunnel's bytes, or nothing of the client. */
  #armForBody(): void {
    const { timeouts } = this.exchange.listener.spec;
    if (this.#state === S.tunnel) this.arm(timeouts.tunnelMs);
    else if (this.#state === S.busy) this.arm(this.#reader.isPaused ? GONE_CHECK_MS : this.exchange.isBodyComplete ? 0 : timeouts.bodyMs);
  }

  onDeadline(): void {
    const x = this.exchange;
    switch (this.#state) {
      case S.head:
        return this.#refuse('request-timeout', Buffer.alloc(0));
      case S.busy:
        if (x.totalTick !== 0 && this.context.wheel.now >= x.totalTick) return this.#pipeline.fail(x, 'total-timeout');
        if (this.isFlushing) return this.#stall();
        if (!this.#reader.isPaused) return this.#pipeline.fail(x, 'request-timeout');
        // An empty write sends nothing, and fails on a connection that was reset.
        this.socket.write('');
        return this.#armForBody();
      case S.tunnel:
        return this.#stall();
      default:
        this.closeSocket();
    }
  }

  #stall(): void {
    this.#pipeline.cancel(this.exchange, 'client-stalled');
    this.abort();
  }

  onClose(): void {
    const former = this.#state;
    this.#state = S.closed;
    this.context.wheel.forget(this);
    if (former === S.busy || former === S.tunnel) this.#pipeline.cancel(this.exchange, 'client-aborted');
    this.listener.onClientClosed(this);
  }
}
