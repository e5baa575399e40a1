/**
 * What comes in on an HTTP/2 connection to a backend: its frames, taken to the
 * streams they belong to. Data of one stream that follows its head, or itself,
 * within a read is given on in one piece, framed as HTTP/1.1 has it, so that a
 * small answer reaches the client in one write.
 */
import type { ErrorCode } from '../../base/errors.ts';
import { AnswerFields } from '../parse/http2-answer-fields.ts';
import { FLAG, FRAME, H2_ERROR, SETTING, uint32 } from '../parse/http2-frames.ts';
import { Http2FrameReader, type FrameTarget } from '../parse/http2-frame-reader.ts';
import { HpackDecoder } from '../parse/hpack-decoder.ts';
import { OutBytes } from '../parse/out-bytes.ts';
import { parseListedAnswer, parseResponseHead, ResponseHead } from '../parse/response-head.ts';
import { CHUNK_OVERHEAD_BYTES } from './http2-answer.ts';
import { CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES, type Http2Connection } from './http2-connection.ts';
import type { Http2Request } from './http2-request.ts';
import { switchHead } from './http2-websocket.ts';
import { HEADROOM, TAILROOM } from './read-buffer.ts';

const DECODER_TABLE_BYTES = 4096;
/** Of a field block as it comes; what it decodes to is held to the listener's headerSize. */
const BLOCK_BYTES_MAX = 256 * 1024;
const GIVEN_BYTES_MAX = 64 * 1024;
/** SETTINGS and PING that ask for an answer, in one read: more is a flood. */
const ASKED_IN_A_READ_MAX = 64;

/** Filled anew for each answer; its reader is done with it before the next is parsed. */
const sharedHead = new ResponseHead();
const fields = new AnswerFields();
const sharedTrailer = new OutBytes(1024);
const NO_LIMITS = { headerBytesMax: 0, headerCountMax: 0 };
/** For fields that nobody wants. */
const strayLimits = { headerBytesMax: 64 * 1024, headerCountMax: 0 };

export class Http2Incoming implements FrameTarget {
  readonly #connection: Http2Connection;
  readonly #decoder = new HpackDecoder(DECODER_TABLE_BYTES);
  readonly #reader = new Http2FrameReader(this, BLOCK_BYTES_MAX, 'server');
  /** What is given next stands in it behind HEADROOM. */
  #answer = newAnswer();
  /** Whose it is; null: nobody's. */
  #pending: Http2Request | null = null;
  /** Where the head ends that begins it; 0: it begins with none. */
  #headEnd = 0;
  /** Bytes given are still in use. */
  #isKept = false;
  #uncredited = 0;
  #asked = 0;

  constructor(connection: Http2Connection) {
    this.#connection = connection;
  }

