/**
 * One HTTP/2 connection of a client (RFC 9113): takes its frames, and gives
 * each request to a stream with an exchange of its own. All that goes out is
 * put into `output`, which writes once a turn. What a client can make us hold
 * or do for nothing is bounded (docs/limits.md); a bound that is exceeded ends
 * the connection with GOAWAY and its reason.
 */
import type { Socket } from 'node:net';
import { freeRead, readFrom, type AcceptedReader, type ReadTarget } from '../../net/read-from.ts';
import { listenerColumns } from '../../shared/counter-pages.ts';
import { countRefusedRequest } from '../accounting.ts';
import type { WorkerContext } from '../live/worker-context.ts';
import { HpackDecoder } from '../parse/hpack-decoder.ts';
import { Http2FrameReader, type FrameTarget } from '../parse/http2-frame-reader.ts';
import { FIRST_WINDOW_BYTES, FLAG, FRAME, H2_ERROR, putPing, putReset, putSettingsAck, putWindowUpdate, SETTING, uint32, WINDOW_MAX } from '../parse/http2-frames.ts';
import { urgencyOf } from '../parse/http2-priority.ts';
import type { HttpClient, HttpListener } from './http-listener.ts';
import { CONNECTION_WINDOW_BYTES, DRAIN_PING, Http2Connection, S } from './http2-connection.ts';
import { fields, keepHead, keptLength } from './http2-request-head.ts';
import type { Http2Stream } from './http2-stream.ts';
import type { Introduction } from './introduction.ts';
import { tellBug } from './own-bug.ts';
import type { SpareStreams } from './spare-streams.ts';

/** Compressed, a field block is no larger than what it says, but for strings that could be shorter. */
const BLOCK_BYTES_FREE = 16 * 1024;
const BLOCK_BYTES_WITHOUT_LIMIT = 1024 * 1024;
/** With so much put and not taken the client is not read: nothing it says may make it more. */
const HELD_OUT_BYTES_MAX = 512 * 1024;
/** Of a body that comes with its head, so much waits for the end of the read, to go in the head's own write. */
const JOINED_BODY_BYTES_MAX = 8 * 1024;

/** SETTINGS_HEADER_TABLE_SIZE, which we leave as it is at first. */
const HEADER_TABLE_BYTES = 4096;

export class Http2Client extends Http2Connection implements ReadTarget, FrameTarget, HttpClient {
  older: HttpClient | null = null;
  newer: HttpClient | null = null;
  protected hasEnded = false;
  readonly #reader: AcceptedReader;
  readonly #frames: Http2FrameReader;
  readonly #decoder = new HpackDecoder(HEADER_TABLE_BYTES);
  #hasAcknowledged = false;
  /** The client's SETTINGS_INITIAL_WINDOW_SIZE. */
  #firstWindow = FIRST_WINDOW_BYTES;
  /** Of our window for all bodies. */
  #window = CONNECTION_WINDOW_BYTES;
  #toReturn = 0;
  /** Its head came last in this read: more of it may follow before its exchange begins. */
  #opening: Http2Stream | null = null;
  /** Streams whose body came in this read. */
  #fed: Http2Stream[] = [];
  // The DATA frame that is passing.
  #dataStream: Http2Stream | null = null;
  #dataLength = 0;
  #dataBytes = 0;

  /** `reader`: of one whose first bytes another has read. */
  constructor(socket: Socket, listener: HttpListener, spare: SpareStreams, context: WorkerContext, introduction: Introduction, reader: AcceptedReader | null = null) {
    super(socket, listener, spare, context, introduction);
    if (reader === null) socket.on('error', ignore); // 'close' follows, and says all there is to say
    socket.setNoDelay(true);
    this.#frames = new Http2FrameReader(this, this.#blockBytesMax());
    reader?.handTo(this);
    this.#reader = reader ?? readFrom(socket, this);
    this.rearm();
  }

  protected get isInHead(): boolean {
    return this.#frames.isOpening || this.#frames.isInBlock;
  }

  protected stopFrames(): void {
    this.#frames.stop();
    this.#opening = this.#dataStream = null;
    this.#fed = [];
  }

