/**
 * A backend of gRPC that costs next to nothing: every call, whatever it asks,
 * is answered with one message and trailers, in bytes made beforehand. It
 * looks at frames alone and decodes no fields. Started with an IPC channel;
 * sends `{ port }` once it listens and ends with its parent.
 */
import { createServer, type Socket } from 'node:net';
import { FLAG, FRAME, PREFACE } from '../../src/data-plane/parse/http2-frames.ts';
import { http2Frame } from '../../test/support/http2-frames.ts';
import { block, uint32Frame } from '../../test/support/http2-raw-client.ts';

export const ANSWER_MESSAGE = Buffer.from('\0\0\0\0\x16hello from the backend', 'latin1');
const FRAME_HEAD_BYTES = 9;
/** What a client may have on its way to us is given again in parts of this size. */
const GIVEN_BYTES = 16 * 1024;
const WINDOW_START = 65_535;
const STREAMS_MAX = 128;

const SETTINGS = http2Frame(FRAME.settings, 0, 0, Buffer.from([0, 3, 0, 0, 0, STREAMS_MAX]));
const SETTINGS_ACK = http2Frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0));

const head = http2Frame(FRAME.headers, FLAG.endHeaders, 0, block([[':status', '200'], ['content-type', 'application/grpc'], ['grpc-accept-encoding', 'identity, deflate, gzip']]));
const message = http2Frame(FRAME.data, 0, 0, ANSWER_MESSAGE);
const trailers = http2Frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 0, block([['grpc-status', '0'], ['grpc-message', '']]));
const answer = Buffer.concat([head, message, trailers]);
const STREAM_AT = [5, head.length + 5, head.length + message.length + 5] as const;

function answerTo(stream: number): Buffer {
  const bytes = Buffer.from(answer);
  for (const at of STREAM_AT) bytes.writeUInt32BE(stream, at);
  return bytes;
}

class OriginConnection {
  readonly #socket: Socket;
  #pending: Buffer = Buffer.alloc(0);
  #prefaceLeft = PREFACE.length;
  #taken = 0;
  #window = WINDOW_START;
  #out: Buffer[] = [SETTINGS];
  /** Answered once there is a window for it. */
  #waiting: number[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  take(chunk: Buffer): void {
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const skipped = Math.min(this.#prefaceLeft, bytes.length);
    this.#prefaceLeft -= skipped;
    bytes = bytes.subarray(skipped);
    while (bytes.length >= FRAME_HEAD_BYTES) {
      const length = bytes.readUIntBE(0, 3);
      if (bytes.length < FRAME_HEAD_BYTES + length) break;
      this.#frame(bytes[3]!, bytes[4]!, bytes.readUInt32BE(5), bytes.subarray(FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + length));
      bytes = bytes.subarray(FRAME_HEAD_BYTES + length);
    }
    this.#pending = bytes;
    while (this.#waiting.length > 0 && this.#window >= ANSWER_MESSAGE.length) {
      this.#window -= ANSWER_MESSAGE.length;
      this.#out.push(answerTo(this.#waiting.shift()!));
    }
    if (this.#out.length > 0) this.#socket.write(this.#out.length === 1 ? this.#out[0]! : Buffer.concat(this.#out));
    this.#out = [];
  }

  #frame(type: number, flags: number, stream: number, payload: Buffer): void {
    if (type === FRAME.settings && (flags & FLAG.ack) === 0) this.#out.push(SETTINGS_ACK);
    else if (type === FRAME.ping && (flags & FLAG.ack) === 0) this.#out.push(http2Frame(FRAME.ping, FLAG.ack, 0, payload));
    else if (type === FRAME.windowUpdate && stream === 0) this.#window += payload.readUInt32BE(0);
    else if (type === FRAME.data) this.#give(payload.length);
    if ((type === FRAME.headers || type === FRAME.data) && (flags & FLAG.endStream) !== 0) this.#waiting.push(stream);
  }

  #give(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken < GIVEN_BYTES) return;
    this.#out.push(uint32Frame(FRAME.windowUpdate, 0, this.#taken));
    this.#taken = 0;
  }
}

function listen(): void {
  const listening = createServer({ noDelay: true }, (socket) => {
    const connection = new OriginConnection(socket);
    socket.on('data', (chunk: Buffer) => connection.take(chunk));
    socket.on('error', () => socket.destroy());
  });
  listening.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
    const address = listening.address();
    process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
  });
  process.once('disconnect', () => process.exit(0));
}

if (import.meta.main) listen();
