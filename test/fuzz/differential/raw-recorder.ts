/** An origin that keeps every request as the strict reader reads it, byte by byte; what that refuses is kept as text. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { readChunks } from '../readers/reference-chunks.ts';
import { readFields, readStrictHead } from '../readers/strict-request.ts';
import type { ReadRequest } from './reading.ts';

export interface Recorder {
  readonly port: number;
  /** In the order in which they came. */
  readonly seen: ReadRequest[];
  stop(): void;
}

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n';

export class RawRecorder implements Recorder {
  readonly seen: ReadRequest[] = [];
  readonly #acceptor: Server = createServer({ allowHalfOpen: true, noDelay: true });
  readonly #sockets = new Set<Socket>();

  static async start(): Promise<RawRecorder> {
    const recorder = new RawRecorder();
    recorder.#acceptor.on('connection', (socket) => recorder.#onConnection(socket));
    recorder.#acceptor.listen(0, '127.0.0.1');
    await once(recorder.#acceptor, 'listening');
    return recorder;
  }

  get port(): number {
    return (this.#acceptor.address() as AddressInfo).port;
  }

  #onConnection(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      for (let length = this.#take(text); length > 0; length = this.#take(text)) {
        text = text.slice(length);
        socket.write(ANSWER + (this.seen.at(-1)!.method === 'HEAD' ? '' : 'ok'));
      }
    });
  }

  /** Keeps the request at the start of `text`; returns its length, 0 while it is not whole. */
  #take(text: string): number {
    if (!text.includes('\r\n\r\n')) return 0;
    const head = readStrictHead(text);
    if (typeof head === 'string') {
      this.seen.push({ method: 'MALFORMED', target: head, fields: [], body: text });
      return text.length;
    }
    const { method, target } = head;
    const fields = head.fields.map(({ name, value }) => [name, value] as const);
    const rest = text.slice(head.length);
    if (!head.isChunked) {
      const length = Math.max(0, head.contentLength);
      if (rest.length < length) return 0;
      this.seen.push({ method, target, fields, body: rest.slice(0, length) });
      return head.length + length;
    }
    const chunks = readChunks(rest, Infinity);
    if (chunks.end === 'incomplete') return 0;
    const trailers = chunks.trailer === null ? [] : readFields(chunks.trailer.slice(0, -4).split('\r\n'));
    const isBad = chunks.end === 'failed' || typeof trailers === 'string';
    this.seen.push(isBad ? { method: 'MALFORMED', target: 'chunks', fields: [], body: text } : { method, target, fields, body: chunks.content });
    return isBad ? text.length : text.length - chunks.rest.length;
  }

  stop(): void {
    this.#acceptor.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
