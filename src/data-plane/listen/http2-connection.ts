/**
 * The life of one HTTP/2 connection of a client: what it waits for, how it is
 * drained and closed, what its client may do for nothing, and its streams as
 * they come and go. The half that reads frames (http2-client.ts) builds on it.
 */
import type { Socket } from 'node:net';
import { Deadline } from '../../base/timer-wheel.ts';
import type { ErrorCode } from '../../base/errors.ts';
import type { ProxyEnds } from '../../net/proxy-header.ts';
import { listenerColumns } from '../../shared/counter-pages.ts';
import type { Exchange } from '../exchange.ts';
import type { WorkerContext } from '../live/worker-context.ts';
import { HpackEncoder } from '../parse/hpack-encoder.ts';
import { FIRST_WINDOW_BYTES, H2_ERROR, putPayload, putGoaway, putPing, putReset, putSettings, putWindowUpdate, SETTING, WINDOW_MAX } from '../parse/http2-frames.ts';
import type { Pipeline } from '../pipeline.ts';
import type { HttpListener } from './http-listener.ts';
import { Http2Abuse } from './http2-abuse.ts';
import { Http2Output, type OutputOwner } from './http2-output.ts';
import type { Http2Sink } from './http2-sink.ts';
import { STREAM_WINDOW_BYTES, type Http2Stream } from './http2-stream.ts';
import type { Introduction } from './introduction.ts';
import { FRESH_TICKS, LINGER_MS } from './patience.ts';
import type { SpareStreams } from './spare-streams.ts';

/** `draining`: GOAWAY was sent once, and names the last stream when it is sent again. `closing`: the last word was said. */
export const S = { open: 0, draining: 1, drained: 2, closing: 3, closed: 4 } as const;
/** What the connection itself waits for. */
const WAIT = { none: 0, head: 1, idle: 2, send: 3, drain: 4, linger: 5 } as const;

/** What all bodies together may be ahead; given back as it comes, for each stream has a window of its own. */
export const CONNECTION_WINDOW_BYTES = 1024 * 1024;
/** A client answers the PING between the two GOAWAY of a drain in a round trip; longer than this nobody waits. */
const DRAIN_STEP_MS = 1000;
export const DRAIN_PING = Buffer.from('drained?', 'latin1');
/** Streams that were closed while the client may still send on them. */
const REMEMBERED_MAX = 256;

export abstract class Http2Connection extends Deadline implements OutputOwner {
  readonly pipeline: Pipeline;
  protected readonly spare: SpareStreams;
  readonly listener: HttpListener;
  readonly context: WorkerContext;
  readonly output: Http2Output;
  readonly encoder = new HpackEncoder();
  protected readonly socket: Socket;
  protected readonly introduction: Introduction;
  protected readonly streams = new Map<number, Http2Stream>();
  protected state: number = S.open;
  /** Highest stream the client has opened, and of those the highest that is served. */
  protected lastStream = 0;
  protected lastServed = 0;
  readonly #abuse = new Http2Abuse();
  #wait: number = WAIT.none;
  /** Made with the first: most connections never have one. */
  #remembered: Int32Array | null = null;
  #rememberedCount = 0;
  /** The wheel's tick when it came to rest. */
  #restTick: number;

  constructor(socket: Socket, listener: HttpListener, spare: SpareStreams, context: WorkerContext, introduction: Introduction) {
    super();
    this.socket = socket;
    this.pipeline = spare.pipeline;
    this.spare = spare;
    this.listener = listener;
    this.context = context;
    this.introduction = introduction;
    this.#restTick = context.wheel.now;
    this.output = new Http2Output(socket, this);
    this.#greet();
  }

  /** The preface is not whole, or a field block. */
  protected abstract get isInHead(): boolean;
  protected abstract resumeReading(): void;
  /** What has been read, and what comes, is dropped. */
  protected abstract stopFrames(): void;
  /** The client has shut down its sending side. */
  protected abstract get hasEnded(): boolean;

