/**
 * One HTTP/1.1 connection to a backend. It writes requests from its own `out`
 * buffer, reads answers into its own read buffer, finds where each answer ends
 * (RFC 9112 §6.3), and tells its owner. It is reused only after an answer that
 * ended by its framing with nothing left over: any doubt closes it.
 */
import { connect, type Socket } from 'node:net';
import type { Aged } from '../../base/age-list.ts';
import { Deadline, type TimerWheel } from '../../base/timer-wheel.ts';
import type { ErrorCode } from '../../base/errors.ts';
import { dialFailureText } from '../../net/dial.ts';
import { feedBuffer } from '../../net/feed-buffer.ts';
import { writeDirectly } from '../../net/write-to.ts';
import type { SecureDial } from '../../net/secure-dial.ts';
import { HEAD_TOO_LARGE, INCOMPLETE } from '../parse/bytes.ts';
import { parseResponseHead, ResponseHead } from '../parse/response-head.ts';
import type { HeadLimits } from '../parse/request-head.ts';
import { AnswerBody } from './answer-body.ts';
import type { Backend } from './backend.ts';
import type { AnswerExpectation, BackendConnection, ConnectionOwner } from './connection-owner.ts';
import { HEADROOM, ReadBuffer } from './read-buffer.ts';

const OUT_BYTES = 4 * 1024;

const P = { connecting: 0, idle: 1, head: 2, body: 3, tunnel: 4, closed: 5 } as const;

/** Filled anew for each answer; every reader is done with it before the next is parsed. */
const sharedHead = new ResponseHead();

export class Http1Connection extends Deadline implements Aged<Http1Connection>, BackendConnection {
  older: Http1Connection | null = null;
  newer: Http1Connection | null = null;
  readonly backend: Backend;
  readonly socket: Socket;
  /** Built by the relay: the request head and, if it is small, its body. Also the copy for sending it again. */
  out: Buffer = Buffer.allocUnsafeSlow(OUT_BYTES);
  outLength = 0;
  /** Exchanges begun on it; the first may be sent again only as "connect failed", later ones may have met a stale connection. */
  uses = 0;
  /** It must not serve another exchange. */
  mustClose = false;
  #phase: number = P.connecting;
  #owner: ConnectionOwner | null = null;
  /** A PROXY header, which goes out before anything else, TLS too. */
  #greeting: Buffer | null = null;
  readonly #wheel: TimerWheel;
  readonly #read = new ReadBuffer();
  readonly #body = new AnswerBody();
  #headLimits!: HeadLimits;
  /** Of the interim answers to the current request, whose heads together are held to headerSize. */
  #interimBytes = 0;
  #isHeadRequest = false;
  #takesChunks = true;
  #expectsUpgrade = false;
  #isPaused = false;
  /** Of TLS: the connection is there, and the handshake under way or done. */
  #isReached = false;
  #isFlushing = false;
  readonly #isSecure: boolean;
  /** The kernel has not taken all of the request's head, which was written past the socket's own queue. */
  #isHeadInFlight = false;
  #answerTimeoutMs = 0;
  #bodyIdleMs = 0;

