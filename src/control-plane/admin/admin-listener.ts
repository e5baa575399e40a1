/**
 * One bound address of the admin interface: an HTTP listener with a bound on
 * everything, since who reaches it may be anyone. Made for tens of calls a
 * second, not for traffic.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import type { BindSpec } from '../../shared/snapshot.ts';
import { dispatch, type Desk } from './dispatch.ts';
import { CallProblem, PROBLEM_TYPE } from './problem.ts';

const CONNECTIONS_MAX = 256;
const HEADER_BYTES_MAX = 16 * 1024;
const HEADER_COUNT_MAX = 100;
const HEADER_TIMEOUT_MS = 10_000;
/** For a whole request: 16 MiB of config at half a megabyte a second. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Nothing sent and nothing taken for so long: cut. Event streams send a heartbeat sooner. */
const SILENCE_MS = 30_000;
const IDLE_MS = 20_000;
/** How long calls under way may go on after the address was given up. */
const CLOSE_GRACE_MS = 2000;

export class AdminListener {
  readonly bind: BindSpec;
  readonly #server: Server;
  readonly #clock: Clock;

  private constructor(bind: BindSpec, desk: Desk) {
    this.bind = bind;
    this.#clock = desk.context.clock;
    const options = { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: HEADER_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: 1000 };
    this.#server = createServer({ ...options, keepAliveTimeout: IDLE_MS }, (request, response) => void dispatch(desk, request, response));
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.maxHeadersCount = HEADER_COUNT_MAX;
    this.#server.timeout = SILENCE_MS;
    this.#server.on('clientError', answerUnparsed);
  }

  /** Rejects with the system's error if the address cannot be had. */
  static async open(bind: BindSpec, desk: Desk): Promise<AdminListener> {
    const listener = new AdminListener(bind, desk);
    await listener.#listen();
    return listener;
  }

  /** The real port, where the config says 0. */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? this.bind.port;
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      const { host, port } = this.bind;
      this.#server.listen({ port, ...(host !== null && { host }) }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', () => {});
        resolve();
      });
    });
  }

  /** The address is free when this returns; resolves when calls under way have ended, or were cut. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      const cut = this.#clock.after(CLOSE_GRACE_MS, () => this.#server.closeAllConnections());
      this.#server.close(() => {
        cut.cancel();
        resolve();
      });
    });
  }
}

/** What Node's parser refused: no request exists to answer, so the answer is written by hand. */
function answerUnparsed(error: NodeJS.ErrnoException, socket: Socket): void {
  // On a connection that has had an answer, another may be under way: nothing can be said there.
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const problem =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? new CallProblem(431, `The header is larger than ${HEADER_BYTES_MAX} bytes.`)
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new CallProblem(408, 'The request took too long to arrive.')
        : new CallProblem(400, 'This is not HTTP/1.1.');
  const body = `${problem.body()}\n`;
  const head = `HTTP/1.1 ${problem.status} Refused\r\ncontent-type: ${PROBLEM_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
  socket.end(head + body, () => socket.destroy());
}
