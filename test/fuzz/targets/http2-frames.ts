/** Http2FrameReader: every split of the bytes reads the same, nothing is written, and no more is kept than a frame and a block. */
import { Http2FrameReader, type FrameTarget } from '../../../src/data-plane/parse/http2-frame-reader.ts';
import { FLAG, FRAME, H2_ERROR, PREFACE } from '../../../src/data-plane/parse/http2-frames.ts';
import { emptySettings, http2Frame } from '../../support/http2-frames.ts';
import { textOf } from './head-properties.ts';
import { demand, demandSame, type FuzzTarget } from './target.ts';

const BLOCK_BYTES_MAX = 64;
const AROUND = Buffer.from('\x7f\x7f\x7f', 'latin1');
/** Of longer inputs not every split into two is tried. */
const SPLITS_MAX = 40;

class Recorder implements FrameTarget {
  readonly seen: string[] = [];
  #data = '';
  onData(stream: number, length: number): void {
    this.#data = `data ${stream} ${length} `;
  }
  onDataBytes(_stream: number, bytes: Buffer, start: number, end: number): void {
    demand(end > start, 'an empty piece of data');
    this.#data += bytes.toString('latin1', start, end);
  }
  onDataEnd(_stream: number, isLast: boolean): void {
    this.seen.push(`${this.#data} ${isLast}`);
  }
  onHeaders(stream: number, isLast: boolean, bytes: Buffer, start: number, end: number): void {
    demand(end - start <= BLOCK_BYTES_MAX, 'a block beyond its bound');
    this.seen.push(`headers ${stream} ${isLast} ${bytes.toString('latin1', start, end)}`);
  }
  onFrame(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    this.seen.push(`frame ${type} ${flags} ${stream} ${bytes.toString('latin1', start, end)}`);
  }
}

interface Read {
  readonly error: number;
  readonly count: number;
  readonly text: string;
}

function read(input: Buffer, edges: readonly number[]): Read {
  const target = new Recorder();
  const reader = new Http2FrameReader(target, BLOCK_BYTES_MAX);
  let at = 0;
  for (const edge of [...edges, input.length]) {
    const bytes = Buffer.concat([AROUND, input.subarray(at, edge), AROUND]);
    const before = Buffer.from(bytes);
    const goesOn = reader.feed(bytes, AROUND.length, bytes.length - AROUND.length);
    demand(bytes.equals(before), 'wrote into its input');
    demandSame(goesOn, reader.error === H2_ERROR.noError, 'whether it goes on');
    if (!goesOn) break;
    bytes.fill(0xee);
    at = edge;
  }
  return { error: reader.error, count: target.seen.length, text: JSON.stringify([target.seen, reader.reason, reader.isInBlock, reader.isOpening]) };
}

const opening = Buffer.concat([PREFACE, emptySettings]);
const frames: Buffer[] = [
  http2Frame(FRAME.headers, FLAG.endHeaders, 1, Buffer.from('block')),
  http2Frame(FRAME.headers, FLAG.padded | FLAG.priority | FLAG.endStream, 1, Buffer.from('\x01\0\0\0\x03\x10block.')),
  http2Frame(FRAME.continuation, 0, 1, Buffer.from('more')),
  http2Frame(FRAME.continuation, FLAG.endHeaders, 1, Buffer.alloc(0)),
  http2Frame(FRAME.data, 0, 1, Buffer.from('data')),
  http2Frame(FRAME.data, FLAG.padded | FLAG.endStream, 1, Buffer.from('\x02data..')),
  http2Frame(FRAME.data, 0, 1, Buffer.alloc(0)),
  http2Frame(FRAME.settings, 0, 0, Buffer.from('\0\x04\0\0\0\x01')),
  http2Frame(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8, 1)),
  http2Frame(FRAME.rstStream, 0, 1, Buffer.alloc(4)),
  http2Frame(FRAME.windowUpdate, 0, 0, Buffer.alloc(4, 1)),
  http2Frame(FRAME.goaway, 0, 0, Buffer.alloc(8)),
  http2Frame(FRAME.priority, 0, 3, Buffer.alloc(5)),
  http2Frame(FRAME.priorityUpdate, 0, 0, Buffer.from('\0\0\0\x01u=1')),
  http2Frame(99, 0, 3, Buffer.from('unknown')),
];

export const http2FramesTarget: FuzzTarget = {
  name: 'http2-frames',
  watched: ['/parse/http2-frame-reader.ts', '/parse/http2-frames.ts'],
  seeds: [textOf(opening), ...frames.map((frame) => textOf(Buffer.concat([opening, frame]))), textOf(Buffer.concat([opening, frames[1]!, frames[2]!, frames[3]!, frames[4]!, frames[5]!])), textOf(Buffer.concat([opening, ...frames]))],
  tokens: [...frames.map((frame) => textOf(frame)), '\0\0\0', '\0\x40\0', '\0\x40\x01', '\0', '\x01', '\x04', '\x08', '\x20', '\x2d', '\xff', '\0\0\0\x01', '\0\0\0\x03', '\x80\0\0\x01', textOf(PREFACE), textOf(opening)],
  bytesMax: 500,
  check(input) {
    const whole = read(input, []);
    const step = Math.max(1, Math.ceil(input.length / SPLITS_MAX));
    const splits = Array.from({ length: Math.floor(input.length / step) }, (_, i) => [(i + 1) * step]);
    const every = (pieceBytes: number): number[] => Array.from({ length: Math.ceil(input.length / pieceBytes) }, (_, i) => i * pieceBytes);
    for (const edges of [...splits, every(1), every(9)]) demandSame(read(input, edges.filter((edge) => edge < input.length)).text, whole.text, `split at ${edges.join()}`);
    return `${whole.error} ${whole.count}`;
  },
};
