/**
 * Finds the frames in the bytes of one side of an HTTP/2 connection (RFC 9113 §4,
 * §6.2, §6.10), however they are split: DATA passes in the pieces it comes in,
 * every other frame whole, and a field block as one run of bytes, put together
 * from its HEADERS and CONTINUATION frames. What it keeps is bounded by one
 * frame and one block. Pure.
 */
import { FLAG, FRAME, FRAME_HEAD_BYTES, frameHeadError, H2_ERROR, PREFACE, uint32 } from './http2-frames.ts';

/** Takes what the reader finds. Bytes are valid during the call alone. To end the reading from within, call `stop`. */
export interface FrameTarget {
  /** A DATA frame begins, whose payload with its padding counts `length` for flow control. */
  onData(stream: number, length: number): void;
  /** A piece of that frame's data. */
  onDataBytes(stream: number, bytes: Buffer, start: number, end: number): void;
  /** The frame is complete. */
  onDataEnd(stream: number, isLast: boolean): void;
  /** A whole field block, without padding and priority. */
  onHeaders(stream: number, isLast: boolean, bytes: Buffer, start: number, end: number): void;
  /** Any other frame of a known type. */
  onFrame(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void;
}

/** A block may come in so many frames, and one more for each KiB that it may have: empty ones cost work, too. */
const BLOCK_FRAMES_FREE = 8;
const NO_BYTES = Buffer.alloc(0);

/** No position: the bytes there are do not suffice for a step. */
const MORE = -1;

const R = { preface: 0, head: 1, padLength: 2, data: 3, padding: 4, stopped: 5 } as const;

export class Http2FrameReader {
  /** Why the connection cannot go on (an H2_ERROR); noError: it can. */
  error: number = H2_ERROR.noError;
  /** The bound that was exceeded, or the rule that was broken. */
  reason = '';
  readonly #target: FrameTarget;
  #blockBytesMax: number;
  #state: number = R.preface;
  /** A part of a frame, or of the preface, that is not whole. */
  #held: Buffer = NO_BYTES;
  // The DATA frame that is passing.
  #stream = 0;
  #flags = 0;
  /** Of its data, and then of its padding, still to come. */
  #left = 0;
  #padding = 0;
  // The block that is being put together; stream 0: none.
  #blockStream = 0;
  #blockIsLast = false;
  #block: Buffer = NO_BYTES;
  #blockLength = 0;
  #blockFrames = 0;
  #isFirst = true;

  /** `blockBytesMax`: of a field block as it comes. */
  constructor(target: FrameTarget, blockBytesMax: number, peer: 'client' | 'server' = 'client') {
    this.#target = target;
    this.#blockBytesMax = blockBytesMax;
    // Only a client sends a preface (§3.4).
    if (peer === 'server') this.#state = R.head;
  }

  set blockBytesMax(bytes: number) {
    this.#blockBytesMax = bytes;
  }

  /** A field block has begun whose end has not come. */
  get isInBlock(): boolean {
    return this.#blockStream !== 0;
  }

  /** The preface has not come wholly, or the SETTINGS that must follow it (§3.4). */
  get isOpening(): boolean {
    return this.#isFirst;
  }

  /** Nothing more is read. */
  stop(): void {
    this.#state = R.stopped;
    this.#held = this.#block = NO_BYTES;
  }

