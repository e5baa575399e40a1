/** Frames of HTTP/2 (RFC 9113 §4, §6, §7) as data: what each type must look like, and the writing of those we send. Pure. */
import { copyBytes } from './bytes.ts';
import type { OutBytes } from './out-bytes.ts';

export const FRAME = {
  data: 0, headers: 1, priority: 2, rstStream: 3, settings: 4, pushPromise: 5, ping: 6, goaway: 7, windowUpdate: 8, continuation: 9,
  /** RFC 9218 §7.1. */
  priorityUpdate: 16,
} as const;

export const FLAG = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const H2_ERROR = {
  noError: 0, protocolError: 1, internalError: 2, flowControlError: 3, settingsTimeout: 4, streamClosed: 5, frameSizeError: 6, refusedStream: 7,
  cancel: 8, compressionError: 9, connectError: 10, enhanceYourCalm: 11, inadequateSecurity: 12, http11Required: 13,
} as const;

export const SETTING = {
  headerTableSize: 1, enablePush: 2, maxConcurrentStreams: 3, initialWindowSize: 4, maxFrameSize: 5, maxHeaderListSize: 6,
  /** RFC 8441 §3. */
  enableConnectProtocol: 8,
  /** RFC 9218 §2.1. */
  noRfc7540Priorities: 9,
} as const;

/** What a client's connection begins with (§3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const FRAME_HEAD_BYTES = 9;
/** The size every peer takes and the only one we use: larger frames let one stream hold up the others. */
export const FRAME_BYTES_MAX = 16_384;
export const WINDOW_MAX = 0x7fff_ffff;
export const FIRST_WINDOW_BYTES = 65_535;

const ANY = -1;

/** What a frame's head must say. A breach is a connection error, but for PRIORITY's length. */
interface FrameRule {
  /** 0: on the connection; 1: on a stream; ANY: on either. */
  readonly stream: 0 | 1 | typeof ANY;
  /** Exact length; ANY: see `lengthMin` and `lengthStep`. */
  readonly length: number;
  readonly lengthMin: number;
  readonly lengthStep: number;
}

function rule(stream: FrameRule['stream'], length: number = ANY, lengthMin = 0, lengthStep = 1): FrameRule {
  return { stream, length, lengthMin, lengthStep };
}

/** By type; of PUSH_PROMISE a client sends none, and of an unknown type nothing is asked. */
const rules: (FrameRule | undefined)[] = [];
rules[FRAME.data] = rule(1);
rules[FRAME.headers] = rule(1);
rules[FRAME.priority] = rule(1);
rules[FRAME.rstStream] = rule(1, 4);
rules[FRAME.settings] = rule(0, ANY, 0, 6);
rules[FRAME.ping] = rule(0, 8);
rules[FRAME.goaway] = rule(0, ANY, 8);
rules[FRAME.windowUpdate] = rule(ANY, 4);
rules[FRAME.continuation] = rule(1);
rules[FRAME.priorityUpdate] = rule(0, ANY, 4);

/** The error of a frame with this head, before its payload is there; noError if it may be. */
export function frameHeadError(type: number, flags: number, stream: number, length: number): number {
  if (length > FRAME_BYTES_MAX) return H2_ERROR.frameSizeError;
  if (type === FRAME.pushPromise) return H2_ERROR.protocolError;
  const known = rules[type];
  if (known === undefined) return H2_ERROR.noError;
  if (known.stream !== ANY && (known.stream === 0) !== (stream === 0)) return H2_ERROR.protocolError;
  if (known.length !== ANY ? length !== known.length : length < known.lengthMin || length % known.lengthStep !== 0) return H2_ERROR.frameSizeError;
  return type === FRAME.settings && (flags & FLAG.ack) !== 0 && length > 0 ? H2_ERROR.frameSizeError : H2_ERROR.noError;
}