  protected resumeReading(): void {
    this.#reader.resume();
  }

  /** It has its place: what has come so far is taken. */
  begin(): void {
    this.#reader.begin();
  }

  // ---- bytes in

  onBytes(bytes: Buffer): void {
    const { counters, base } = this.listener.live;
    counters[base + listenerColumns.bytesIn]! += bytes.length;
    this.take(bytes, 0, bytes.length);
    freeRead(bytes);
  }

  /** Takes bytes[start, end), which were counted; they are the caller's again. */
  take(bytes: Buffer, start: number, end: number): void {
    if (this.state >= S.closing) return;
    try {
      if (!this.#frames.feed(bytes, start, end) && this.#frames.error !== H2_ERROR.noError) this.close(this.#frames.error, this.#frames.reason);
      if (this.state < S.closing) this.#endRead();
    } catch (error) {
      tellBug(this.listener.live, this.context, error);
      this.endStreams('internal');
      this.socket.destroy();
    }
  }

  #endRead(): void {
    if (this.#opening !== null) this.#beginOpening();
    if (this.#fed.length > 0) this.#passFed();
    if (this.#toReturn >= CONNECTION_WINDOW_BYTES / 2) {
      this.#window += this.#toReturn;
      putWindowUpdate(this.output.open(), 0, this.#toReturn);
      this.#toReturn = 0;
    }
    if (this.output.heldBytes > HELD_OUT_BYTES_MAX) this.#reader.pause();
    this.rearm();
  }

  #beginOpening(): void {
    const stream = this.#opening!;
    this.#opening = null;
    if (stream.isOpening) stream.begin();
  }

  #passFed(): void {
    const fed = this.#fed;
    this.#fed = [];
    for (const stream of fed) stream.passBody();
  }

  onEnd(): void {
    this.hasEnded = true;
    if (this.state >= S.closing) {
      if (this.output.heldBytes === 0) this.socket.destroy();
      return;
    }
    // There is no half of an HTTP/2 connection: who cannot send windows any more takes no answer.
    this.endStreams('client-aborted');
    this.close(H2_ERROR.noError, '');
  }

  onClose(): void {
    this.forget();
    this.listener.onClientClosed(this);
  }

  /** What is to come of the frame that is passing is nobody's. */
  override onStreamClosed(stream: Http2Stream, mayStillSend: boolean): void {
    if (this.#dataStream === stream) this.#dataStream = null;
    super.onStreamClosed(stream, mayStillSend);
  }

  // ---- field blocks

  #blockBytesMax(): number {
    const { headerBytesMax } = this.listener.live.spec.limits;
    return headerBytesMax === 0 ? BLOCK_BYTES_WITHOUT_LIMIT : headerBytesMax + BLOCK_BYTES_FREE;
  }

  onHeaders(id: number, isLast: boolean, bytes: Buffer, start: number, end: number): void {
    if (this.#opening !== null) this.#beginOpening();
    const stream = this.streams.get(id);
    const isNew = id > this.lastStream;
    if (stream === undefined && !isNew && !this.isRemembered(id)) return this.close(H2_ERROR.streamClosed, 'HEADERS on a closed stream');
    if (isNew && id % 2 === 0) return this.close(H2_ERROR.protocolError, 'HEADERS on a stream that no client opens');
    fields.begin(this.listener.live.spec.limits, !isNew);
    // Decoded in any case, for the table is the connection's.
    if (!this.#decoder.decode(bytes, start, end, fields, fields)) return this.close(H2_ERROR.compressionError, 'a field block is malformed');
    fields.finish();
    if (isNew) this.#openStream(id, isLast);
    else if (stream !== undefined) this.#takeTrailers(stream, isLast);
  }

  #openStream(id: number, isLast: boolean): void {
    this.lastStream = id;
    // Behind the last stream that GOAWAY named: the client sends it elsewhere.
    if (this.state >= S.drained) return;
    const { limits } = this.listener.live.spec;
    if (limits.streamsMax !== 0 && this.streams.size >= limits.streamsMax) return this.#refuseStream(id);
    this.lastServed = id;
    if (fields.problem !== '') return this.#refuseMalformed(id);
    const stream = this.spare.take(this);
    stream.isWebSocket = fields.isWebSocket;
    stream.hasLength = fields.hasLength;
    stream.urgency = fields.urgency;
    stream.open(id, keepHead(), keptLength(), fields.serial, isLast, this.#firstWindow);
    this.streams.set(id, stream);
    this.drainIfDue();
    if (fields.isTooLarge) return stream.refuse('head-too-large');
    if (fields.isSecure !== this.introduction.isSecure && !this.#isTrusted()) return stream.refuse('bad-request');
    if (isLast) stream.begin();
    else this.#opening = stream;
  }

  /** What ends TLS in front of us says https of its clients in the clear. */
  #isTrusted(): boolean {
    const { trusted } = this.listener.live;
    return !trusted.isEmpty && trusted.has(this.introduction.peerAddress);
  }

  /** More at once than we said: the client may send it again (RFC 9113 §5.1.2). */
  #refuseStream(id: number): void {
    this.remember(id);
    putReset(this.output.open(), id, H2_ERROR.refusedStream);
    if (this.#hasAcknowledged) this.countControl();
  }

  #refuseMalformed(id: number): void {
    countRefusedRequest(this.listener.live, 'bad-request');
    this.context.log('debug', 'a request was refused', { listener: this.listener.name, client: this.introduction.peerAddress, reason: fields.problem });
    this.resetForBreach(id, H2_ERROR.protocolError);
  }

  #takeTrailers(stream: Http2Stream, isLast: boolean): void {
    if (stream.isRemoteEnded) return this.resetForBreach(stream.id, H2_ERROR.streamClosed);
    // A tunnel has no trailers, and a section that does not end the stream is none (RFC 9113 §8.1).
    if (!isLast || stream.isWebSocket || fields.problem !== '' || fields.isTooLarge || !stream.addTrailer(Buffer.from(fields.out.bytes.subarray(0, fields.out.length)))) {
      return this.resetForBreach(stream.id, H2_ERROR.protocolError);
    }
    stream.isRemoteEnded = true;
    this.#feed(stream);
  }

  // ---- DATA

  onData(id: number, length: number): void {
    if (this.#opening !== null && this.#opening.id !== id) this.#beginOpening();
    this.#dataLength = length;
    this.#dataBytes = 0;
    const stream = (this.#dataStream = this.streams.get(id) ?? null);
    this.#window -= length;
    this.#toReturn += length;
    if (this.#window < 0) return this.close(H2_ERROR.flowControlError, 'DATA beyond the window of the connection');
    if (stream === null) {
      if (id > this.lastStream) this.close(H2_ERROR.protocolError, 'DATA on an idle stream');
      else if (!this.isRemembered(id) && this.state < S.drained) this.close(H2_ERROR.streamClosed, 'DATA on a closed stream');
    } else if (stream.isRemoteEnded) this.#breakStream(H2_ERROR.streamClosed);
    else if (!stream.takesWindow(length)) this.#breakStream(H2_ERROR.flowControlError);
  }

  #breakStream(code: number): void {
    const { id } = this.#dataStream!;
    this.#dataStream = null;
    this.resetForBreach(id, code);
  }

  onDataBytes(_id: number, bytes: Buffer, start: number, end: number): void {
    this.#dataBytes += end - start;
    this.#dataStream?.upload.add(bytes, start, end);
  }

  onDataEnd(_id: number, isLast: boolean): void {
    const stream = this.#dataStream;
    if (this.#dataBytes === 0 && !isLast) this.countControl();
    if (stream === null || this.state >= S.closing) return;
    this.#dataStream = null;
    stream.returnPadding(this.#dataLength - this.#dataBytes);
    stream.isRemoteEnded = isLast;
    this.#feed(stream);
  }

  #feed(stream: Http2Stream): void {
    if (this.#opening === stream) {
      if (stream.upload.gatheredBytes > JOINED_BODY_BYTES_MAX) this.#beginOpening();
    } else if (!this.#fed.includes(stream)) this.#fed.push(stream);
  }

  // ---- other frames

  onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (this.#opening !== null) this.#beginOpening();
    switch (type) {
      case FRAME.rstStream:
        return this.#onReset(id);
      case FRAME.settings:
        return this.#onSettings(flags, bytes, start, end);
      case FRAME.ping:
        return this.#onPing(flags, bytes, start);
      case FRAME.goaway:
        // It opens no more streams; those that run go on.
        return this.countControl();
      case FRAME.windowUpdate:
        return this.#onWindowUpdate(id, uint32(bytes, start) & WINDOW_MAX);
      case FRAME.priorityUpdate:
        this.#setUrgency(uint32(bytes, start), urgencyOf(bytes, start + 4, end));
        return this.countControl();
      default:
        // PRIORITY, which has no meaning any more, but a length (RFC 9113 §6.3).
        if (type === FRAME.priority && end - start !== 5) this.resetForBreach(id, H2_ERROR.frameSizeError);
        this.countControl();
    }
  }

  /** Of a stream that has come; one that may still come says so itself. */
  #setUrgency(id: number, urgency: number): void {
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    const { isWaiting } = stream;
    this.output.withdraw(stream);
    stream.urgency = urgency;
    if (isWaiting) this.output.offer(stream);
  }

  #onReset(id: number): void {
    if (id > this.lastStream) return this.close(H2_ERROR.protocolError, 'RST_STREAM on an idle stream');
    const stream = this.streams.get(id);
    if (stream === undefined) return this.countControl();
    this.countReset();
    stream.end('client-aborted');
    this.rest();
  }

  #onSettings(flags: number, bytes: Buffer, start: number, end: number): void {
    this.countControl();
    if ((flags & FLAG.ack) !== 0) {
      this.#hasAcknowledged = true;
      return;
    }
    let firstWindow = this.#firstWindow;
    for (let at = start; at < end; at += 6) {
      const value = uint32(bytes, at + 2);
      switch ((bytes[at]! << 8) | bytes[at + 1]!) {
        case SETTING.headerTableSize:
          this.encoder.setTableSize(value);
          break;
        case SETTING.enablePush:
          if (value > 1) return this.close(H2_ERROR.protocolError, 'ENABLE_PUSH is neither 0 nor 1');
          break;
        case SETTING.initialWindowSize:
          if (value > WINDOW_MAX) return this.close(H2_ERROR.flowControlError, 'INITIAL_WINDOW_SIZE is too large');
          firstWindow = value;
          break;
        case SETTING.maxFrameSize:
          if (value < 16_384 || value > 16_777_215) return this.close(H2_ERROR.protocolError, 'MAX_FRAME_SIZE is out of its range');
      }
    }
    putSettingsAck(this.output.open());
    const change = firstWindow - this.#firstWindow;
    this.#firstWindow = firstWindow;
    if (change === 0) return;
    for (const stream of [...this.streams.values()]) if (!stream.addWindow(change)) return this.close(H2_ERROR.flowControlError, 'a window is too large');
  }

  #onPing(flags: number, bytes: Buffer, start: number): void {
    this.countControl();
    if ((flags & FLAG.ack) === 0) putPing(this.output.open(), bytes, start, true);
    else if (this.state === S.draining && bytes.compare(DRAIN_PING, 0, 8, start, start + 8) === 0) this.startDrained();
  }

  #onWindowUpdate(id: number, bytes: number): void {
    this.countControl();
    if (id === 0) {
      if (bytes === 0) return this.close(H2_ERROR.protocolError, 'WINDOW_UPDATE of nothing');
      this.output.window += bytes;
      if (this.output.window > WINDOW_MAX) return this.close(H2_ERROR.flowControlError, 'the window of the connection is too large');
      return this.output.pump();
    }
    if (id > this.lastStream) return this.close(H2_ERROR.protocolError, 'WINDOW_UPDATE on an idle stream');
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    if (bytes === 0) this.resetForBreach(id, H2_ERROR.protocolError);
    else if (!stream.addWindow(bytes)) this.resetForBreach(id, H2_ERROR.flowControlError);
  }
}

function ignore(): void {}
