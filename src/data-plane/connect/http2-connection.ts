/**
 * One HTTP/2 connection to a backend (RFC 9113), shared by many exchanges of
 * one worker. It sends their frames once a turn of the loop, keeps to the
 * backend's windows and limits, and lets none of its streams starve another.
 * It can be used once the backend's SETTINGS have come: what answers otherwise
 * speaks no HTTP/2. After GOAWAY nothing new begins on it.
 */
import { connect, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Aged } from '../../base/age-list.ts';
import type { ErrorCode } from '../../base/errors.ts';
import { Deadline, type TimerWheel } from '../../base/timer-wheel.ts';
import { dialFailureText } from '../../net/dial.ts';
import type { SecureDial } from '../../net/secure-dial.ts';
import { HpackEncoder } from '../parse/hpack-encoder.ts';
import {
  closeHeaders, FIRST_WINDOW_BYTES, H2_ERROR, openHeaders, PREFACE, putPayload, putGoaway, putPing, putReset, putSettings, putSettingsAck, putWindowUpdate, SETTING, WINDOW_MAX,
} from '../parse/http2-frames.ts';
import type { Backend } from './backend.ts';
import { Http2Incoming } from './http2-incoming.ts';
import { Http2Outgoing } from './http2-outgoing.ts';
import { Http2Request } from './http2-request.ts';
import { putRequestBlock, putTrailerBlock, type RequestBlock } from './http2-request-block.ts';

/** What a stream's answer may have on the way, and so what is kept for a client that takes none of it. */
export const STREAM_WINDOW_BYTES = 256 * 1024;
/** All of them together; given back as it comes, since each stream has its own bound. */
export const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;
/** Until the backend has said how many it takes. */
const STREAMS_FIRST = 100;
const STREAM_ID_MAX = 0x7fff_ffff;
const READ_BYTES = 64 * 1024;
/** Silence while answers are due is asked about, and ends the connection if there is still none. */
const PING_AFTER_MS = 10_000;
const PONG_WITHIN_MS = 5_000;

const P = { connecting: 0, settings: 1, ready: 2, closed: 3 } as const;
const NO_BYTES = Buffer.alloc(8);

/** Keeps the connections of one backend. */
export interface Http2ConnectionKeeper {
  readonly idleMs: number;
  /** It has no streams any more, and could have. */
  onIdle(connection: Http2Connection): void;
  onBusy(connection: Http2Connection): void;
  onStreamsMax(streamsMax: number): void;
  onClosed(connection: Http2Connection): void;
}

export class Http2Connection extends Deadline implements Aged<Http2Connection> {
  older: Http2Connection | null = null;
  newer: Http2Connection | null = null;
  readonly backend: Backend;
  readonly wheel: TimerWheel;
  readonly socket: Socket;
  /** Of the connection, as the backend has opened it. */
  sendWindow = FIRST_WINDOW_BYTES;
  /** It takes no new streams: the backend or the config said so. */
  isLeaving = false;
  isIdle = false;
  /** The backend takes extended CONNECT (RFC 8441 §3). */
  takesWebSockets = false;
  #phase: number = P.connecting;
  readonly #keeper: Http2ConnectionKeeper;
  readonly #encoder = new HpackEncoder();
  readonly #incoming: Http2Incoming;
  readonly #outgoing: Http2Outgoing;
  readonly #streams = new Map<number, Http2Request>();
  /** Begun while it was connecting. */
  #waiting: Http2Request[] = [];
  #nextId = 1;
  #streamsMax: number;
  #streamWindow = FIRST_WINDOW_BYTES;
  #headersAt = 0;
  #hasPinged = false;
  readonly #isSecure: boolean;
  /** Of TLS: the connection is there, and the handshake under way or done. */
  #isReached = false;