export function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Writes at `at`; the room is there. */
export function writeFrameHead(bytes: Uint8Array, at: number, length: number, type: number, flags: number, stream: number): void {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  writeUint32(bytes, at + 5, stream);
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Appends a frame's head and returns where its payload of `length` bytes goes. */
function openFrame(out: OutBytes, length: number, type: number, flags: number, stream: number): number {
  out.reserve(FRAME_HEAD_BYTES + length);
  const at = out.length;
  writeFrameHead(out.bytes, at, length, type, flags, stream);
  out.length = at + FRAME_HEAD_BYTES + length;
  return at + FRAME_HEAD_BYTES;
}

export function putPayload(out: OutBytes, stream: number, bytes: Buffer, start: number, end: number, isLast: boolean): void {
  const at = openFrame(out, end - start, FRAME.data, isLast ? FLAG.endStream : 0, stream);
  copyBytes(bytes, start, end, out.bytes, at);
}

export function putSettings(out: OutBytes, settings: readonly (readonly [id: number, value: number])[]): void {
  let at = openFrame(out, settings.length * 6, FRAME.settings, 0, 0);
  for (const [id, value] of settings) {
    out.bytes[at] = id >>> 8;
    out.bytes[at + 1] = id;
    writeUint32(out.bytes, at + 2, value);
    at += 6;
  }
}

export function putSettingsAck(out: OutBytes): void {
  openFrame(out, 0, FRAME.settings, FLAG.ack, 0);
}

/** PING with the eight bytes at `from` of `bytes`. */
export function putPing(out: OutBytes, bytes: Buffer, from: number, isAck: boolean): void {
  const at = openFrame(out, 8, FRAME.ping, isAck ? FLAG.ack : 0, 0);
  bytes.copy(out.bytes, at, from, from + 8);
}

export function putWindowUpdate(out: OutBytes, stream: number, bytes: number): void {
  const at = openFrame(out, 4, FRAME.windowUpdate, 0, stream);
  writeUint32(out.bytes, at, bytes);
}

export function putReset(out: OutBytes, stream: number, code: number): void {
  const at = openFrame(out, 4, FRAME.rstStream, 0, stream);
  writeUint32(out.bytes, at, code);
}

export function putGoaway(out: OutBytes, lastStream: number, code: number, text: string): void {
  const at = openFrame(out, 8 + text.length, FRAME.goaway, 0, 0);
  writeUint32(out.bytes, at, lastStream);
  writeUint32(out.bytes, at + 4, code);
  out.bytes.write(text, at + 8, 'latin1');
}

/** Room for the head of a HEADERS frame; `closeHeaders` fills it once the block stands behind it. Returns where it is. */
export function openHeaders(out: OutBytes): number {
  out.reserve(FRAME_HEAD_BYTES);
  const at = out.length;
  out.length += FRAME_HEAD_BYTES;
  return at;
}

/** The block that was put behind `at` becomes one HEADERS frame, or also CONTINUATION frames if it is longer than a frame. */
export function closeHeaders(out: OutBytes, at: number, stream: number, isLast: boolean): void {
  const blockStart = at + FRAME_HEAD_BYTES;
  const length = out.length - blockStart;
  const flags = isLast ? FLAG.endStream : 0;
  if (length <= FRAME_BYTES_MAX) {
    writeFrameHead(out.bytes, at, length, FRAME.headers, flags | FLAG.endHeaders, stream);
    return;
  }
  const frames = Math.ceil(length / FRAME_BYTES_MAX);
  out.reserve((frames - 1) * FRAME_HEAD_BYTES);
  out.length += (frames - 1) * FRAME_HEAD_BYTES;
  // From behind, so that no part is written over before it was moved.
  for (let i = frames - 1; i >= 0; i--) {
    const from = blockStart + i * FRAME_BYTES_MAX;
    const size = Math.min(FRAME_BYTES_MAX, length - i * FRAME_BYTES_MAX);
    const to = at + i * (FRAME_BYTES_MAX + FRAME_HEAD_BYTES);
    out.bytes.copyWithin(to + FRAME_HEAD_BYTES, from, from + size);
    writeFrameHead(out.bytes, to, size, i === 0 ? FRAME.headers : FRAME.continuation, (i === 0 ? flags : 0) | (i === frames - 1 ? FLAG.endHeaders : 0), stream);
  }
}
