/**
 * One attempt of a probe type that asks over HTTP/2: by prior knowledge on a
 * connection in the clear, agreed on by ALPN in TLS. A type says what it asks
 * and what the answer means; connection, bounds and goodbye are here.
 *
 * node:http2, as nothing here is the data path: it parses frames natively, in
 * bounded memory. What it does not bound is how much a backend may send in
 * frames that no one asked for, so that is counted on the socket.
 */
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Timer } from '../../base/clock.ts';
import { errorCodeOf } from '../../net/dial.ts';
import { ProbeAttempt } from './probe-attempt.ts';

const COUNT_EVERY_MS = 20;
/** How long an answer that already decided the result may take to end, and the backend to close after our goodbye. */
const LINGER_MS = 1000;
const NO_HTTP2 = 'does not offer HTTP/2 (ALPN h2)';

/** By number, RFC 9113 §7. */
const CODES = [
  'NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED', 'FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR',
  'CONNECT_ERROR', 'ENHANCE_YOUR_CALM', 'INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED',
];

const SESSION = {
  settings: { enablePush: false, initialWindowSize: 65_535, maxHeaderListSize: 16 * 1024 },
  /** Megabytes: the least there is. */
  maxSessionMemory: 1,
  maxHeaderListPairs: 2000,
  maxReservedRemoteStreams: 0,
  maxSessionInvalidFrames: 10,
  maxSettings: 32,
};

export abstract class Http2Attempt extends ProbeAttempt {
  /** The backend has answered by the book, whatever it said: it gets a goodbye, not a reset. */
  protected isAnswered = false;
  /** All that a connection may bring. */
  protected abstract readonly connectionBytesMax: number;
  #socket: Socket | null = null;
  #session: ClientHttp2Session | null = null;
  #counting: Timer | null = null;
  /** Its settings came: it does speak HTTP/2. */
  #speaks = false;

  /** Makes the request, and hears its answer. May throw: the runtime found it unfit to be sent. */
  protected abstract ask(session: ClientHttp2Session, scheme: 'http' | 'https'): ClientHttp2Stream;
  /** No more comes, and what came decided nothing. */
  protected abstract ended(): void;

  protected override begin(): void {
    const socket = this.context.dial({ address: this.target.host, port: this.target.port });
    this.#socket = socket;
    socket.on('error', (error) => this.failBy(error));
    socket.once('connect', () => {
      this.isConnected = true;
      if (!this.isDecided) this.#open(socket);
    });
  }

  #open(socket: Socket): void {
    const isSecure = socket instanceof TLSSocket;
    // Traffic is not sent to such a backend either.
    if (isSecure && this.context.overHttp2 === true && socket.alpnProtocol !== 'h2') return this.fail(NO_HTTP2);
    const session = connect('http://localhost', { ...SESSION, createConnection: () => socket });
    this.#session = session;
    session.on('error', (error) => this.failBy(error));
    session.on('close', () => this.ended());
    session.on('remoteSettings', () => (this.#speaks = true));
    this.#counting = this.context.clock.every(COUNT_EVERY_MS, () => {
      if (socket.bytesRead <= this.connectionBytesMax) return;
      if (this.isDecided) socket.destroy();
      else this.fail('sends too much');
    });
    try {
      const stream = this.ask(session, isSecure ? 'https' : 'http');
      stream.on('error', (error) => this.failBy(error));
      stream.on('close', () => this.ended());
    } catch (error) {
      this.fail(error instanceof Error ? error.message : 'request could not be made');
    }
  }

  protected override failBy(error: Error): void {
    const reason = http2FailureText(error, this.#speaks);
    if (reason === null) super.failBy(error);
    else this.fail(reason);
  }

  /** Whoever sends garbage or nothing is not waited for. */
  protected override leave(passed: boolean): void {
    const [socket, session, counting] = [this.#socket, this.#session, this.#counting];
    if (socket === null) return;
    if (session === null || session.destroyed || !(passed || this.isAnswered)) {
      counting?.cancel();
      session?.destroy();
      socket.destroy();
      return;
    }
    const timer = this.context.clock.after(LINGER_MS, () => socket.destroy());
    socket.once('close', () => {
      counting?.cancel();
      timer.cancel();
    });
    session.close();
  }
}

/** null: it is none of HTTP/2. */
function http2FailureText(error: Error, speaks: boolean): string | null {
  const code = errorCodeOf(error);
  if (code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL') return NO_HTTP2;
  const word = /error code (?:NGHTTP2_)?(\w+)/.exec(error.message)?.[1];
  const by = word === undefined ? '' : ` (${CODES[Number(word)] ?? word})`;
  if (code === 'ERR_HTTP2_STREAM_ERROR') return `stream was reset${by}`;
  if (code === 'ERR_HTTP2_SESSION_ERROR') return `connection was ended by the backend${by}`;
  if (!code.startsWith('ERR_HTTP2')) return null;
  // Most often a peer of HTTP/1.
  return speaks ? 'does not keep to the rules of HTTP/2' : 'does not speak HTTP/2';
}
