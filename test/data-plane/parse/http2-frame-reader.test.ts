import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Http2FrameReader, type FrameTarget } from '../../../src/data-plane/parse/http2-frame-reader.ts';
import { closeHeaders, FLAG, FRAME, FRAME_BYTES_MAX, H2_ERROR, openHeaders, PREFACE, putPayload, putGoaway, putPing, putReset, putSettings, putSettingsAck, putWindowUpdate } from '../../../src/data-plane/parse/http2-frames.ts';
import { OutBytes } from '../../../src/data-plane/parse/out-bytes.ts';
import { emptySettings, http2Frame } from '../../support/http2-frames.ts';

const BLOCK_MAX = 4096;

class Recorder implements FrameTarget {
  readonly seen: string[] = [];
  #data = '';
  onData(stream: number, length: number): void {
    this.#data = `data ${stream} ${length} `;
  }
  onDataBytes(_stream: number, bytes: Buffer, start: number, end: number): void {
    this.#data += bytes.toString('latin1', start, end);
  }
  onDataEnd(_stream: number, isLast: boolean): void {
    this.seen.push(`${this.#data}${isLast ? ' last' : ''}`);
  }
  onHeaders(stream: number, isLast: boolean, bytes: Buffer, start: number, end: number): void {
    this.seen.push(`headers ${stream} ${bytes.toString('latin1', start, end)}${isLast ? ' last' : ''}`);
  }
  onFrame(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    this.seen.push(`frame ${type} ${flags} ${stream} ${bytes.toString('hex', start, end)}`);
  }
}

/** Feeds in pieces that end at `edges`, each in the middle of a buffer that is overwritten afterwards. */
function read(input: Buffer, edges: readonly number[] = []): { seen: string[]; error: number; reason: string; isInBlock: boolean } {
  const target = new Recorder();
  const reader = new Http2FrameReader(target, BLOCK_MAX);
  let at = 0;
  for (const edge of [...edges, input.length]) {
    const bytes = Buffer.concat([Buffer.alloc(5, 1), input.subarray(at, edge), Buffer.alloc(5, 1)]);
    if (!reader.feed(bytes, 5, bytes.length - 5)) break;
    bytes.fill(0xee);
    at = edge;
  }
  return { seen: target.seen, error: reader.error, reason: reader.reason, isInBlock: reader.isInBlock };
}

const opening = Buffer.concat([PREFACE, emptySettings]);
const after = (...frames: Buffer[]): Buffer => Buffer.concat([opening, ...frames]);
const text = (value: string): Buffer => Buffer.from(value, 'latin1');

describe('frames', () => {
  it('are told apart, padding and priority taken off', () => {
    const input = after(
      http2Frame(FRAME.headers, FLAG.padded | FLAG.priority | FLAG.endHeaders, 1, text('\x02\0\0\0\x05\x10block..')),
      http2Frame(FRAME.data, FLAG.padded | FLAG.endStream, 1, text('\x03data...')),
      http2Frame(FRAME.data, 0, 3, Buffer.alloc(0)),
      http2Frame(77, 255, 9, text('unknown')),
      http2Frame(FRAME.ping, 0, 0, text('12345678')),
    );
    expect(read(input)).toMatchObject({ error: H2_ERROR.noError, seen: ['frame 4 0 0 ', 'headers 1 block', 'data 1 8 data last', 'data 3 0 ', 'frame 6 0 0 3132333435363738'] });
  });

  it('a block is put together from its CONTINUATION frames', () => {
    const input = after(http2Frame(FRAME.headers, FLAG.endStream, 1, text('a')), http2Frame(FRAME.continuation, 0, 1, text('b')), http2Frame(FRAME.continuation, FLAG.endHeaders, 1, text('c')));
    expect(read(input).seen).toEqual(['frame 4 0 0 ', 'headers 1 abc last']);
    expect(read(input.subarray(0, -10)).isInBlock).toBe(true);
  });
});

const headers = http2Frame(FRAME.headers, 0, 1, text('a'));

