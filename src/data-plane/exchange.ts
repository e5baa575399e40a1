/**
 * One request and its answer, whatever protocol carries them: what the
 * pipeline routes, balances, retries, limits, counts and logs. HTTP/1.1 keeps
 * one for each client connection and fills it again for the next request;
 * HTTP/2 one for each stream.
 */
import type { ErrorCode } from '../base/errors.ts';
import type { Deadline } from '../base/timer-wheel.ts';
import type { ProxyEnds } from '../net/proxy-header.ts';
import type { Backend } from './connect/backend.ts';
import type { LiveListener } from './live/live-listener.ts';
import type { LiveRoute } from './live/live-route.ts';
import type { LivePool } from './live/live-pool.ts';
import type { NotedHead } from './noted-head.ts';
import type { ResponseHead } from './parse/response-head.ts';
import type { OwnReply } from './relay/own-replies.ts';
import type { HttpRelay } from './relay/http-relay.ts';

/** How the end of an answer's body is known to us; the client's side chooses its own framing from it. */
export type BodyKind = 'none' | 'length' | 'chunked' | 'until-close';

/** The client's side of an exchange: takes the answer. Bytes belong to the caller unless a call says otherwise. */
export interface AnswerSink {
  /** What the backend must be told to frame: true if chunk lines may pass on as they are. */
  readonly takesChunks: boolean;
  /** An interim answer (1xx but 101), whole, and copied. False: the client takes no more before `onClientFlushed`. */
  sendInterim(head: ResponseHead, start: number, end: number): boolean;
  /**
   * The head, and as much body as came with it: bytes[bodyStart, bodyEnd) of
   * head.bytes, which has HEADROOM free before the head and TAILROOM behind.
   * Returns false if the bytes are still needed: the caller must not reuse the
   * buffer, and sends nothing more before `onClientFlushed`.
   */
  sendHead(head: ResponseHead, headStart: number, headEnd: number, bodyStart: number, bodyEnd: number, kind: BodyKind, isLast: boolean): boolean;
  /** More of the body, with the same room around it. Returns as sendHead. */
  sendBody(bytes: Buffer, start: number, end: number, isLast: boolean): boolean;
  /** The trailer section of a chunked answer, filtered; ends the body. */
  sendTrailer(trailer: Buffer): boolean;
  /** Our own reply, whole. */
  sendOwnReply(reply: OwnReply): void;
  /** The exchange is over: on to the next request, or to the close. */
  finish(): void;
  /** Who is at the two ends of its connection; null: it is gone. */
  ends(): ProxyEnds | null;
  /** The request's Accept prefers JSON. */
  wantsJson(): boolean;
  /** Ends the client's connection so that it can see the answer is incomplete. */
  abort(): void;
  /** Switches to passing bytes on both ways, after sendHead of a 101. */
  startTunnel(): void;
  /** Bytes of the tunnel; returns as sendHead. */
  sendTunnel(bytes: Buffer, start: number, end: number): boolean;
  /** The backend shut down its sending side of the tunnel. */
  endTunnel(): void;
  /** The backend takes request body again. */
  resumeBody(): void;
}

/** Part of a request body, as it came with the head or since. */
export interface BodyPart {
  bytes: Buffer;
  start: number;
  end: number;
}

/** What a client over TLS asked for, and was shown. */
export interface ShownCertificate {
  /** In lower case; '': it gave no name. */
  readonly serverName: string;
  /** `host` in lower case, without port and final dot. */
  covers(host: string): boolean;
}

const NO_BYTES = Buffer.alloc(0);

export class Exchange {
  readonly client: AnswerSink;
  /** The client speaks HTTP/2; its head is kept in the form of HTTP/1.1 all the same. */
  readonly isHttp2: boolean;
  /** Its attempt on a backend; made once by the pipeline. */
  relay!: HttpRelay;

  // What the client's side found in the request.
  listener!: LiveListener;
  /** The request's head bytes, kept for what is rarely asked again (own replies) and for the log. */
  requestBytes!: Buffer;
  requestStart = 0;
  requestEnd = 0;
  /** What the access log says of the head; null until there was a log. */
  noted: NotedHead | null = null;
  method = 0;
  /** The rightmost untrusted address. */
  clientAddress = '';
  /** As the backend got it; found only while there is an access log, or a PROXY header to put it in. */
  requestId = '';
  /** The peer is a trusted proxy: what it says of the client is kept or extended. */
  isTrusted = false;
  peerAddress = '';
  /** The port the client came to. */
  localPort = 0;
  /** Of the client's connection. */
  scheme: 'http' | 'https' = 'http';
  /** null: the connection is in the clear. */
  shown: ShownCertificate | null = null;
  /** X-Forwarded-Client-Cert; null: the client showed no certificate. */
  certificateLine: Buffer | null = null;
  /** X-Forwarded-For, -Proto and -Port lines for an untrusted peer, the one above before them; the same for all its requests. */
  forwardedLines!: Buffer;
  hasBody = false;
  /** All of the body was read from the client. */
  isBodyComplete = true;
  /** Body that was there when the exchange began; empty when start equals end. */
  readonly firstBody: BodyPart = { bytes: NO_BYTES, start: 0, end: 0 };
  wantsUpgrade = false;
  /** The client waits for 100 before it sends its body. */
  expectsContinue = false;

  // What the pipeline decided.
  route: LiveRoute | null = null;
  pool: LivePool | null = null;
  backend: Backend | null = null;
  /** Index of the backend in its pool's file order. */
  backendIndex = -1;
  keyHash = 0;
  attempts = 0;
  /** Indexes of backends that were tried and failed; null until one did. */
  tried: number[] | null = null;
  /** A whole-exchange deadline as a tick of the wheel; 0: none. */
  totalTick = 0;
  /** Until it is sent again, as its backend asked for a while; null: it is not waiting. */
  pause: Deadline | null = null;

  // What came of it.
  startedMs = 0;
  attemptStartedMs = 0;
  /** Time from the attempt's start to the head of its answer; 0: none came. */
  backendMs = 0;
  status = 0;
  /** The head of an answer has gone to the client, or was handed to its socket. */
  hasAnswered = false;
  error: ErrorCode | null = null;
  requestBodyBytes = 0;
  /** Of the answer's body as the backend sent it. */
  answerBytes = 0;
  /** Of the body of our own reply. */
  ownBytes = 0;

  constructor(client: AnswerSink, isHttp2 = false) {
    this.client = client;
    this.isHttp2 = isHttp2;
  }

  /** Its bytes are of no use to anybody any more. */
  letGo(): void {
    this.requestBytes = NO_BYTES;
    this.firstBody.bytes = NO_BYTES;
    this.noted?.forget();
  }

  /** Before each request. */
  reset(): void {
    this.requestId = '';
    this.hasBody = false;
    this.isBodyComplete = true;
    this.firstBody.start = this.firstBody.end = 0;
    this.wantsUpgrade = false;
    this.route = null;
    this.pool = null;
    this.backend = null;
    this.backendIndex = -1;
    this.attempts = 0;
    this.tried = null;
    this.totalTick = 0;
    this.backendMs = 0;
    this.status = 0;
    this.hasAnswered = false;
    this.error = null;
    this.requestBodyBytes = 0;
    this.answerBytes = 0;
    this.ownBytes = 0;
  }
}