  take(bytes: Buffer, count: number): void {
    this.#asked = 0;
    if (!this.#reader.feed(bytes, 0, count)) {
      if (this.#reader.error !== H2_ERROR.noError) this.#connection.fail(this.#reader.reason, this.#reader.error);
      return;
    }
    this.#give(false);
  }

  stop(): void {
    this.#reader.stop();
    this.#pending = null;
  }

  keepBytes(): Buffer {
    this.#isKept = true;
    return this.#answer.bytes;
  }

  /** Gives on what has gathered; `isLast`: it ends the answer. */
  #give(isLast: boolean): void {
    const request = this.#pending;
    if (request === null) return;
    this.#pending = null;
    const answer = this.#answer;
    this.#isKept = false;
    if (this.#headEnd !== 0) request.answer.giveHead(sharedHead, this.#headEnd, answer.length, isLast);
    else request.answer.giveBody(answer.bytes, answer.length, isLast);
    this.#headEnd = 0;
    if (this.#isKept) this.#answer = newAnswer();
    else answer.length = HEADROOM;
  }

  onData(id: number, length: number): void {
    this.#uncredited += length;
    if (this.#uncredited >= CONNECTION_WINDOW_BYTES / 2) {
      this.#connection.creditConnection(this.#uncredited);
      this.#uncredited = 0;
    }
    const request = this.#connection.stream(id);
    if (request === undefined) return this.#onStray(id);
    if (!request.answer.hasHead || request.answer.isWhole) return this.#refuse(request, 'data before the head, or behind the end', H2_ERROR.protocolError);
    if (!request.answer.countFrame(length, STREAM_WINDOW_BYTES)) this.#refuse(request, 'more data than the window', H2_ERROR.flowControlError);
  }

  /** For a stream that is closed on our side frames may still be on the way (RFC 9113 §5.1). */
  #onStray(id: number): void {
    if (!this.#connection.wasOpened(id)) this.#connection.fail('a frame of a stream that was never opened', H2_ERROR.protocolError);
  }

  onDataBytes(id: number, bytes: Buffer, start: number, end: number): void {
    const request = this.#connection.stream(id);
    if (request === undefined) return;
    if (!request.answer.countData(end - start)) return this.#refuse(request, 'more data than its length', H2_ERROR.protocolError);
    this.#open(request, end - start + CHUNK_OVERHEAD_BYTES);
    const answer = this.#answer;
    answer.length = request.answer.putData(answer.bytes, answer.length, bytes, start, end);
  }

  onDataEnd(id: number, isLast: boolean): void {
    const request = this.#connection.stream(id);
    if (request !== undefined && isLast) this.#end(request, false);
  }

  /** What is gathered is `request`'s from now on, with room for `bytes` more. */
  #open(request: Http2Request, bytes: number): void {
    if (this.#pending !== null && (this.#pending !== request || this.#answer.length + bytes + TAILROOM > GIVEN_BYTES_MAX)) this.#give(false);
    this.#pending = request;
    this.#answer.reserve(bytes + TAILROOM);
  }

  #end(request: Http2Request, hasTrailer: boolean): void {
    if (!request.answer.end()) return this.#refuse(request, 'ended before its length', H2_ERROR.protocolError);
    this.#open(request, CHUNK_OVERHEAD_BYTES);
    this.#answer.length = request.answer.putEnd(this.#answer.bytes, this.#answer.length, hasTrailer);
    this.#give(!hasTrailer);
  }

  onHeaders(id: number, isLast: boolean, bytes: Buffer, start: number, end: number): void {
    const request = this.#connection.stream(id);
    this.#give(false);
    const isTrailer = request?.answer.hasHead ?? false;
    const out = request === undefined || isTrailer ? sharedTrailer : this.#answer;
    if (out === sharedTrailer) out.length = 0;
    fields.begin(out, request?.limits ?? strayLimits, isTrailer);
    // The table must follow the backend's whether anybody wants the fields or not.
    if (!this.#decoder.decode(bytes, start, end, fields)) return this.#connection.fail('a field block is malformed', H2_ERROR.compressionError);
    if (request === undefined) return this.#onStray(id);
    const hasNone = request.isHeadRequest || fields.status === 204 || fields.status === 304;
    fields.finish(isLast, hasNone);
    if (fields.isTooLarge) this.#refuse(request, 'the head of the answer', H2_ERROR.cancel, 'response-head-too-large');
    else if (fields.problem !== '') this.#refuse(request, fields.problem, H2_ERROR.protocolError);
    else if (isTrailer) this.#onTrailer(request, isLast);
    else this.#onHead(request, isLast, hasNone);
  }

  #onTrailer(request: Http2Request, isLast: boolean): void {
    if (!isLast || request.answer.isWhole) return this.#refuse(request, 'a second head', H2_ERROR.protocolError);
    // Only an answer framed by chunks has a place for them.
    const hasTrailer = request.answer.kind === 'chunked';
    const section = Buffer.from(sharedTrailer.bytes.subarray(0, sharedTrailer.length));
    this.#end(request, hasTrailer);
    if (hasTrailer) request.answer.giveTrailer(section);
  }

  #onHead(request: Http2Request, isLast: boolean, hasNone: boolean): void {
    const answer = this.#answer;
    const headEnd = answer.length;
    sharedHead.fields = fields.lines;
    const next = parseListedAnswer(answer.bytes, HEADROOM, headEnd, request.limits, sharedHead, fields.listedEnd);
    if (next !== headEnd) return this.#refuse(request, 'the head of the answer', H2_ERROR.protocolError);
    if (sharedHead.status < 200) {
      if (isLast) return this.#refuse(request, 'an interim answer that ends the stream', H2_ERROR.protocolError);
      if (!request.countInterim(headEnd - HEADROOM)) return this.#refuse(request, 'interim answers without end', H2_ERROR.cancel, 'response-head-too-large');
      request.owner?.onInterim(sharedHead, HEADROOM, headEnd);
      answer.length = HEADROOM;
      return;
    }
    if (request.isWebSocket && sharedHead.status < 300) {
      if (!this.#switch(request)) return this.#refuse(request, 'the head of the answer', H2_ERROR.cancel, 'response-head-too-large');
    } else request.answer.open(sharedHead, hasNone);
    this.#pending = request;
    this.#headEnd = answer.length;
    if (isLast) this.#end(request, false);
  }

  /** The tunnel stands: what was read of its head becomes that of a switch in HTTP/1.1, in the same place. False: it has too many fields for that. */
  #switch(request: Http2Request): boolean {
    const answer = this.#answer;
    const head = switchHead(sharedHead, request.webSocketKey);
    answer.length = HEADROOM;
    answer.reserve(head.length + TAILROOM);
    answer.length += head.copy(answer.bytes, HEADROOM);
    request.answer.openTunnel();
    return parseResponseHead(answer.bytes, HEADROOM, answer.length, NO_LIMITS, sharedHead) === answer.length;
  }