describe('what ends the connection', () => {
  it.each([
    ['another preface', text('GET / HTTP/1.1\r\n'), H2_ERROR.protocolError],
    ['no SETTINGS first', Buffer.concat([PREFACE, http2Frame(FRAME.ping, 0, 0, Buffer.alloc(8))]), H2_ERROR.protocolError],
    ['an acknowledgement of SETTINGS first', Buffer.concat([PREFACE, http2Frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0))]), H2_ERROR.protocolError],
    ['a frame larger than allowed', after(http2Frame(FRAME.data, 0, 1, Buffer.alloc(FRAME_BYTES_MAX + 1))), H2_ERROR.frameSizeError],
    ['PUSH_PROMISE', after(http2Frame(FRAME.pushPromise, 0, 1, Buffer.alloc(4))), H2_ERROR.protocolError],
    ['DATA on no stream', after(http2Frame(FRAME.data, 0, 0, text('a'))), H2_ERROR.protocolError],
    ['HEADERS on no stream', after(http2Frame(FRAME.headers, 4, 0, text('a'))), H2_ERROR.protocolError],
    ['PING on a stream', after(http2Frame(FRAME.ping, 0, 1, Buffer.alloc(8))), H2_ERROR.protocolError],
    ['SETTINGS on a stream', after(http2Frame(FRAME.settings, 0, 1, Buffer.alloc(0))), H2_ERROR.protocolError],
    ['a PING of seven bytes', after(http2Frame(FRAME.ping, 0, 0, Buffer.alloc(7))), H2_ERROR.frameSizeError],
    ['SETTINGS of five bytes', after(http2Frame(FRAME.settings, 0, 0, Buffer.alloc(5))), H2_ERROR.frameSizeError],
    ['an acknowledgement with settings', after(http2Frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(6))), H2_ERROR.frameSizeError],
    ['RST_STREAM of three bytes', after(http2Frame(FRAME.rstStream, 0, 1, Buffer.alloc(3))), H2_ERROR.frameSizeError],
    ['WINDOW_UPDATE of five bytes', after(http2Frame(FRAME.windowUpdate, 0, 1, Buffer.alloc(5))), H2_ERROR.frameSizeError],
    ['GOAWAY of seven bytes', after(http2Frame(FRAME.goaway, 0, 0, Buffer.alloc(7))), H2_ERROR.frameSizeError],
    ['DATA of nothing but padding, and more of it than there is', after(http2Frame(FRAME.data, FLAG.padded, 1, text('\x01'))), H2_ERROR.protocolError],
    ['padded DATA without a length', after(http2Frame(FRAME.data, FLAG.padded, 1, Buffer.alloc(0))), H2_ERROR.frameSizeError],
    ['HEADERS with more padding than payload', after(http2Frame(FRAME.headers, FLAG.padded | FLAG.endHeaders, 1, text('\x03ab'))), H2_ERROR.protocolError],
    ['HEADERS too short for their priority', after(http2Frame(FRAME.headers, FLAG.priority | FLAG.endHeaders, 1, text('ab'))), H2_ERROR.frameSizeError],
    ['HEADERS that depend on themselves', after(http2Frame(FRAME.headers, FLAG.priority | FLAG.endHeaders, 1, text('\0\0\0\x01\x10'))), H2_ERROR.protocolError],
    ['CONTINUATION of nothing', after(http2Frame(FRAME.continuation, 4, 1, text('a'))), H2_ERROR.protocolError],
    ['another frame inside a block', after(headers, http2Frame(FRAME.ping, 0, 0, Buffer.alloc(8))), H2_ERROR.protocolError],
    ['an unknown frame inside a block', after(headers, http2Frame(99, 0, 0, Buffer.alloc(8))), H2_ERROR.protocolError],
    ['CONTINUATION of another stream', after(headers, http2Frame(FRAME.continuation, 4, 3, text('a'))), H2_ERROR.protocolError],
    ['a block that is too large', after(headers, http2Frame(FRAME.continuation, 4, 1, Buffer.alloc(BLOCK_MAX))), H2_ERROR.enhanceYourCalm],
    ['a block of one frame that is too large', after(http2Frame(FRAME.headers, 4, 1, Buffer.alloc(BLOCK_MAX + 1))), H2_ERROR.enhanceYourCalm],
    ['CONTINUATION frames without end', after(headers, ...Array.from({ length: 20 }, () => http2Frame(FRAME.continuation, 0, 1, Buffer.alloc(0)))), H2_ERROR.enhanceYourCalm],
  ])('%s', (_name, input, error) => {
    const { seen, ...result } = read(input);
    expect(result.error).toBe(error);
    expect(result.reason).not.toBe('');
    for (const pieceBytes of [1, 7]) expect(read(input, edgesOf(input.length, pieceBytes))).toEqual({ seen, ...result });
  });
});

