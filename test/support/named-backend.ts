/**
 * A backend that says who it is, remembers what it was asked, and answers
 * `/hold…` only when told to. Each answer names, beside the backend, the worker
 * of the proxy that the request came by: request ids of one worker share their
 * first 20 digits.
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly worker: string;
  readonly body: string;
}

export class NamedBackend implements AsyncDisposable {
  readonly name: string;
  readonly asked: Asked[] = [];
  readonly held: ServerResponse[] = [];
  readonly sockets = new Set<Socket>();
  /** The most connections that were open at once. */
  socketsMost = 0;
  port: number;
  /** On all its connections that are closed by now. */
  bytesIn = 0;
  bytesOut = 0;
  /** Answers probes of /health with 500. */
  unwell = false;
  #listening: Server | null = null;
  #wake: (() => void)[] = [];

  private constructor(name: string, port: number) {
    this.name = name;
    this.port = port;
  }

  static async start(name: string): Promise<NamedBackend> {
    const backend = new NamedBackend(name, 0);
    await backend.listen();
    return backend;
  }

  /** As it is written in a config. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Also after `stop`: the same port again. */
  async listen(): Promise<void> {
    const listening = createServer((request, response) => void this.#answer(request, response));
    // Only the proxy ends idle connections here, so that a test can tell that it did.
    listening.keepAliveTimeout = 0;
    listening.on('connection', (socket) => {
      this.sockets.add(socket);
      this.socketsMost = Math.max(this.socketsMost, this.sockets.size);
      socket.on('close', () => {
        this.sockets.delete(socket);
        this.bytesIn += socket.bytesRead;
        this.bytesOut += socket.bytesWritten;
        this.#tell();
      });
    });
    listening.listen(this.port, '127.0.0.1');
    await once(listening, 'listening');
    this.port = (listening.address() as AddressInfo).port;
    this.#listening = listening;
  }

  /** Refuses from now on, and its connections are gone. */
  async stop(): Promise<void> {
    const listening = this.#listening;
    this.#listening = null;
    if (listening === null) return;
    const closed = once(listening, 'close');
    listening.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Turns on each request and each close of a connection until `condition` holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  /** Answers what is held. */
  release(): void {
    for (const response of this.held.splice(0)) response.end(this.name);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const worker = String(request.headers['x-request-id'] ?? '').slice(0, 20);
    let body = '';
    try {
      for await (const chunk of request.setEncoding('latin1')) body += chunk as string;
    } catch {
      return; // it was called off
    }
    const path = request.url ?? '';
    this.asked.push({ method: request.method ?? '', path, headers: request.headers, worker, body });
    response.setHeader('x-backend', this.name);
    response.setHeader('x-worker', worker);
    const status = /^\/status\/(\d+)/.exec(path);
    if (status !== null) response.statusCode = Number(status[1]);
    if (path === '/health' && this.unwell) response.statusCode = 500;
    if (path.startsWith('/hold')) this.held.push(response);
    else if (path.startsWith('/drop')) response.socket!.destroy();
    else response.end(this.name);
    this.#tell();
  }

  #tell(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

export async function startBackends(...names: string[]): Promise<NamedBackend[]> {
  return Promise.all(names.map((name) => NamedBackend.start(name)));
}