  #greet(): void {
    const { limits } = this.listener.live.spec;
    const { counters, base } = this.listener.live;
    counters[base + listenerColumns.http2Connections]!++;
    const settings: (readonly [number, number])[] = [
      [SETTING.initialWindowSize, STREAM_WINDOW_BYTES],
      [SETTING.enableConnectProtocol, 1],
      [SETTING.noRfc7540Priorities, 1],
    ];
    if (limits.streamsMax !== 0) settings.unshift([SETTING.maxConcurrentStreams, limits.streamsMax]);
    if (limits.headerBytesMax !== 0) settings.push([SETTING.maxHeaderListSize, limits.headerBytesMax]);
    const out = this.output.open();
    putSettings(out, settings);
    putWindowUpdate(out, 0, CONNECTION_WINDOW_BYTES - FIRST_WINDOW_BYTES);
  }

  /** Who is at its other end, for an exchange of its own. */
  introduce(x: Exchange): void {
    x.listener = this.listener.live;
    this.introduction.introduce(x);
  }

  ends(): ProxyEnds | null {
    return this.introduction.ends();
  }

  get #isAtRest(): boolean {
    return this.streams.size === 0 && this.state < S.closing && !this.isInHead;
  }

  closeAtRest(): boolean {
    if (!this.#isAtRest || (this.lastStream === 0 && this.context.wheel.now < this.#restTick + FRESH_TICKS)) return false;
    this.close(H2_ERROR.noError, '');
    return true;
  }

  closeWhenQuiet(): void {
    this.drain();
  }

  cut(): void {
    this.endStreams('shutting-down');
    this.state = S.closed;
    this.socket.destroy();
  }

  putWindow(id: number, bytes: number): void {
    putWindowUpdate(this.output.open(), id, bytes);
  }

  putDataFrame(stream: Http2Sink, bytes: Buffer, start: number, end: number, isLast: boolean): void {
    putPayload(this.output.open(), stream.id, bytes, start, end, isLast);
    stream.window -= end - start;
    this.output.window -= end - start;
    this.#abuse.onDataSent();
  }

  // ---- streams

  /** The client broke a rule on one stream. */
  resetForBreach(id: number, code: number): void {
    if (this.state >= S.closing) return;
    putReset(this.output.open(), id, code);
    const stream = this.streams.get(id);
    if (stream === undefined) this.remember(id);
    else stream.end('bad-request', true);
    this.countReset();
    this.rest();
  }

  onStreamClosed(stream: Http2Stream, mayStillSend: boolean): void {
    if (mayStillSend) this.remember(stream.id);
    this.streams.delete(stream.id);
    this.rest();
  }

  recycle(stream: Http2Stream): void {
    this.spare.giveBack(stream);
  }

  protected remember(id: number): void {
    (this.#remembered ??= new Int32Array(REMEMBERED_MAX))[this.#rememberedCount++ % REMEMBERED_MAX] = id;
  }

  protected isRemembered(id: number): boolean {
    return this.#remembered !== null && this.#remembered.includes(id);
  }

  protected endStreams(code: ErrorCode): void {
    for (const stream of [...this.streams.values()]) stream.end(code);
  }

  // ---- what costs and brings nothing

  protected countControl(): void {
    if (!this.#abuse.onControlFrame(this.listener.live.spec.limits, this.context.wheel.now)) this.close(H2_ERROR.enhanceYourCalm, 'too many frames that carry nothing');
  }

  protected countReset(): void {
    if (!this.#abuse.onReset(this.listener.live.spec.limits, this.context.wheel.now)) this.close(H2_ERROR.enhanceYourCalm, 'too many streams ended early');
  }

  // ---- drain and end

  /** A stream is gone, or may be: the connection may have come to rest. */
  protected rest(): void {
    if (this.streams.size > 0) return;
    this.#restTick = this.context.wheel.now;
    if (this.state === S.drained) this.close(H2_ERROR.noError, '');
    else this.rearm();
  }

  /** The connection has to go: its listener is closed, or the proxy leaves rotation. */
  protected drainIfDue(): void {
    if (this.context.isShedding || this.context.isStopping || this.listener.isRetired) this.drain();
  }

  /**
   * In two steps, so that no request is lost that crosses the first word of it
   * (RFC 9113 §6.8): GOAWAY that names no last stream, a PING, and once that is
   * answered the GOAWAY that names it.
   */
  protected drain(): void {
    if (this.state !== S.open) return;
    this.state = S.draining;
    const out = this.output.open();
    putGoaway(out, WINDOW_MAX, H2_ERROR.noError, '');
    putPing(out, DRAIN_PING, 0, false);
    this.#await(WAIT.drain, DRAIN_STEP_MS);
  }

  /** Streams that come from now on are not served, and the client knows it. */
  protected startDrained(): void {
    if (this.state > S.draining) return;
    this.state = S.drained;
    putGoaway(this.output.open(), this.lastServed, H2_ERROR.noError, '');
    if (this.streams.size === 0) this.close(H2_ERROR.noError, '');
    else this.rearm();
  }

  /** The last word: GOAWAY, and what is on its way. Exchanges that run are called off. */
  protected close(code: number, reason: string): void {
    if (this.state >= S.closing) return;
    const wasDrained = this.state === S.drained;
    this.state = S.closing;
    this.stopFrames();
    if (code !== H2_ERROR.noError) this.#tell(code, reason);
    if (code !== H2_ERROR.noError || !wasDrained) putGoaway(this.output.open(), this.lastServed, code, reason);
    this.endStreams('http2-refused');
    this.output.end();
    // Unread bytes would turn a close into a reset that destroys the last word: read on a while, and drop it.
    this.resumeReading();
    this.#await(WAIT.linger, LINGER_MS);
    this.#destroyIfEnded();
  }

  #destroyIfEnded(): void {
    if (this.hasEnded && this.output.heldBytes === 0) this.socket.destroy();
  }

  #tell(code: number, reason: string): void {
    const { counters, base, spec } = this.listener.live;
    counters[base + listenerColumns.http2Refused + code]!++;
    // Whoever is refused chooses how often: no louder than this.
    this.context.log('debug', 'an HTTP/2 connection was refused', { listener: spec.name, client: this.introduction.peerAddress, code, reason });
  }

  /** The socket is closed. */
  protected forget(): void {
    this.state = S.closed;
    this.context.wheel.forget(this);
    this.endStreams('client-aborted');
  }

  // ---- the output

  onWritten(bytes: number): void {
    const { counters, base } = this.listener.live;
    counters[base + listenerColumns.bytesOut]! += bytes;
  }

  onBlocked(): void {
    this.rearm();
  }

  onUnblocked(): void {
    if (this.state === S.closing) this.#destroyIfEnded();
    this.resumeReading();
    this.rearm();
  }

  // ---- time

  #await(wait: number, delayMs: number): void {
    this.#wait = wait;
    this.context.wheel.set(this, delayMs);
  }

  /** Sets the deadline anew if it waits for something else than before. */
  protected rearm(): void {
    if (this.state >= S.closing || this.state === S.draining) return;
    const { timeouts } = this.listener.live.spec;
    const wait = this.output.isBlocked ? WAIT.send : this.isInHead ? WAIT.head : this.streams.size === 0 ? WAIT.idle : WAIT.none;
    if (wait === this.#wait) return;
    this.#await(wait, wait === WAIT.send ? timeouts.sendMs : wait === WAIT.head ? timeouts.headerMs : wait === WAIT.idle ? timeouts.idleMs : 0);
  }

  onDeadline(): void {
    switch (this.#wait) {
      case WAIT.drain:
        return this.startDrained();
      case WAIT.idle:
        return this.close(H2_ERROR.noError, '');
      case WAIT.head:
        return this.close(H2_ERROR.protocolError, 'a field block, or the preface, did not come in time');
      default:
        // The client takes nothing: there is nobody to say so to.
        this.endStreams('client-stalled');
        this.socket.destroy();
    }
  }
}