  constructor(backend: Backend, host: string, port: number, connectTimeoutMs: number, streamsMax: number, wheel: TimerWheel, keeper: Http2ConnectionKeeper, secure: SecureDial | null) {
    super();
    this.backend = backend;
    this.wheel = wheel;
    this.#keeper = keeper;
    this.#streamsMax = Math.min(STREAMS_FIRST, streamsMax);
    this.#incoming = new Http2Incoming(this);
    this.#isSecure = secure !== null;
    this.socket = secure === null ? this.#dial(host, port) : this.#dialSecurely(secure, host, port);
    this.#outgoing = new Http2Outgoing(this.socket, (bytes) => backend.countSent(bytes));
    wheel.set(this, connectTimeoutMs);
    this.socket.on(secure === null ? 'connect' : 'secureConnect', () => this.#onConnect());
    this.socket.on('end', () => this.fail('the backend closed the connection'));
    this.socket.on('error', (error: NodeJS.ErrnoException) => this.#onError(error));
    this.socket.on('close', () => this.#onClose());
  }

  #dial(host: string, port: number): Socket {
    const read = Buffer.allocUnsafeSlow(READ_BYTES);
    return connect({ host, port, noDelay: true, onread: { buffer: read, callback: (count) => this.#onRead(read, count) } });
  }

  #dialSecurely(secure: SecureDial, host: string, port: number): Socket {
    const raw = connect({ host, port, noDelay: true }).once('connect', () => (this.#isReached = true));
    const socket = secure.over(raw, this.backend.name, ['h2'], this.backend);
    return socket.on('data', (bytes: Buffer) => this.#onRead(bytes, bytes.length));
  }

  get isReady(): boolean {
    return this.#phase === P.ready;
  }

  get streams(): number {
    return this.#streams.size + this.#waiting.length;
  }

  get hasRoom(): boolean {
    return this.#phase !== P.closed && !this.isLeaving && this.streams < this.#streamsMax && this.#nextId <= STREAM_ID_MAX;
  }

  /** The socket takes more. */
  get canSend(): boolean {
    return this.#outgoing.canSend;
  }

  /** A place for an exchange; `hasRoom` was asked. */
  request(): Http2Request {
    const request = new Http2Request(this);
    if (this.isIdle) {
      this.isIdle = false;
      this.#keeper.onBusy(this);
    }
    if (this.#phase !== P.ready) this.#waiting.push(request);
    return request;
  }

  /** Sends the head of `request`, but for its end; null: it takes no more streams. */
  openStream(request: Http2Request): RequestBlock | null {
    if (this.isLeaving || this.#streams.size >= this.#streamsMax || this.#nextId > STREAM_ID_MAX || this.#phase !== P.ready) return null;
    request.id = this.#nextId;
    this.#nextId += 2;
    request.sendWindow = this.#streamWindow;
    this.#streams.set(request.id, request);
    this.#headersAt = openHeaders(this.#outgoing.out);
    // Between its streams the time is the idle one.
    if (!this.#hasPinged) this.wheel.set(this, PING_AFTER_MS);
    return putRequestBlock(this.#outgoing.out, this.#encoder, request.out, request.outLength, this.#isSecure, request.isWebSocket);
  }

  closeHead(request: Http2Request, isLast: boolean): void {
    closeHeaders(this.#outgoing.out, this.#headersAt, request.id, isLast);
    this.#outgoing.flushSoon();
  }

  sendData(request: Http2Request, bytes: Buffer, start: number, end: number, isLast: boolean): void {
    putPayload(this.#outgoing.out, request.id, bytes, start, end, isLast);
    request.sendWindow -= end - start;
    this.sendWindow -= end - start;
    this.#outgoing.flushSoon();
  }

  /** The end of a body that went out before, with its trailers. */
  sendEnd(request: Http2Request, trailer: Buffer | null): void {
    const at = openHeaders(this.#outgoing.out);
    if (trailer !== null && putTrailerBlock(this.#outgoing.out, this.#encoder, trailer)) closeHeaders(this.#outgoing.out, at, request.id, true);
    else {
      this.#outgoing.out.length = at;
      putPayload(this.#outgoing.out, request.id, NO_BYTES, 0, 0, true);
    }
    this.#outgoing.flushSoon();
  }

  /** `request` is pumped again when there may be room. */
  lineUp(request: Http2Request): void {
    this.#outgoing.lineUp(request);
  }

  creditStream(request: Http2Request, bytes: number): void {
    putWindowUpdate(this.#outgoing.out, request.id, bytes);
    this.#outgoing.flushSoon();
  }

  /** The request is over; `reset`: the code that tells the backend, -1 if both sides have ended it. */
  closeStream(request: Http2Request, reset: number): void {
    if (request.id === 0) {
      const at = this.#waiting.indexOf(request);
      if (at !== -1) this.#waiting.splice(at, 1);
    } else if (this.#streams.delete(request.id) && reset !== -1 && this.#phase === P.ready) {
      putReset(this.#outgoing.out, request.id, reset);
      this.#outgoing.flushSoon();
    }
    if (this.streams > 0 || this.#phase === P.closed || this.#phase !== P.ready) return;
    if (this.isLeaving) this.close();
    else {
      this.isIdle = true;
      this.wheel.set(this, this.#keeper.idleMs);
      this.#keeper.onIdle(this);
    }
  }

  stream(id: number): Http2Request | undefined {
    return this.#streams.get(id);
  }

  /** False: a stream that was never opened. */
  wasOpened(id: number): boolean {
    return id % 2 === 1 && id < this.#nextId;
  }

  /** Bytes given to an owner stay in use: what comes next goes elsewhere. */
  keepBytes(): Buffer {
    return this.#incoming.keepBytes();
  }

  // What the backend says.

  onSettings(settings: readonly (readonly [id: number, value: number])[]): void {
    for (const [id, value] of settings) {
      if (id === SETTING.headerTableSize) this.#encoder.setTableSize(value);
      else if (id === SETTING.maxConcurrentStreams) {
        this.#streamsMax = value;
        this.#keeper.onStreamsMax(value);
      } else if (id === SETTING.initialWindowSize) this.#resizeWindows(value);
      else if (id === SETTING.enableConnectProtocol) this.takesWebSockets = value === 1;
    }
    putSettingsAck(this.#outgoing.out);
    this.#outgoing.flushSoon();
    if (this.#phase === P.settings) this.#begin();
  }

  #resizeWindows(size: number): void {
    const change = size - this.#streamWindow;
    this.#streamWindow = size;
    for (const request of this.#streams.values()) {
      request.sendWindow += change;
      if (request.sendWindow > WINDOW_MAX) return this.fail('a window over its bound', H2_ERROR.flowControlError);
    }
  }

  #begin(): void {
    this.#phase = P.ready;
    this.wheel.set(this, PING_AFTER_MS);
    // One by one: while others wait, one that fails leaves the connection no rest.
    while (this.#waiting.length > 0) this.#waiting.shift()!.onReady();
  }

  /** More window: of the connection if `id` is 0. */
  onWindow(id: number, bytes: number): void {
    if (id === 0) {
      this.sendWindow += bytes;
      if (this.sendWindow > WINDOW_MAX) return this.fail('a window over its bound', H2_ERROR.flowControlError);
    } else {
      const request = this.#streams.get(id);
      if (request === undefined) return;
      request.sendWindow += bytes;
      if (request.sendWindow > WINDOW_MAX) return request.fail('response-malformed', 'a window over its bound', H2_ERROR.flowControlError);
    }
    this.#outgoing.flushSoon();
  }

  onPing(bytes: Buffer, from: number, isAck: boolean): void {
    if (isAck) return;
    putPing(this.#outgoing.out, bytes, from, true);
    this.#outgoing.flushSoon();
  }

  /** Streams above `lastId` were not looked at (§6.8), and may go elsewhere. */
  onGoaway(lastId: number, code: number): void {
    this.isLeaving = true;
    for (const request of [...this.#streams.values()]) if (request.id > lastId) request.breakOff(true, `GOAWAY ${code}`);
    for (const request of this.#waiting.splice(0)) request.breakOff(true, `GOAWAY ${code}`);
    if (this.streams === 0) this.close();
  }

  creditConnection(bytes: number): void {
    putWindowUpdate(this.#outgoing.out, 0, bytes);
    this.#outgoing.flushSoon();
  }

  // Its life.

  #onConnect(): void {
    if (this.#phase !== P.connecting) return;
    // Without the word of both that it is HTTP/2 nothing of it may be said (RFC 9113 §3.2).
    if (this.#isSecure && (this.socket as TLSSocket).alpnProtocol !== 'h2') return this.fail('the backend does not offer HTTP/2 (ALPN h2)');
    this.#phase = P.settings;
    const { out } = this.#outgoing;
    out.reserve(PREFACE.length);
    out.length += PREFACE.copy(out.bytes, out.length);
    putSettings(out, [[SETTING.enablePush, 0], [SETTING.initialWindowSize, STREAM_WINDOW_BYTES]]);
    putWindowUpdate(out, 0, CONNECTION_WINDOW_BYTES - FIRST_WINDOW_BYTES);
    this.#outgoing.flushSoon();
  }

  #onRead(bytes: Buffer, count: number): boolean {
    this.backend.countReceived(count);
    if (this.#phase === P.ready && !this.isIdle) {
      this.#hasPinged = false;
      this.wheel.set(this, PING_AFTER_MS);
    }
    try {
      this.#incoming.take(bytes, count);
    } catch (error) {
      // A bug of ours costs this connection, not the worker.
      this.fail(error instanceof Error ? (error.stack ?? error.message) : String(error), H2_ERROR.internalError, 'internal');
    }
    return true;
  }

  onDeadline(): void {
    if (this.#phase < P.ready) return this.#failAll('connect-timeout', this.#phase === P.connecting ? 'no connection within the time allowed' : 'no SETTINGS within the time allowed: does it speak HTTP/2?');
    if (this.isIdle) return this.close();
    if (this.#hasPinged) return this.fail('no answer to a PING');
    this.#hasPinged = true;
    putPing(this.#outgoing.out, NO_BYTES, 0, false);
    this.#outgoing.flushSoon();
    this.wheel.set(this, PONG_WITHIN_MS);
  }

  /** No new streams; closed when the last one is over. */
  leave(): void {
    this.isLeaving = true;
    if (this.streams === 0) this.close();
  }

  /** In order, with nothing running on it. */
  close(): void {
    if (this.#phase === P.closed) return;
    if (this.#phase === P.ready) putGoaway(this.#outgoing.out, 0, H2_ERROR.noError, '');
    this.#shut();
  }

  /** Ends what runs on it, for its time is over. */
  cut(why: string): void {
    this.#failAll('connection-lost', `cut: ${why}`);
  }

  #shut(): void {
    const isGraceful = this.#phase === P.ready;
    this.#phase = P.closed;
    this.wheel.forget(this);
    this.#incoming.stop();
    this.#outgoing.stop(isGraceful);
    this.#keeper.onClosed(this);
  }

  /** The connection is of no use any more; `code` tells the backend why, if it is its fault. */
  fail(detail: string, code: number = H2_ERROR.noError, error: ErrorCode | null = null): void {
    if (this.#phase === P.closed) return;
    if (this.#phase < P.ready) return this.#failAll('connect-failed', detail);
    if (code !== H2_ERROR.noError) putGoaway(this.#outgoing.out, 0, code, '');
    this.#failAll(error, detail);
  }

  /** `error` null: what it means for each stream. */
  #failAll(error: ErrorCode | null, detail: string): void {
    if (this.#phase === P.closed) return;
    const requests = [...this.#streams.values(), ...this.#waiting];
    this.#shut();
    for (const request of requests) {
      if (error === null) request.breakOff(false, detail);
      else request.fail(error === 'connection-lost' && request.isAnswered ? 'response-incomplete' : error, detail);
    }
  }

  #onError(error: NodeJS.ErrnoException): void {
    const cause = error.code ?? error.message;
    if (this.#isReached && this.#phase === P.connecting) this.#failAll('backend-tls-failed', dialFailureText(error));
    else if (this.#phase === P.connecting) this.#failAll(error.code === 'ECONNREFUSED' ? 'connect-refused' : 'connect-failed', cause);
    else this.fail(cause);
  }

  #onClose(): void {
    this.fail('closed');
    this.backend.onHttp2Closed();
  }
}
