/**
 * The TLS end of an accepted connection. Made once its ClientHello has come,
 * by whoever peeked at it; used like the socket it lies over, which is read
 * and written by nobody else from then on. What differs from a plain socket is
 * dealt with here, so that its users need not know: a reset goes to the
 * connection itself. An end in order is to be said in TLS, too, since a peer
 * takes an end without it for a cut (RFC 8446 §6.1): `closeInOrder` does.
 *
 * What is heard of a handshake leans on how the runtime makes its own servers:
 * by the event 'secure', by '_tlsError' for what goes wrong, and by the verdict
 * on the client's certificate. A runtime without the last refuses every one.
 */
import type { X509Certificate } from 'node:crypto';
import { TLSSocket, type SecureContext } from 'node:tls';
import type { Socket } from 'node:net';

export interface SecureTerms {
  readonly context: SecureContext;
  /** The preferred first; empty: none is agreed on. */
  readonly alpn: readonly string[];
  /** Whether the client is asked for a certificate, which then has to be right, and whether it must have one. */
  readonly clientAuth: 'off' | 'request' | 'require';
}

/** The client's certificate is not of an authority we trust, or not what it must be: `code` says why. */
export class UnverifiedError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(`the client's certificate was refused: ${code}`);
    this.code = code;
  }
}

/** Hears of the handshake once. */
export interface HandshakeTarget {
  /** `certificate`: the client's, verified; null: it showed none. */
  onSecured(certificate: X509Certificate | null): void;
  /** The socket is closed, or about to be. `error` null: the client went away. */
  onHandshakeFailed(error: NodeJS.ErrnoException | null): void;
}

/** How long the last bytes of a connection that ends may take to leave. */
const LAST_BYTES_MS = 5000;

type Done = (error?: Error | null) => void;

/** A write that waits for the one before it. `error`: it will not be made. */
type NextWrite = (error: Error | null) => void;

export class SecureSocket extends TLSSocket {
  readonly #raw: Socket;
  readonly #clientAuth: SecureTerms['clientAuth'];
  #target: HandshakeTarget | null;
  /** OpenSSL has bytes that the kernel has not taken, as far as is known. */
  #isPassing = false;
  #next: NextWrite | null = null;
  /** What waits until the kernel has all: the end of writing, or that of the socket. */
  #atRest: (() => void) | null = null;

