/**
 * Opens TCP connections to literal addresses, and says in one vocabulary why
 * one could not be opened. Names are resolved elsewhere (resolve-name.ts), off
 * the data path, so a connect never waits for DNS. Passed in as a `Dial`, so
 * that a simulation can own the network.
 */
import { connect, isIP, type Socket, type TcpNetConnectOpts } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { tlsFailureText } from './tls-failure.ts';

export interface DialTarget {
  /** Literal IP, without brackets. */
  readonly address: string;
  readonly port: number;
}

/** `onread`: node's own option, which saves a buffer per read. */
export type DialOptions = Pick<TcpNetConnectOpts, 'onread' | 'allowHalfOpen'>;

/** Returns a socket that is connecting; 'connect' or 'error' follows. Throws only for an address that is no literal IP. */
export type Dial = (to: DialTarget, options?: DialOptions) => Socket;

export const dial: Dial = (to, options) => {
  if (isIP(to.address) === 0) throw new Error(`not a literal IP address: ${to.address}`);
  // autoSelectFamily is for names; for a literal it would only add a timer.
  return connect({ ...options, host: to.address, port: to.port, noDelay: true, autoSelectFamily: false });
};

/**
 * `ours`: this machine has no descriptor, memory or local port left, which
 * says nothing about the backend. `failed`: anything not listed.
 */
export type DialFailure = 'refused' | 'reset' | 'timed-out' | 'unreachable' | 'ours' | 'failed';

const failures: Readonly<Record<string, readonly [DialFailure, text: string]>> = {
  ECONNREFUSED: ['refused', 'connection refused'],
  ECONNRESET: ['reset', 'connection reset'],
  EPIPE: ['reset', 'connection reset'],
  ETIMEDOUT: ['timed-out', 'connection timed out'],
  EHOSTUNREACH: ['unreachable', 'no route to the address'],
  ENETUNREACH: ['unreachable', 'network unreachable'],
  EHOSTDOWN: ['unreachable', 'address is down'],
  EMFILE: ['ours', 'out of file descriptors'],
  ENFILE: ['ours', 'out of file descriptors'],
  ENOBUFS: ['ours', 'out of socket buffers'],
  ENOMEM: ['ours', 'out of memory'],
  EADDRNOTAVAIL: ['ours', 'no local port or address left'],
};

/** Much more than last words. */
const CLOSE_BYTES_MAX = 64 * 1024;

export function errorCodeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** What kind of failure a socket's 'error' is. */
export function dialFailure(error: unknown): DialFailure {
  return failures[errorCodeOf(error)]?.[0] ?? 'failed';
}

/** The same in a few words, for people. */
export function dialFailureText(error: unknown): string {
  const code = errorCodeOf(error);
  return failures[code]?.[1] ?? tlsFailureText(error, code) ?? (code === '' ? 'connection failed' : `connection failed: ${code}`);
}

/**
 * Closes without a reset: our FIN, then whatever the peer still says is read
 * and dropped (unread bytes would turn the close into RST, RFC 9293 §3.10.4),
 * until it closes too, `withinMs` have passed, or it has said
 * far more than last words: reading a peer that never ends would never end.
 */
export function closeGently(socket: Socket, clock: Clock, withinMs: number): void {
  if (socket.destroyed) return;
  const timer = clock.after(withinMs, () => socket.destroy());
  let dropped = 0;
  socket.once('close', () => timer.cancel());
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes) => {
    dropped += bytes.length;
    if (dropped > CLOSE_BYTES_MAX) socket.destroy();
  });
  socket.resume();
  socket.end();
}