  /** Takes bytes[start, end). False: `error` says why the connection must end, or it was stopped. */
  feed(bytes: Buffer, start: number, end: number): boolean {
    let from = bytes;
    let pos = start;
    let to = end;
    if (this.#held.length > 0) {
      from = Buffer.concat([this.#held, bytes.subarray(start, end)]);
      pos = 0;
      to = from.length;
      this.#held = NO_BYTES;
    }
    while (pos < to || (this.#state === R.data && this.#left === 0)) {
      const next = this.#take(from, pos, to);
      if (this.#state === R.stopped) return false;
      if (next === MORE) {
        // A copy: what a read brought may be much larger than what is left of it.
        this.#held = Buffer.from(from.subarray(pos, to));
        break;
      }
      pos = next;
    }
    return true;
  }

  /** One step from `pos`; returns where it ended, or MORE. */
  #take(bytes: Buffer, pos: number, end: number): number {
    switch (this.#state) {
      case R.preface:
        return this.#takePreface(bytes, pos, end);
      case R.head:
        return this.#takeFrame(bytes, pos, end);
      case R.padLength:
        return this.#takePadLength(bytes, pos);
      case R.data:
        return this.#takeData(bytes, pos, end);
      default: {
        const taken = Math.min(this.#left, end - pos);
        this.#left -= taken;
        if (this.#left === 0) this.#endData();
        return pos + taken;
      }
    }
  }

  #takePreface(bytes: Buffer, pos: number, end: number): number {
    const length = Math.min(PREFACE.length, end - pos);
    if (bytes.compare(PREFACE, 0, length, pos, pos + length) !== 0) return this.#fail(H2_ERROR.protocolError, 'the preface is wrong', pos);
    if (length < PREFACE.length) return MORE;
    this.#state = R.head;
    return pos + length;
  }

  #takeFrame(bytes: Buffer, pos: number, end: number): number {
    if (end - pos < FRAME_HEAD_BYTES) return MORE;
    const length = (bytes[pos]! << 16) | (bytes[pos + 1]! << 8) | bytes[pos + 2]!;
    const type = bytes[pos + 3]!;
    const flags = bytes[pos + 4]!;
    const stream = uint32(bytes, pos + 5) & 0x7fff_ffff;
    const error = this.#headError(type, flags, stream, length);
    if (error !== H2_ERROR.noError) return this.#fail(error, this.reason === '' ? `a frame of type ${type} is malformed` : this.reason, pos);
    const payload = pos + FRAME_HEAD_BYTES;
    if (type === FRAME.data) return this.#openData(flags, stream, length, payload);
    if (end - payload < length) return MORE;
    const next = payload + length;
    if (type === FRAME.headers) this.#takeHeaders(flags, stream, bytes, payload, next);
    else if (type === FRAME.continuation) this.#addToBlock(flags, bytes, payload, next);
    else if (type <= FRAME.continuation || type === FRAME.priorityUpdate) this.#target.onFrame(type, flags, stream, bytes, payload, next);
    return next;
  }

  #headError(type: number, flags: number, stream: number, length: number): number {
    if (this.#isFirst) {
      if (type !== FRAME.settings || (flags & FLAG.ack) !== 0) {
        this.reason = 'no SETTINGS follow the preface';
        return H2_ERROR.protocolError;
      }
      const error = frameHeadError(type, flags, stream, length);
      this.#isFirst = error !== H2_ERROR.noError;
      return error;
    }
    // Between the frames of a block no other may come (§4.3).
    if ((this.#blockStream !== 0) !== (type === FRAME.continuation) || (this.#blockStream !== 0 && stream !== this.#blockStream)) {
      this.reason = 'CONTINUATION is missing, or out of place';
      return H2_ERROR.protocolError;
    }
    return frameHeadError(type, flags, stream, length);
  }

  #openData(flags: number, stream: number, length: number, payload: number): number {
    this.#flags = flags;
    this.#stream = stream;
    this.#left = length;
    this.#padding = 0;
    if ((flags & FLAG.padded) === 0) {
      this.#state = R.data;
      this.#target.onData(stream, length);
    } else if (length === 0) return this.#fail(H2_ERROR.frameSizeError, 'padding without a length', payload);
    else this.#state = R.padLength;
    return payload;
  }

  #takePadLength(bytes: Buffer, pos: number): number {
    const length = this.#left;
    this.#padding = bytes[pos]!;
    if (this.#padding >= length) return this.#fail(H2_ERROR.protocolError, 'more padding than payload', pos);
    this.#left = length - 1 - this.#padding;
    this.#state = R.data;
    this.#target.onData(this.#stream, length);
    return pos + 1;
  }

  #takeData(bytes: Buffer, pos: number, end: number): number {
    const taken = Math.min(this.#left, end - pos);
    this.#left -= taken;
    if (taken > 0) this.#target.onDataBytes(this.#stream, bytes, pos, pos + taken);
    if (this.#left === 0 && this.#state === R.data) {
      if (this.#padding === 0) this.#endData();
      else {
        this.#left = this.#padding;
        this.#state = R.padding;
      }
    }
    return pos + taken;
  }

  #endData(): void {
    this.#state = R.head;
    this.#target.onDataEnd(this.#stream, (this.#flags & FLAG.endStream) !== 0);
  }

  #takeHeaders(flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    let from = start;
    let to = end;
    if ((flags & FLAG.padded) !== 0) {
      if (from === to) return void this.#fail(H2_ERROR.frameSizeError, 'padding without a length', 0);
      to -= bytes[from]!;
      from++;
    }
    if ((flags & FLAG.priority) !== 0) {
      if (from + 5 <= to && (uint32(bytes, from) & 0x7fff_ffff) === stream) return void this.#fail(H2_ERROR.protocolError, 'a stream depends on itself', 0);
      from += 5;
    }
    if (from > to) return void this.#fail((flags & FLAG.padded) !== 0 ? H2_ERROR.protocolError : H2_ERROR.frameSizeError, 'HEADERS shorter than their flags say', 0);
    const isLast = (flags & FLAG.endStream) !== 0;
    if (to - from > this.#blockBytesMax) return void this.#fail(H2_ERROR.enhanceYourCalm, 'a field block is too large', 0);
    if ((flags & FLAG.endHeaders) !== 0) return this.#target.onHeaders(stream, isLast, bytes, from, to);
    this.#blockStream = stream;
    this.#blockIsLast = isLast;
    this.#blockFrames = 1;
    this.#block = Buffer.allocUnsafe(Math.max(1024, (to - from) * 2));
    this.#blockLength = bytes.copy(this.#block, 0, from, to);
  }

  #addToBlock(flags: number, bytes: Buffer, start: number, end: number): void {
    const length = this.#blockLength + end - start;
    if (length > this.#blockBytesMax) return void this.#fail(H2_ERROR.enhanceYourCalm, 'a field block is too large', 0);
    if (++this.#blockFrames > BLOCK_FRAMES_FREE + this.#blockBytesMax / 1024) return void this.#fail(H2_ERROR.enhanceYourCalm, 'a field block has too many frames', 0);
    if (length > this.#block.length) {
      const larger = Buffer.allocUnsafe(length * 2);
      this.#block.copy(larger, 0, 0, this.#blockLength);
      this.#block = larger;
    }
    bytes.copy(this.#block, this.#blockLength, start, end);
    this.#blockLength = length;
    if ((flags & FLAG.endHeaders) === 0) return;
    const stream = this.#blockStream;
    const block = this.#block;
    this.#blockStream = 0;
    this.#block = NO_BYTES;
    this.#target.onHeaders(stream, this.#blockIsLast, block, 0, length);
  }

  /** Returns `pos`, for who gives it on. */
  #fail(error: number, reason: string, pos: number): number {
    this.error = error;
    this.reason = reason;
    this.stop();
    return pos;
  }
}