  constructor(raw: Socket, { context, alpn, clientAuth }: SecureTerms, target: HandshakeTarget) {
    super(raw, { isServer: true, secureContext: context, requestCert: clientAuth !== 'off', rejectUnauthorized: clientAuth === 'require', ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }) });
    this.#raw = raw;
    this.#target = target;
    this.#clientAuth = clientAuth;
    this.on('secure', SecureSocket.#secured);
    // Later failures (a broken record, an alert) are told by this event alone.
    this.on('_tlsError', SecureSocket.#broken);
    this.on('error', SecureSocket.#failed);
    this.on('close', SecureSocket.#closed);
    // Nobody shakes hands with a peer that says no more, and its place is wanted.
    this.on('end', SecureSocket.#ended);
  }

  // Listeners of all sockets, which are `this`: a closure for each would stay as long as its connection.
  static #secured(this: SecureSocket): void {
    this.#onSecure();
  }
  static #broken(this: SecureSocket, error: Error): void {
    this.#toTarget((waiting) => waiting.onHandshakeFailed(error));
    if (!this.destroyed) this.destroy(error);
  }
  static #failed(this: SecureSocket, error: Error): void {
    this.#toTarget((waiting) => waiting.onHandshakeFailed(error));
  }
  static #closed(this: SecureSocket): void {
    this.#toTarget((waiting) => waiting.onHandshakeFailed(null));
  }
  static #ended(this: SecureSocket): void {
    if (this.#target === null) return;
    this.#toTarget((waiting) => waiting.onHandshakeFailed(null));
    this.destroy();
  }

  #onSecure(): void {
    // Of no use after this; 'error' stays, for there must be one who hears it.
    this.off('secure', SecureSocket.#secured);
    this.off('close', SecureSocket.#closed);
    this.off('end', SecureSocket.#ended);
    const clientAuth = this.#clientAuth;
    if (clientAuth === 'off') return this.#toTarget((waiting) => waiting.onSecured(null));
    const certificate = this.getPeerX509Certificate() ?? null;
    const fault = certificate === null ? (clientAuth === 'require' ? 'NO_CERTIFICATE' : null) : this.#verdict();
    if (fault === null) return this.#toTarget((waiting) => waiting.onSecured(certificate));
    const error = new UnverifiedError(fault);
    this.#toTarget((waiting) => waiting.onHandshakeFailed(error));
    this.destroy();
  }

  /** OpenSSL's word on the chain, that of a resumed session from when it was made; null: it is right. The runtime asks for it here, too. */
  #verdict(): string | null {
    const { ssl } = this as unknown as { ssl?: { verifyError?: () => NodeJS.ErrnoException | null } };
    if (typeof ssl?.verifyError !== 'function') return 'VERDICT_UNKNOWN';
    const error = ssl.verifyError();
    return error === null || error === undefined ? null : (error.code ?? 'UNVERIFIED');
  }

  #toTarget(tell: (target: HandshakeTarget) => void): void {
    const target = this.#target;
    this.#target = null;
    if (target !== null) tell(target);
  }

  /** Of the connection, since TLS has no such thing. */
  override resetAndDestroy(): this {
    this.#raw.resetAndDestroy();
    return this;
  }

  /**
   * OpenSSL copies what it is given, so a write is done as soon as it has it:
   * the runtime would tell only at the end of the turn, as if each client were
   * a slow one. Bounded by one write: the next waits until the kernel has this.
   */
  override _write(chunk: Buffer, encoding: BufferEncoding, done: Done): void {
    if (this.#isPassing) this.#next = (error) => (error === null ? this._write(chunk, encoding, done) : done(error));
    else {
      // An empty write, which marks a flush, would be a system call.
      if (chunk.length > 0) {
        this.#isPassing = true;
        super._write(chunk, encoding, this.#onPassed);
      }
      done();
    }
  }

  override _writev(chunks: { chunk: Buffer; encoding: BufferEncoding }[], done: Done): void {
    if (this.#isPassing) this.#next = (error) => (error === null ? this._writev(chunks, done) : done(error));
    else {
      this.#isPassing = true;
      super._writev!(chunks, this.#onPassed);
      done();
    }
  }

  readonly #onPassed: Done = (error) => {
    this.#isPassing = false;
    const next = this.#next;
    this.#next = null;
    if (error) this.destroy(error);
    next?.(error ?? null);
    if (this.#isPassing) return;
    const waiting = this.#atRest;
    this.#atRest = null;
    waiting?.();
  };

  /** Called by itself it would overtake what OpenSSL has not handed on yet. */
  override _final(done: Done): void {
    if (this.#isPassing) this.#atRest = () => super._final(done);
    else super._final(done);
  }

  /** As the kernel does it: what was taken still goes out, for a while, unless more was waiting behind it. */
  override _destroy(error: Error | null, done: Done): void {
    const waitsForLast = this.#isPassing && this.#next === null && error === null && !this.#raw.destroyed;
    const refused = this.#next;
    this.#next = null;
    refused?.(error ?? new Error('the connection was closed'));
    if (!waitsForLast) return super._destroy(error, done);
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      super._destroy(error, done);
    };
    const timer = setTimeout(end, LAST_BYTES_MS);
    this.#raw.once('close', end);
    const finish = this.#atRest;
    this.#atRest = () => {
      finish?.();
      end();
    };
  }
}

export function isSecure(socket: Socket): boolean {
  return socket instanceof TLSSocket;
}

/** The end in order: what was written, the notice of TLS, FIN, and all is let go. */
export function closeInOrder(socket: Socket): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), LAST_BYTES_MS);
  socket.once('close', () => clearTimeout(timer));
  socket.destroySoon();
}
