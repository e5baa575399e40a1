/**
 * Sockets that HTTP clients come in by, of version 1.1 until they say that
 * they speak 2 (RFC 9113 §3.3: with prior knowledge, in the clear). Every worker binds the same ports
 * with `reusePort`; the kernel spreads connections over them.
 */
import type { Socket } from 'node:net';
import { errorIndex, errorSpecs } from '../../base/errors.ts';
import { plainAddress } from '../../net/address.ts';
import type { AcceptedReader } from '../../net/read-from.ts';
import { listenerColumns, requestCell } from '../../shared/counter-pages.ts';
import type { LiveListener } from '../live/live-listener.ts';
import type { WorkerContext } from '../live/worker-context.ts';
import { METHOD } from '../parse/request-head.ts';
import type { Pipeline } from '../pipeline.ts';
import { errorReply } from '../relay/own-replies.ts';
import { SecurePipeline } from '../secure-pipeline.ts';
import { Http1Answer } from './http1-answer.ts';
import { Http1Client } from './http1-client.ts';
import { Http2Client } from './http2-client.ts';
import type { Introduction } from './introduction.ts';
import type { ListenerKind } from './listener.ts';
import { introduceSecured } from './open-exchange.ts';
import { ProxiedHttp1Client } from './proxied-http1-client.ts';
import { SecureHttp1Client } from './secure-http1-client.ts';
import { SocketListener, type AdmittedClient } from './socket-listener.ts';
import { SpareStreams } from './spare-streams.ts';
import type { Secured } from './tls-opening.ts';

/** A connection of either version. */
export interface HttpClient extends AdmittedClient<HttpClient> {
  /** It has its place: what has come so far is taken. */
  begin(): void;
}

export class HttpListener extends SocketListener<HttpClient> {
  protected readonly hasRest = true;
  readonly #pipeline: Pipeline;
  readonly #securePipeline: SecurePipeline;
  readonly #streams: SpareStreams;
  readonly #secureStreams: SpareStreams;

  constructor(live: LiveListener, pipeline: Pipeline, context: WorkerContext) {
    super(live, context);
    this.#pipeline = pipeline;
    this.#securePipeline = new SecurePipeline(context);
    this.#streams = new SpareStreams(pipeline);
    this.#secureStreams = new SpareStreams(this.#securePipeline);
  }

  protected serve(socket: Socket, port: number): HttpClient {
    return this.live.spec.proxyProtocol === 'off' ? new Http1Client(socket, port, this, this.#pipeline, this.context) : this.#introduced(socket, port);
  }

  /** One that a PROXY header may come in front of. Bytes of a sender that is not trusted are ordinary bytes, unless a header is asked of all. */
  #introduced(socket: Socket, port: number): Http1Client {
    const { spec, trusted } = this.live;
    const isTrusted = trusted.has(plainAddress(socket.remoteAddress ?? ''));
    if (!isTrusted && spec.proxyProtocol === 'accept') return new Http1Client(socket, port, this, this.#pipeline, this.context);
    return new ProxiedHttp1Client(socket, port, this, this.#pipeline, this.context, isTrusted);
  }

  /** By the protocol that was agreed on; a client that offers none speaks HTTP/1.1. */
  protected serveSecured(secured: Secured): HttpClient {
    const introduction = introduceSecured(secured);
    if (secured.socket.alpnProtocol === 'h2') return new Http2Client(secured.socket, this, this.#secureStreams, this.context, introduction);
    return new SecureHttp1Client(secured, introduction, this, this.#securePipeline, this.context);
  }

  override answerPlain(socket: Socket): boolean {
    const { counters, base } = this.live;
    counters[base + listenerColumns.errors + errorIndex['plain-request']]!++;
    counters[base + requestCell(METHOD.other, errorSpecs['plain-request'].status)]!++;
    const terms = { minorVersion: 1, method: METHOD.get, closes: true, via: false, edits: null };
    new Http1Answer(socket, this.context).sendOwnReply(errorReply('plain-request', false), terms);
    return true;
  }

  protected override begin(client: HttpClient): void {
    client.begin();
  }

  /** The first bytes of `former`, [start, end) of `bytes`, are the preface of HTTP/2: another client takes its place. */
  becomeHttp2(former: HttpClient, socket: Socket, reader: AcceptedReader, introduction: Introduction, bytes: Buffer, start: number, end: number): void {
    const streams = introduction.isSecure ? this.#secureStreams : this.#streams;
    const client = new Http2Client(socket, this, streams, this.context, introduction, reader);
    this.replace(former, client);
    client.take(bytes, start, end);
  }
}

export const httpListener: ListenerKind = {
  name: 'http',
  summary: 'HTTP/1.1 and HTTP/2, routed by host, path and fields',
  create: (live, pipeline, context) => new HttpListener(live, pipeline, context),
};
