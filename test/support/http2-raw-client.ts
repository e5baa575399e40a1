/** A client of HTTP/2 by hand: sends frames as they are written, keeps those that come, and can wait for them. */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { HpackDecoder } from '../../src/data-plane/parse/hpack-decoder.ts';
import { FLAG, FRAME, PREFACE } from '../../src/data-plane/parse/http2-frames.ts';
import { emptySettings, http2Frame } from './http2-frames.ts';

export interface SeenFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
  /** Of HEADERS. */
  readonly fields: readonly string[];
}

export type FieldList = readonly (readonly [name: string, value: string])[];

/** Fields as literals that enter no table. */
export function block(fields: FieldList): Buffer {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value, 'latin1');
    const length = bytes.length < 127 ? Buffer.from([bytes.length]) : lengthBytes(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  return Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])));
}

function lengthBytes(length: number): Buffer {
  const bytes = [127];
  let left = length - 127;
  for (; left >= 128; left >>>= 7) bytes.push((left & 127) | 128);
  return Buffer.from([...bytes, left]);
}

export const GET: FieldList = [[':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':authority', 'a']];
export const POST: FieldList = [[':method', 'POST'], ...GET.slice(1)];

export function headersFrame(stream: number, fields: FieldList, flags: number = FLAG.endHeaders | FLAG.endStream): Buffer {
  return http2Frame(FRAME.headers, flags, stream, block(fields));
}

export function dataFrame(stream: number, data: string | Buffer, isLast = false): Buffer {
  return http2Frame(FRAME.data, isLast ? FLAG.endStream : 0, stream, Buffer.from(data));
}

export function uint32Frame(type: number, stream: number, value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value);
  return http2Frame(type, 0, stream, payload);
}

export class Http2RawClient {
  readonly socket: Socket;
  readonly frames: SeenFrame[] = [];
  isClosed = false;
  #bytes = Buffer.alloc(0);
  readonly #decoder = new HpackDecoder(4096);
  #wake: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('close', () => {
      this.isClosed = true;
      this.#wakeAll();
    });
  }

  /** Connected, with the preface and these settings sent, and something in front of them. */
  static async open(port: number, settings: Buffer = emptySettings, before = ''): Promise<Http2RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    const client = new Http2RawClient(socket);
    client.send(Buffer.from(before, 'latin1'), PREFACE, settings);
    return client;
  }

  send(...frames: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  #take(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    while (this.#bytes.length >= 9) {
      const length = this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < 9 + length) break;
      const payload = Buffer.from(this.#bytes.subarray(9, 9 + length));
      const type = this.#bytes[3]!;
      const fields: string[] = [];
      if (type === FRAME.headers) {
        this.#decoder.decode(payload, 0, length, { onField: (name, a, b, value, c, d) => void fields.push(`${name.toString('latin1', a, b)}: ${value.toString('latin1', c, d)}`) });
      }
      this.frames.push({ type, flags: this.#bytes[4]!, stream: this.#bytes.readUInt32BE(5), payload, fields });
      this.#bytes = this.#bytes.subarray(9 + length);
    }
    this.#wakeAll();
  }

  #wakeAll(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }

  /** Resolves with the first frame that fits, of those that came and those to come. */
  async frame(fits: (frame: SeenFrame) => boolean): Promise<SeenFrame> {
    while (true) {
      const found = this.frames.find(fits);
      if (found !== undefined) return found;
      if (this.isClosed) throw new Error(`the connection was closed after ${JSON.stringify(this.frames.map(({ type, stream, flags }) => [type, stream, flags]))}`);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  of(type: number, stream: number): Promise<SeenFrame> {
    return this.frame((frame) => frame.type === type && frame.stream === stream);
  }

  /** Why the stream was reset. */
  async resetOf(stream: number): Promise<number> {
    return (await this.of(FRAME.rstStream, stream)).payload.readUInt32BE(0);
  }

  /** The last GOAWAY, once the connection is over. */
  async goaway(): Promise<{ last: number; code: number; text: string }> {
    await this.untilClosed();
    const { payload } = this.frames.findLast(({ type }) => type === FRAME.goaway)!;
    return { last: payload.readUInt32BE(0), code: payload.readUInt32BE(4), text: payload.toString('latin1', 8) };
  }

  async untilClosed(): Promise<void> {
    while (!this.isClosed) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  /** Status, fields and body of a stream, once it has ended. */
  async answer(stream: number): Promise<{ status: string; fields: readonly string[]; body: string; trailers: readonly string[] }> {
    await this.frame((frame) => frame.stream === stream && (frame.type === FRAME.headers || frame.type === FRAME.data) && (frame.flags & FLAG.endStream) !== 0);
    const own = this.frames.filter((frame) => frame.stream === stream);
    const heads = own.filter(({ type, fields }) => type === FRAME.headers && !fields[0]?.startsWith(':status: 1'));
    const body = Buffer.concat(own.filter(({ type }) => type === FRAME.data).map(({ payload }) => payload)).toString('latin1');
    return { status: heads[0]!.fields[0]!, fields: heads[0]!.fields.slice(1), body, trailers: heads[1]?.fields ?? [] };
  }

  /** Gives windows as large as they may be. */
  openWindows(stream: number): void {
    this.send(uint32Frame(FRAME.windowUpdate, 0, 0x7fff0000), uint32Frame(FRAME.windowUpdate, stream, 0x7fff0000));
  }

  close(): void {
    this.socket.destroy();
  }
}
