/** The contract between a backend connection and who uses it for an exchange. */
import type { ErrorCode } from '../../base/errors.ts';
import type { BodyKind } from '../exchange.ts';
import type { HeadLimits } from '../parse/request-head.ts';
import type { ResponseHead } from '../parse/response-head.ts';

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