function edgesOf(length: number, pieceBytes: number): number[] {
  return Array.from({ length: Math.ceil(length / pieceBytes) }, (_, i) => i * pieceBytes);
}

const payload = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const stream = fc.constantFrom(0, 1, 3, 0x7fff_ffff, 0x8000_0001);
const anyFrame = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom(0, 0, 1, 9, 2, 3, 4, 6, 7, 8, 16, 99), fc.constantFrom(0, 1, 4, 5, 8, 0x20, 0x2d), stream, payload).map(([type, flags, id, bytes]) => http2Frame(type, flags, id, bytes)) },
  { weight: 2, arbitrary: payload.map((bytes) => http2Frame(FRAME.headers, 5, 1, bytes)) },
  { weight: 2, arbitrary: payload.map((bytes) => http2Frame(FRAME.data, 0, 1, bytes)) },
  { weight: 1, arbitrary: payload },
);

describe('properties', () => {
  it('every split of the bytes reads the same', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 6 }), (frames) => {
        const input = after(...frames);
        const whole = read(input);
        for (let edge = 0; edge <= input.length; edge++) expect(read(input, [edge])).toEqual(whole);
        for (const pieceBytes of [1, 2, 9, 10]) expect(read(input, edgesOf(input.length, pieceBytes))).toEqual(whole);
      }),
      { numRuns: 60 },
    );
  });

  it('what is written is read', () => {
    fc.assert(
      fc.property(payload, fc.integer({ min: 1, max: 0x7fff_ffff }), fc.boolean(), (bytes, id, isLast) => {
        const out = new OutBytes(16);
        putSettings(out, [[4, id]]);
        putSettingsAck(out);
        putPayload(out, id, bytes, 0, bytes.length, isLast);
        putPing(out, text('12345678'), 0, true);
        putWindowUpdate(out, id, 5);
        putReset(out, id, 8);
        putGoaway(out, id, 11, 'calm');
        const number = id.toString(16).padStart(8, '0');
        const { seen, error } = read(Buffer.concat([PREFACE, out.bytes.subarray(0, out.length)]));
        expect(error).toBe(0);
        expect(seen).toEqual([`frame 4 0 0 0004${number}`, 'frame 4 1 0 ', `data ${id} ${bytes.length} ${bytes.toString('latin1')}${isLast ? ' last' : ''}`, 'frame 6 1 0 3132333435363738', `frame 8 0 ${id} 00000005`, `frame 3 0 ${id} 00000008`, `frame 7 0 0 ${number}0000000b63616c6d`]);
      }),
    );
  });

  it('a block of any length is written in frames that every peer takes', () => {
    for (const length of [0, 1, FRAME_BYTES_MAX, FRAME_BYTES_MAX + 1, 3 * FRAME_BYTES_MAX, 50_000]) {
      const out = new OutBytes(16);
      const at = openHeaders(out);
      const block = Buffer.from(Array.from({ length }, (_, i) => i % 251));
      out.reserve(length);
      out.length += block.copy(out.bytes, out.length);
      closeHeaders(out, at, 7, true);
      const target = new Recorder();
      const reader = new Http2FrameReader(target, 100_000);
      reader.feed(after(out.bytes.subarray(0, out.length)), 0, opening.length + out.length);
      expect(target.seen).toEqual(['frame 4 0 0 ', `headers 7 ${block.toString('latin1')} last`]);
    }
  });
});
