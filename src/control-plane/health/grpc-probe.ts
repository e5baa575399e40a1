/**
 * `grpc`: passes when grpc.health.v1.Health/Check, called over HTTP/2 without
 * TLS on a fresh connection, says SERVING. A backend without that service
 * (UNIMPLEMENTED) or that does not know the one asked for (NOT_FOUND) fails
 * with that for a reason.
 *
 * node:http2, as nothing here is the data path: it parses frames natively, in
 * bounded memory. What it does not bound is how much a backend may send in
 * frames that no one asked for, so that is counted on the socket.
 */
import { connect, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { z } from 'zod';
import type { Timer } from '../../base/clock.ts';
import { dialFailureText, errorCodeOf } from '../../net/dial.ts';
import { checkRequest, whyNotServing } from './grpc-health.ts';
import { ProbeAttempt } from './probe-attempt.ts';
import type { ProbeContext, ProbeDefinition, ProbeTarget } from './probe.ts';

const PATH = '/grpc.health.v1.Health/Check';
/** The answer is two bytes; whoever sends more says something else. */
const BODY_BYTES_MAX = 1024;
const CONNECTION_BYTES_MAX = 64 * 1024;
const COUNT_EVERY_MS = 20;
/** How long a backend may take to close a connection that has had our goodbye. */
const LINGER_MS = 1000;

const SESSION = {
  settings: { enablePush: false, initialWindowSize: 65_535, maxHeaderListSize: 16 * 1024 },
  /** Megabytes: the least there is. */
  maxSessionMemory: 1,
  maxHeaderListPairs: 64,
  maxReservedRemoteStreams: 0,
  maxSessionInvalidFrames: 10,
  maxSettings: 32,
};

const options = z.strictObject({
  service: z.string().max(256).default('').describe('The service asked about; empty: the server as a whole.'),
});

type Options = z.infer<typeof options>;

export const grpcProbe: ProbeDefinition<Options> = {
  name: 'grpc',
  summary: 'Passes when grpc.health.v1.Health/Check over HTTP/2 without TLS says SERVING.',
  options,
  probe: (target, wanted, context) => new GrpcAttempt(target, wanted, context).run(),
};

class GrpcAttempt extends ProbeAttempt {
  readonly #options: Options;
  #socket: Socket | null = null;
  #session: ClientHttp2Session | null = null;
  #counting: Timer | null = null;

  constructor(target: ProbeTarget, wanted: Options, context: ProbeContext) {
    super(target, context);
    this.#options = wanted;
  }

  protected override begin(): void {
    const socket = this.context.dial({ address: this.target.host, port: this.target.port });
    this.#socket = socket;
    socket.on('error', (error) => this.failBy(error));
    socket.once('connect', () => {
      this.isConnected = true;
      if (!this.isDecided) this.#call(socket);
    });
  }

  #call(socket: Socket): void {
    const { clock } = this.context;
    const session = connect('http://localhost', { ...SESSION, createConnection: () => socket });
    this.#session = session;
    session.on('error', (error) => this.fail(sessionFailureText(error)));
    session.on('close', () => this.fail('closed before it answered'));
    this.#counting = clock.every(COUNT_EVERY_MS, () => {
      if (socket.bytesRead > CONNECTION_BYTES_MAX) this.fail('sends too much');
    });
    const call = session.request({
      ':method': 'POST', ':scheme': 'http', ':path': PATH, ':authority': this.target.address,
      te: 'trailers', 'content-type': 'application/grpc', 'user-agent': 'weir-probe',
    });
    this.#read(call);
    call.end(checkRequest(this.#options.service));
  }

  #read(call: ClientHttp2Stream): void {
    const chunks: Buffer[] = [];
    let bodyBytes = 0;
    let head: IncomingHttpHeaders & { ':status'?: number | undefined } = {};
    let trailers: IncomingHttpHeaders = {};
    call.on('response', (headers) => (head = headers));
    call.on('trailers', (headers) => (trailers = headers));
    call.on('data', (chunk: Buffer) => {
      bodyBytes += chunk.length;
      if (bodyBytes > BODY_BYTES_MAX) this.fail(head[':status'] === 200 ? 'malformed answer' : `HTTP status ${head[':status']}`);
      else chunks.push(chunk);
    });
    call.on('error', (error) => this.fail(sessionFailureText(error)));
    // Trailers may come after 'end': only 'close' is behind everything.
    call.on('close', () => {
      if (head[':status'] === undefined) return this.fail('closed before it answered');
      const answer = { httpStatus: head[':status'], code: one(trailers['grpc-status'] ?? head['grpc-status']), message: one(trailers['grpc-message'] ?? head['grpc-message']), body: Buffer.concat(chunks) };
      const reason = whyNotServing(answer, this.#options.service);
      if (reason === null) this.pass();
      else this.fail(reason);
    });
  }

  /** With a goodbye where the answer was right; whoever sends garbage or nothing is not waited for. */
  protected override leave(gently: boolean): void {
    this.#counting?.cancel();
    const [socket, session] = [this.#socket, this.#session];
    if (socket === null) return;
    if (!gently || session === null || session.destroyed) {
      session?.destroy();
      socket.destroy();
      return;
    }
    const timer = this.context.clock.after(LINGER_MS, () => socket.destroy());
    socket.once('close', () => timer.cancel());
    session.close();
  }
}

function sessionFailureText(error: Error): string {
  const code = errorCodeOf(error);
  if (code === 'ERR_HTTP2_STREAM_ERROR') return 'call was reset';
  if (code === 'ERR_HTTP2_SESSION_ERROR') return 'connection was ended by the backend';
  // Everything else of HTTP/2 is a peer that does not keep to the protocol, most often one of HTTP/1.
  return code.startsWith('ERR_HTTP2') ? 'does not speak HTTP/2' : dialFailureText(error);
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
