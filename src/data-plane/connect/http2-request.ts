/**
 * One attempt over a shared HTTP/2 connection to a backend: a stream of it
 * (RFC 9113 §5.1) that the relay uses as it would a connection of HTTP/1.1.
 * The request's head and body come framed as HTTP/1.1 has them, and the answer
 * is given so. It lives for one exchange.
 */
import type { ErrorCode } from '../../base/errors.ts';
import { Deadline } from '../../base/timer-wheel.ts';
import { ChunkedBody } from '../parse/chunked-body.ts';
import { FRAME_BYTES_MAX, H2_ERROR } from '../parse/http2-frames.ts';
import type { HeadLimits } from '../parse/request-head.ts';
import type { Backend } from './backend.ts';
import type { AnswerExpectation, BackendConnection, ConnectionOwner } from './connection-owner.ts';
import { StreamAnswer } from './http2-answer.ts';
import { STREAM_WINDOW_BYTES, type Http2Connection } from './http2-connection.ts';
import { webSocketKey } from './http2-websocket.ts';

/** Enough for the usual head with a small body. */
const OUT_BYTES = 4 * 1024;
/** Nobody's at the moment: making one for each request is a tenth of what it costs. */
const SPARE_MAX = 256;
const spare: Buffer[] = [];
/** In one go, before other streams have theirs. */
const FRAMES_AT_ONCE = 4;

const NO_BYTES = Buffer.alloc(0);

export class Http2Request extends Deadline implements BackendConnection {
  out: Buffer = spare.pop() ?? Buffer.allocUnsafeSlow(OUT_BYTES);
  outLength = 0;
  mustClose = false;
  /** 0 until its head is sent. */
  id = 0;
  /** Bytes of body that the backend takes now. */
  sendWindow = 0;
  /** It waits in the connection's line for a window, or for the socket. */
  isInLine = false;
  readonly answer: StreamAnswer;
  readonly #connection: Http2Connection;
  #owner: ConnectionOwner | null = null;
  #isOver = false;
  #isAnswered = false;
  #hasSentEnd = false;
  /** The request is with us wholly; its last frame ends the stream. */
  #isWhole = false;
  #queue: Buffer[] = [];
  #queueOffset = 0;
  #trailer: Buffer | null = null;
  #owesFlush = false;
  /** null: the body comes as it is. */
  #chunks: ChunkedBody | null = null;
  /** Of a body with a length. */
  #remaining = 0;
  #answerTimeoutMs = 0;
  #bodyIdleMs = 0;
  #interimBytes = 0;
  /** It asks for a WebSocket with this; '': it does not. */
  webSocketKey = '';
  limits!: HeadLimits;
  isHeadRequest = false;
  takesChunks = true;

  constructor(connection: Http2Connection) {
    super();
    this.#connection = connection;
    this.answer = new StreamAnswer(this);
  }

  get backend(): Backend {
    return this.#connection.backend;
  }

  get isConnected(): boolean {
    return this.#connection.isReady;
  }

  get owner(): ConnectionOwner | null {
    return this.#owner;
  }

  /** The head of its answer was given to the owner. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** A shared connection names no client: the config refuses the header for such pools. */
  greet(): void {
    throw new Error('no PROXY header over HTTP/2');
  }

  begin(owner: ConnectionOwner, what: AnswerExpectation): void {
    this.#owner = owner;
    this.limits = what.limits;
    this.isHeadRequest = what.isHeadRequest;
    this.takesChunks = what.takesChunks;
    this.#answerTimeoutMs = what.responseTimeoutMs;
    this.#bodyIdleMs = what.bodyIdleMs;
    if (what.expectsUpgrade) this.webSocketKey = webSocketKey(this.out, this.outLength);
    if (this.isConnected) this.#sendHead();
  }

