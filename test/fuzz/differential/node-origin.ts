/** Node's own HTTP parser at its defaults, behind a socket: what it makes of a client's bytes. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { Reading, ReadRequest } from './reading.ts';

interface Seen {
  readonly requests: ReadRequest[];
  end: Reading['end'];
  detail: string;
}

export class NodeOrigin {
  readonly #acceptor: Server;
  readonly #bySocket = new Map<Socket, Seen>();
  /** Inputs are read one after the other: what the next connection is for. */
  #onConnection: (socket: Socket) => void = () => {};

  private constructor(acceptor: Server) {
    this.#acceptor = acceptor;
  }

  static async start(): Promise<NodeOrigin> {
    // Limits are not the matter here: as many bytes and fields as our own reading takes.
    const acceptor = createServer({ maxHeaderSize: 65_536, requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 });
    acceptor.maxHeadersCount = 0;
    // A client that has sent all it has still gets its answers.
    Object.assign(acceptor, { httpAllowHalfOpen: true });
    const origin = new NodeOrigin(acceptor);
    acceptor.on('connection', (socket: Socket) => origin.#onConnection(socket));
    // An expectation that Node does not know is the application's to judge: read all the same.
    for (const event of ['request', 'checkExpectation'] as const) acceptor.on(event, (request: IncomingMessage, response: ServerResponse) => origin.#record(request, () => response.end('ok')));
    for (const event of ['upgrade', 'connect'] as const) acceptor.on(event, (request: IncomingMessage, socket: Socket) => origin.#onSwitch(request, socket));
    acceptor.on('clientError', (error: NodeJS.ErrnoException, socket) => origin.#onError(error, socket as Socket));
    acceptor.listen(0, '127.0.0.1');
    await once(acceptor, 'listening');
    return origin;
  }

  /** Sends `input` and shuts down; resolves once the connection is closed. */
  async read(input: Buffer): Promise<Reading> {
    const seen: Seen = { requests: [], end: 'whole', detail: '' };
    const closed = new Promise<void>((resolve) => {
      this.#onConnection = (socket) => {
        this.#bySocket.set(socket, seen);
        socket.once('close', () => {
          this.#bySocket.delete(socket);
          resolve();
        });
      };
    });
    const socket = connect({ port: (this.#acceptor.address() as AddressInfo).port, host: '127.0.0.1' });
    let answer = '';
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')));
    socket.end(input);
    await Promise.all([closed, once(socket, 'close')]);
    // Some refusals are answers of its own, without an event.
    const refusal = /HTTP\/1\.1 (400) /.exec(answer);
    if (seen.end === 'whole' && refusal !== null) return { requests: seen.requests, end: 'refused', detail: refusal[1]! };
    return seen;
  }

  #record(request: IncomingMessage, done: () => void): void {
    const seen = this.#bySocket.get(request.socket);
    const parts: Buffer[] = [];
    request.on('data', (bytes: Buffer) => parts.push(bytes));
    request.on('error', () => {});
    request.on('end', () => {
      seen?.requests.push({ ...headOf(request), body: Buffer.concat(parts).toString('latin1') });
      done();
    });
  }

  /** Told while the head is parsed, when a request before it in the same read has yet to tell its end. */
  #onSwitch(request: IncomingMessage, socket: Socket): void {
    const seen = this.#bySocket.get(socket);
    if (seen !== undefined) seen.end = 'switched';
    setImmediate(() => {
      seen?.requests.push({ ...headOf(request), body: '' });
      socket.destroy();
    });
  }

  #onError(error: NodeJS.ErrnoException, socket: Socket): void {
    const seen = this.#bySocket.get(socket);
    if (seen !== undefined) {
      seen.end = error.code === 'HPE_INVALID_EOF_STATE' ? 'incomplete' : 'refused';
      seen.detail = error.code ?? error.message;
    }
    socket.destroy();
  }

  stop(): void {
    this.#acceptor.closeAllConnections();
    this.#acceptor.close();
  }
}

function headOf(request: IncomingMessage): Omit<ReadRequest, 'body'> {
  const { rawHeaders } = request;
  const fields = Array.from({ length: rawHeaders.length / 2 }, (_, i) => [rawHeaders[2 * i]!, rawHeaders[2 * i + 1]!] as const);
  return { method: request.method ?? '', target: request.url ?? '', fields };
}