  /** The answer is of no use; the stream is reset with `reset`. */
  #refuse(request: Http2Request, why: string, reset: number, code: ErrorCode = 'response-malformed'): void {
    if (this.#pending === request) this.#pending = null;
    if (this.#pending === null) {
      this.#headEnd = 0;
      this.#answer.length = HEADROOM;
    }
    request.fail(request.isAnswered ? 'response-incomplete' : code, why, reset);
  }

  onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case FRAME.settings:
        return (flags & FLAG.ack) === 0 ? this.#onSettings(bytes, start, end) : undefined;
      case FRAME.ping:
        return this.#isFlood() ? undefined : this.#connection.onPing(bytes, start, (flags & FLAG.ack) !== 0);
      case FRAME.windowUpdate:
        return this.#onWindow(id, uint32(bytes, start) & 0x7fff_ffff);
      case FRAME.goaway:
        this.#give(false);
        return this.#connection.onGoaway(uint32(bytes, start) & 0x7fff_ffff, uint32(bytes, start + 4));
      case FRAME.rstStream:
        this.#give(false);
        return this.#onReset(id, uint32(bytes, start));
      case FRAME.pushPromise:
        return this.#connection.fail('a push that was forbidden', H2_ERROR.protocolError);
    }
  }

  #isFlood(): boolean {
    if (++this.#asked <= ASKED_IN_A_READ_MAX) return false;
    this.#connection.fail('more SETTINGS and PING than anyone needs', H2_ERROR.enhanceYourCalm);
    return true;
  }

  #onSettings(bytes: Buffer, start: number, end: number): void {
    if (this.#isFlood()) return;
    const settings: [id: number, value: number][] = [];
    for (let at = start; at < end; at += 6) settings.push([bytes.readUInt16BE(at), uint32(bytes, at + 2)]);
    // §6.5.2
    if (settings.some(([id, value]) => id === 4 && value > 0x7fff_ffff)) return this.#connection.fail('a window over its bound', H2_ERROR.flowControlError);
    if (settings.some(([id, value]) => (id === 2 && value > 0) || (id === SETTING.enableConnectProtocol && value > 1) || (id === 5 && (value < 16_384 || value > 16_777_215)))) return this.#connection.fail('a setting that must not be', H2_ERROR.protocolError);
    this.#connection.onSettings(settings);
  }

  #onWindow(id: number, bytes: number): void {
    if (bytes > 0) return this.#connection.onWindow(id, bytes);
    const request = this.#connection.stream(id);
    if (id === 0) this.#connection.fail('a window opened by nothing', H2_ERROR.protocolError);
    else if (request !== undefined) this.#refuse(request, 'a window opened by nothing', H2_ERROR.protocolError);
  }

  #onReset(id: number, code: number): void {
    const request = this.#connection.stream(id);
    if (request === undefined) return this.#onStray(id);
    request.breakOff(code === H2_ERROR.refusedStream, `RST_STREAM ${code}`);
  }
}

function newAnswer(): OutBytes {
  const out = new OutBytes(GIVEN_BYTES_MAX + TAILROOM);
  out.length = HEADROOM;
  return out;
}