  /** The connection can be used. */
  onReady(): void {
    // Begun and called off meanwhile.
    if (this.#owner === null) return;
    this.#sendHead();
    this.#owner?.onConnected();
  }

  get isWebSocket(): boolean {
    return this.webSocketKey !== '';
  }

  #sendHead(): void {
    if (this.isWebSocket && !this.#connection.takesWebSockets) return this.fail('websocket-unsupported', 'no SETTINGS_ENABLE_CONNECT_PROTOCOL from the backend');
    const head = this.#connection.openStream(this);
    // It has no place for this one any more: nothing was sent.
    if (head === null) return this.fail('stream-refused', 'the connection takes no more streams');
    if (head.isChunked) (this.#chunks = new ChunkedBody()).reset(false, 0);
    else this.#remaining = Math.max(0, head.contentLength);
    const hasBody = head.isChunked || head.contentLength > 0 || this.isWebSocket;
    this.#connection.closeHead(this, !hasBody);
    if (!hasBody) this.#hasSentEnd = this.#isWhole = true;
    else if (this.outLength > head.bodyStart) this.#takeBody(Buffer.from(this.out.subarray(head.bodyStart, this.outLength)));
    this.pump();
  }

  awaitAnswer(): void {
    if (!this.#isAnswered && !this.#isOver) this.#connection.wheel.set(this, this.#answerTimeoutMs);
  }

  write(bytes: Buffer): boolean {
    if (this.#isOver || this.#hasSentEnd) return true;
    this.#takeBody(bytes);
    this.pump();
    if (this.#queue.length === 0 && this.#connection.canSend) return true;
    this.#owesFlush = true;
    this.#connection.wheel.set(this, this.#bodyIdleMs);
    this.#connection.lineUp(this);
    return false;
  }

  #takeBody(bytes: Buffer): void {
    const chunks = this.#chunks;
    if (this.isWebSocket) return void this.#queue.push(bytes);
    if (chunks === null) {
      this.#remaining -= bytes.length;
      this.#isWhole = this.#remaining <= 0;
      if (bytes.length > 0) this.#queue.push(bytes);
      return;
    }
    chunks.feed(bytes, 0, bytes.length);
    if (chunks.isFailed) throw new Error('a body of ours is not framed right');
    if (chunks.outEnd > chunks.outStart) this.#queue.push(bytes.subarray(chunks.outStart, chunks.outEnd));
    if (!chunks.isDone) return;
    this.#isWhole = true;
    this.#trailer = chunks.takeTrailer();
  }

  /** Sends what the windows allow, at most a few frames. True: there is more that could go now. */
  pump(): boolean {
    const connection = this.#connection;
    for (let frames = 0; this.#queue.length > 0; frames++) {
      const room = Math.min(connection.canSend ? connection.sendWindow : 0, this.sendWindow);
      if (room <= 0 || frames === FRAMES_AT_ONCE) {
        connection.lineUp(this);
        return room > 0;
      }
      const part = this.#queue[0]!;
      const end = Math.min(part.length, this.#queueOffset + room, this.#queueOffset + FRAME_BYTES_MAX);
      const isPartOver = end === part.length;
      const isLast = isPartOver && this.#queue.length === 1 && this.#isWhole && this.#trailer === null;
      connection.sendData(this, part, this.#queueOffset, end, isLast);
      this.#hasSentEnd ||= isLast;
      this.#queueOffset = isPartOver ? 0 : end;
      if (isPartOver) this.#queue.shift();
    }
    if (this.#isWhole && !this.#hasSentEnd) {
      this.#hasSentEnd = true;
      connection.sendEnd(this, this.#trailer);
    }
    if (this.#owesFlush && connection.canSend) {
      this.#owesFlush = false;
      connection.wheel.clear(this);
      this.#owner?.onFlushed();
    } else if (this.#owesFlush) connection.lineUp(this);
    return false;
  }

  endWriting(): void {
    this.#isWhole = true;
    this.pump();
  }

  pause(): void {
    this.#connection.wheel.clear(this);
    this.answer.pause();
    this.#connection.keepBytes();
  }

  resume(): void {
    if (this.#isOver) return;
    if (this.#isAnswered) this.armBodyDeadline();
    this.answer.resume();
  }

  keepBytes(): Buffer {
    return this.answer.keepBytes() ?? this.#connection.keepBytes();
  }

  /** The head of the final answer came. */
  onHead(): void {
    this.#isAnswered = true;
    // A tunnel may be silent as long as its client's side allows.
    if (this.answer.isTunnel) this.#connection.wheel.clear(this);
    else this.armBodyDeadline();
  }

  armBodyDeadline(): void {
    if (!this.answer.isPaused && !this.answer.isTunnel) this.#connection.wheel.set(this, this.#bodyIdleMs);
  }

  /** Window is given back to the backend so much at a time. */
  get creditStep(): number {
    return STREAM_WINDOW_BYTES / 2;
  }

  /** Heads of interim answers are held together to headerSize. False: they are over it. */
  countInterim(bytes: number): boolean {
    this.#interimBytes += bytes;
    return this.limits.headerBytesMax === 0 || this.#interimBytes <= this.limits.headerBytesMax;
  }

  credit(bytes: number): void {
    if (!this.#isOver) this.#connection.creditStream(this, bytes);
  }

  complete(): void {
    this.destroy();
    // After a failure the owner keeps it, for another attempt.
    if (this.out.length === OUT_BYTES && spare.length < SPARE_MAX) spare.push(this.out);
    this.out = NO_BYTES;
  }

  destroy(): void {
    this.#owner = null;
    if (this.#isOver) return;
    this.#end(!this.#hasSentEnd || !this.answer.isWhole ? H2_ERROR.cancel : -1);
  }

  /** Its own end of the stream is reset with `reset`; -1: both ends are closed already. */
  #end(reset: number): void {
    this.#isOver = true;
    this.#queue = [];
    this.#trailer = null;
    this.answer.drop();
    this.#connection.wheel.forget(this);
    this.#connection.closeStream(this, reset);
  }

  /** `reset` as for the stream's end: -1 if the backend has ended it, or the connection is gone. */
  fail(code: ErrorCode, detail: string, reset = -1): void {
    const owner = this.#owner;
    this.#owner = null;
    if (this.#isOver) return;
    this.#end(reset);
    owner?.onFailure(code, detail);
  }

  /** The backend, or the connection's end, broke it off. */
  breakOff(wasUnprocessed: boolean, detail: string): void {
    if (wasUnprocessed && !this.#isAnswered) this.fail('stream-refused', detail);
    else this.fail(this.#isAnswered ? 'response-incomplete' : 'connection-lost', detail);
  }

  onDeadline(): void {
    if (this.#isAnswered) this.fail('response-stalled', 'silence in the answer', H2_ERROR.cancel);
    else if (this.#owesFlush) this.fail('response-timeout', 'no room for the request body within the time allowed', H2_ERROR.cancel);
    else this.fail('response-timeout', 'no answer within the time allowed', H2_ERROR.cancel);
  }
}
