/** A backend of HTTP/2 without TLS, by node:http2, behind one engine: what the scenarios of such pools need. */
import { once } from 'node:events';
import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream, type Settings } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';
import { Engine, makeListener, makePool, RawClient, RawOrigin, type ListenerPatch, type PoolPatch } from './engine.ts';
import { freePort } from './free-port.ts';
import { http2Frame } from './http2-frames.ts';

const toStop: (() => void)[] = [];
afterEach(() => {
  for (const stop of toStop.splice(0).reverse()) stop();
});

export type OnStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, origin: Http2Origin) => void;

export class Http2Origin {
  readonly sessions: ServerHttp2Session[] = [];
  readonly requests: IncomingHttpHeaders[] = [];
  readonly port: number;
  readonly #server: Http2Server;

  private constructor(server: Http2Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(onStream: OnStream, settings: Settings = {}): Promise<Http2Origin> {
    const server = createServer({ settings });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = new Http2Origin(server, (server.address() as AddressInfo).port);
    server.on('session', (session) => {
      origin.sessions.push(session);
      session.on('error', () => {});
    });
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      origin.requests.push(headers);
      stream.on('error', () => {});
      onStream(stream, headers, origin);
    });
    toStop.push(() => origin.stop());
    return origin;
  }

  stop(): void {
    for (const session of this.sessions) session.destroy();
    this.#server.close();
  }
}

export interface Http2Scenario {
  readonly engine: Engine;
  readonly port: number;
  client(): Promise<RawClient>;
  /** Sends a request that closes the connection, and resolves with all that came back. */
  ask(request: string): Promise<string>;
}

/** An engine whose pool speaks HTTP/2 to these ports. */
export async function inFrontOf(ports: readonly number[], options: { listener?: ListenerPatch; pool?: PoolPatch } = {}): Promise<Http2Scenario> {
  const port = await freePort();
  const engine = await Engine.start([makeListener(port, options.listener)], [makePool(ports, { protocol: 'h2c', ...options.pool })]);
  toStop.push(() => engine.stop());
  const client = async (): Promise<RawClient> => {
    const opened = await RawClient.open(port);
    toStop.push(() => opened.close());
    return opened;
  };
  return {
    engine,
    port,
    client,
    async ask(request) {
      const opened = await client();
      opened.send(request);
      return opened.untilEnd();
    },
  };
}

export const http2Preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

/** A backend that says these bytes as soon as the first request's HEADERS came, in as many writes as there are parts. */
export async function rawHttp2Origin(parts: (stream: number) => readonly Buffer[], settings = settingsFrame([])): Promise<RawOrigin> {
  const origin = await RawOrigin.start((socket) => {
    let received = Buffer.alloc(0);
    let told = 0;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => {
      if (received.length === 0) socket.write(settings);
      received = Buffer.concat([received, bytes]);
      for (const stream of streamsOf(received).slice(told)) {
        told++;
        void sayAll(socket, parts(stream));
      }
    });
  });
  toStop.push(() => origin.stop());
  return origin;
}

async function sayAll(socket: { write(bytes: Buffer, done: () => void): unknown }, parts: readonly Buffer[]): Promise<void> {
  for (const part of parts) {
    await new Promise<void>((resolve) => void socket.write(part, resolve));
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** Ids of the streams whose HEADERS are wholly there, in order. */
function streamsOf(received: Buffer): number[] {
  const streams: number[] = [];
  for (let at = http2Preface.length; at + 9 <= received.length; ) {
    const next = at + 9 + received.readUIntBE(at, 3);
    if (next > received.length) break;
    if (received[at + 3] === 1) streams.push(received.readUInt32BE(at + 5));
    at = next;
  }
  return streams;
}

export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  return http2Frame(type, flags, stream, typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload);
}

export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const body = Buffer.alloc(settings.length * 6);
  settings.forEach(([id, value], i) => {
    body.writeUInt16BE(id, i * 6);
    body.writeUInt32BE(value, i * 6 + 2);
  });
  return frame(4, 0, 0, body);
}

/** Literal fields without indexing and without Huffman's code (RFC 7541 §6.2.2), so that anything can be said. */
export function block(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name, 'latin1'), Buffer.from([value.length]), Buffer.from(value, 'latin1')])));
}

export const DATA = 0;
export const HEADERS = 1;
export const RST_STREAM = 3;
export const GOAWAY = 7;
export const END_STREAM = 1;
export const END_HEADERS = 4;

export function headersFrame(stream: number, fields: readonly (readonly [name: string, value: string])[], isLast = false): Buffer {
  return frame(HEADERS, END_HEADERS | (isLast ? END_STREAM : 0), stream, block(fields));
}

export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => bytes.writeUInt32BE(value, i * 4));
  return bytes;
}