  constructor(backend: Backend, host: string, port: number, connectTimeoutMs: number, wheel: TimerWheel, secure: SecureDial | null) {
    super();
    this.backend = backend;
    this.#wheel = wheel;
    this.#isSecure = secure !== null;
    const to = { host, port, noDelay: true, allowHalfOpen: true };
    if (secure === null) this.socket = connect({ ...to, onread: { buffer: (() => this.#read.nextView()) as () => Uint8Array, callback: (count) => this.#onRead(count) } });
    else {
      this.socket = secure.open(to, backend.name, ['http/1.1'], backend, () => {
        this.#isReached = true;
        if (this.#greeting !== null) backend.countSent(this.#greeting.length);
        return this.#greeting;
      });
      feedBuffer(this.socket, { nextBuffer: () => this.#read.nextView(), onRead: (count) => this.#onRead(count) });
    }
    wheel.set(this, connectTimeoutMs);
    this.socket.on(secure === null ? 'connect' : 'secureConnect', () => this.#onConnect());
    this.socket.on('end', () => this.#onEnd());
    this.socket.on('error', (error: NodeJS.ErrnoException) => this.#onError(error));
    this.socket.on('close', () => this.#onClose());
  }

  get isConnected(): boolean {
    return this.#phase !== P.connecting;
  }

  /** Usable for another exchange: open, at rest, all written. */
  get isReusable(): boolean {
    return this.#phase === P.idle && !this.mustClose && !this.#isHeadInFlight && this.socket.writableLength === 0 && !this.socket.destroyed;
  }

  /** Its first bytes name one client, so no other may be served over it. Call it before `begin` of a fresh connection. */
  greet(header: Buffer): void {
    this.#greeting = header;
    this.mustClose = true;
  }

  /** Begins an exchange; `out` holds its request. Once connected, it is written. */
  begin(owner: ConnectionOwner, what: AnswerExpectation): void {
    this.#owner = owner;
    this.uses++;
    this.#headLimits = what.limits;
    this.#interimBytes = 0;
    this.#isHeadRequest = what.isHeadRequest;
    this.#takesChunks = what.takesChunks;
    this.#expectsUpgrade = what.expectsUpgrade;
    this.#answerTimeoutMs = what.responseTimeoutMs;
    this.#bodyIdleMs = what.bodyIdleMs;
    this.#read.wake();
    if (this.#phase === P.connecting) return;
    this.#phase = P.head;
    this.#sendHead(this.out.subarray(0, this.outLength));
  }

  /** On a connection at rest, so that nothing is on its way before it. Over TLS a write is done a turn later at best, which the answer could overtake. */
  #sendHead(bytes: Buffer): void {
    if (this.#isSecure) return this.#send(bytes);
    this.#isHeadInFlight = true;
    if (writeDirectly(this.socket, bytes, this.#onHeadWritten)) return this.backend.countSent(bytes.length);
    this.#isHeadInFlight = false;
    this.#send(bytes);
  }

  readonly #onHeadWritten = (error?: Error | null): void => {
    this.#isHeadInFlight = false;
    if (error) this.socket.destroy(error);
  };

  /** The whole request was handed over: the wait for its answer begins. */
  awaitAnswer(): void {
    if (this.#phase === P.head) this.#wheel.set(this, this.#answerTimeoutMs);
  }

  /** Hands over request bytes; false if the kernel took not all: wait for `onFlushed`. */
  write(bytes: Uint8Array): boolean {
    this.#send(bytes);
    return this.#checkFlushed();
  }

  #send(bytes: Uint8Array): void {
    this.backend.countSent(bytes.length);
    this.socket.write(bytes);
  }

  endWriting(): void {
    this.socket.end();
  }

  /** Stops reading until `resume`; the bytes last given to the owner stay untouched meanwhile. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    if (this.#phase !== P.head) this.#wheel.clear(this);
    this.socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#phase === P.closed) return;
    this.#armBodyDeadline();
    this.socket.resume();
  }

  /** The bytes last given to the owner are still being written though the answer is over: reads into another buffer from now on. Returns the former, for `giveBack`. */
  keepBytes(): Buffer {
    return this.#read.replace();
  }

  complete(): void {
    this.backend.release(this);
  }

  /** Lets go of the owner: back to rest, or closed. */
  release(): void {
    this.#owner = null;
    if (!this.isReusable) {
      this.destroy();
      return;
    }
    if (this.#isPaused) this.resume();
    this.#read.rest();
    if (this.out.length > OUT_BYTES) this.out = Buffer.allocUnsafeSlow(OUT_BYTES);
  }

  /** Ends what runs on it, for its time is over. */
  cut(why: string): void {
    if (this.#owner === null) this.destroy();
    else this.#fail(this.#phase <= P.head ? 'connection-lost' : 'response-incomplete', `cut: ${why}`);
  }

  /** Closes without a word to the owner. */
  destroy(): void {
    this.#owner = null;
    if (this.#phase === P.closed) return;
    // In mid exchange the client's socket may still hold what was read.
    this.#read.drop(this.#phase === P.idle);
    this.#phase = P.closed;
    this.#wheel.forget(this);
    this.socket.destroy();
  }

  onDeadline(): void {
    switch (this.#phase) {
      case P.connecting:
        return this.#fail('connect-timeout', 'no connection within the time allowed');
      case P.head:
        return this.#fail('response-timeout', 'no answer within the time allowed');
      case P.body:
        return this.#fail('response-stalled', 'silence in the answer');
      default:
        this.destroy();
    }
  }

  #onConnect(): void {
    this.#wheel.clear(this);
    if (this.#phase !== P.connecting) return;
    if (this.#owner === null) {
      this.#phase = P.idle;
      return;
    }
    this.#phase = P.head;
    const request = this.out.subarray(0, this.outLength);
    this.#send(this.#greeting === null || this.#isReached ? request : Buffer.concat([this.#greeting, request]));
    this.#owner.onConnected();
  }

  #checkFlushed(): boolean {
    if (this.socket.writableLength === 0) return true;
    if (this.#isFlushing) return false;
    this.#isFlushing = true;
    this.#wheel.set(this, this.#bodyIdleMs);
    this.socket.write('', () => {
      this.#isFlushing = false;
      if (this.#phase === P.head) this.#wheel.clear(this);
      this.#owner?.onFlushed();
    });
    return false;
  }

  #onRead(count: number): boolean {
    try {
      this.#take(count);
    } catch (error) {
      // A bug of ours costs this exchange, not the worker.
      this.#fail('internal', error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    return !this.#isPaused;
  }

  #take(count: number): void {
    const start = this.#read.readStart;
    const end = start + count;
    this.backend.countReceived(count);
    this.#read.count(count);
    switch (this.#phase) {
      case P.head:
        this.#readHead(HEADROOM, end);
        break;
      case P.body:
        this.#readBody(start, end);
        break;
      case P.tunnel:
        this.#owner?.onTunnel(this.#read.bytes, start, end);
        break;
      default:
        // Bytes nobody asked for: the next answer could be mistaken for them (RFC 9112 §9.2).
        this.destroy();
    }
    this.#read.adapt(count);
  }

  #readHead(from: number, end: number): void {
    const { bytes } = this.#read;
    const { headerBytesMax } = this.#headLimits;
    let start = from;
    while (true) {
      const next = parseResponseHead(bytes, start, end, this.#headLimits, sharedHead, this.#read.view);
      if (next === INCOMPLETE) return this.#read.hold(start, end);
      if (next < 1) return this.#fail(next === HEAD_TOO_LARGE ? 'response-head-too-large' : 'response-malformed', 'the head of the answer');
      if (sharedHead.status >= 200) return this.#beginBody(start, next, end);
      if (sharedHead.status === 101) return this.#beginTunnel(start, next, end);
      this.#interimBytes += next - start;
      if (headerBytesMax !== 0 && this.#interimBytes > headerBytesMax) return this.#fail('response-head-too-large', 'interim answers without end');
      this.#owner!.onInterim(sharedHead, start, next);
      if (this.#owner === null) return;
      start = next;
      if (start === end) return this.#read.hold(start, end);
    }
  }

  #beginBody(headStart: number, headEnd: number, end: number): void {
    const head = sharedHead;
    const body = this.#body;
    this.#read.letGo();
    this.mustClose ||= head.close;
    const hasNone = this.#isHeadRequest || head.status === 204 || head.status === 304;
    body.open(head, hasNone, this.#takesChunks, this.#headLimits.headerBytesMax);
    this.mustClose ||= body.kind === 'until-close';
    body.take(this.#read.bytes, headEnd, end);
    if (body.isFailed) return this.#fail('response-malformed', 'a chunk of the answer');
    this.#afterBodyRead();
    this.#owner!.onHead(head, headStart, headEnd, body.start, body.end, body.kind, body.isDone && body.trailer === null);
    if (body.trailer !== null) this.#owner?.onTrailer(body.trailer);
  }

  #readBody(start: number, end: number): void {
    const body = this.#body;
    body.take(this.#read.bytes, start, end);
    if (body.isFailed) return this.#fail('response-incomplete', 'a malformed chunk in the answer');
    this.#afterBodyRead();
    const isLast = body.isDone && body.trailer === null;
    if (body.end > body.start || isLast) this.#owner!.onBody(this.#read.bytes, body.start, body.end, isLast);
    if (body.trailer !== null) this.#owner?.onTrailer(body.trailer);
  }

  /** Before the owner is told: it may begin another exchange at once. */
  #afterBodyRead(): void {
    if (this.#body.isDone) {
      this.mustClose ||= this.#body.hasSurplus;
      this.#toRest();
    } else {
      this.#phase = P.body;
      this.#armBodyDeadline();
    }
  }

  #beginTunnel(headStart: number, headEnd: number, end: number): void {
    if (!this.#expectsUpgrade) return this.#fail('response-malformed', 'an upgrade nobody asked for');
    this.#phase = P.tunnel;
    this.mustClose = true;
    this.#read.letGo();
    this.#wheel.clear(this);
    this.#owner!.onHead(sharedHead, headStart, headEnd, headEnd, headEnd, 'none', false);
    if (end > headEnd) this.#owner?.onTunnel(this.#read.bytes, headEnd, end);
  }

  /** Between exchanges nothing is expected; the pool sets how long it may rest. */
  #toRest(): void {
    this.#phase = P.idle;
    this.#wheel.clear(this);
  }

  #armBodyDeadline(): void {
    if (this.#phase === P.body && !this.#isPaused) this.#wheel.set(this, this.#bodyIdleMs);
  }

  #onEnd(): void {
    switch (this.#phase) {
      case P.body:
        if (this.#body.kind !== 'until-close') return this.#fail('response-incomplete', 'closed in the middle of its answer');
        this.#toRest();
        this.#owner!.onBody(this.#read.bytes, HEADROOM, HEADROOM, true);
        return;
      case P.tunnel:
        this.#owner?.onTunnelEnd();
        return;
      case P.head:
        return this.#failWaiting('closed the connection');
      default:
        this.destroy();
    }
  }

  #onError(error: NodeJS.ErrnoException): void {
    const cause = error.code ?? error.message;
    switch (this.#phase) {
      case P.connecting:
        if (this.#isReached) return this.#fail('backend-tls-failed', dialFailureText(error));
        return this.#fail(error.code === 'ECONNREFUSED' ? 'connect-refused' : 'connect-failed', cause);
      case P.head:
        return this.#failWaiting(cause);
      case P.idle: case P.closed:
        return this.destroy();
      default:
        return this.#fail('response-incomplete', cause);
    }
  }

  /** Lost while the answer was due: may be sent again only if no byte of it came. */
  #failWaiting(detail: string): void {
    this.#fail(this.#read.held === 0 && this.#interimBytes === 0 ? 'connection-lost' : 'response-malformed', detail);
  }

  #onClose(): void {
    if (this.#phase !== P.closed) this.#fail('connection-lost', 'closed');
    this.backend.onConnectionClosed(this);
  }

  #fail(code: ErrorCode, detail: string): void {
    const owner = this.#owner;
    this.destroy();
    owner?.onFailure(code, detail);
  }
}
