/** The contract between a backend connection, of its own or shared, and who uses it for an exchange. */
import type { ErrorCode } from '../../base/errors.ts';
import type { BodyKind } from '../exchange.ts';
import type { HeadLimits } from '../parse/request-head.ts';
import type { ResponseHead } from '../parse/response-head.ts';
import type { Backend } from './backend.ts';

/** What the next answer on a connection may be, and how long it may take. */
export interface AnswerExpectation {
  readonly limits: HeadLimits;
  /** The answer has no body whatever it says (RFC 9112 §6.3). */
  readonly isHeadRequest: boolean;
  /** Chunk lines are left in the body's runs. */
  readonly takesChunks: boolean;
  readonly expectsUpgrade: boolean;
  readonly responseTimeoutMs: number;
  readonly bodyIdleMs: number;
}

/** What the exchange's relay does with what the connection finds. After `onFailure` or the last part nothing more comes. */
export interface ConnectionOwner {
  onConnected(): void;
  onInterim(head: ResponseHead, start: number, end: number): void;
  onHead(head: ResponseHead, headStart: number, headEnd: number, bodyStart: number, bodyEnd: number, kind: BodyKind, isLast: boolean): void;
  onBody(bytes: Buffer, start: number, end: number, isLast: boolean): void;
  onTrailer(trailer: Buffer): void;
  onTunnel(bytes: Buffer, start: number, end: number): void;
  onTunnelEnd(): void;
  /** All request bytes handed over so far are with the kernel. */
  onFlushed(): void;
  onFailure(code: ErrorCode, detail: string): void;
}

/** What an exchange holds of its backend while an attempt lasts: a connection of HTTP/1.1, or a stream of one of HTTP/2. */
export interface BackendConnection {
  readonly backend: Backend;
  /** Built by the relay: the request's head as HTTP/1.1 has it and, if it is small, its body. Also the copy for sending it again. */
  out: Buffer;
  outLength: number;
  /** It must not serve another exchange. */
  mustClose: boolean;
  readonly isConnected: boolean;
  /** Its first bytes name one client, so no other may be served over it. Call it before `begin` of a fresh connection. */
  greet(header: Buffer): void;
  /** Begins an exchange; `out` holds its request. Once connected, it is written. */
  begin(owner: ConnectionOwner, what: AnswerExpectation): void;
  /** The whole request was handed over: the wait for its answer begins. */
  awaitAnswer(): void;
  /** Hands over request bytes, framed as the head says; false if not all are on their way: wait for `onFlushed`. May move bytes within them. */
  write(bytes: Buffer): boolean;
  /** Ends the sending side of a tunnel. */
  endWriting(): void;
  /** Gives nothing more to the owner until `resume`; the bytes last given stay untouched meanwhile. */
  pause(): void;
  resume(): void;
  /** The bytes last given are still being written though the answer is over. Returns them; they go to `giveBack` once written. */
  keepBytes(): Buffer;
  /** The answer is complete: the owner lets go of it. */
  complete(): void;
  /** Ends the attempt without a word to the owner. */
  destroy(): void;
}
