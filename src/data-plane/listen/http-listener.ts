/**
 * Sockets that HTTP/1.1 clients come in by. Every worker binds the same ports
 * with `reusePort`; the kernel spreads connections over them.
 */
import type { Socket } from 'node:net';
import { plainAddress } from '../../net/address.ts';
import type { LiveListener } from '../live/live-listener.ts';
import type { WorkerContext } from '../live/worker-context.ts';
import type { Pipeline } from '../pipeline.ts';
import { Http1Client } from './http1-client.ts';
import type { ListenerKind } from './listener.ts';
import { ProxiedHttp1Client } from './proxied-http1-client.ts';
import { SocketListener } from './socket-listener.ts';

export class HttpListener extends SocketListener<Http1Client> {
  protected readonly hasRest = true;
  readonly #pipeline: Pipeline;

  constructor(live: LiveListener, pipeline: Pipeline, context: WorkerContext) {
    super(live, context);
    this.#pipeline = pipeline;
  }

  protected serve(socket: Socket, port: number): Http1Client {
    return this.live.spec.proxyProtocol === 'off' ? new Http1Client(socket, port, this, this.#pipeline, this.context) : this.#introduced(socket, port);
  }

  /** One that a PROXY header may come in front of. Bytes of a sender that is not trusted are ordinary bytes, unless a header is asked of all. */
  #introduced(socket: Socket, port: number): Http1Client {
    const { spec, trusted } = this.live;
    const isTrusted = trusted.has(plainAddress(socket.remoteAddress ?? ''));
    if (!isTrusted && spec.proxyProtocol === 'accept') return new Http1Client(socket, port, this, this.#pipeline, this.context);
    return new ProxiedHttp1Client(socket, port, this, this.#pipeline, this.context, isTrusted);
  }

  protected override begin(client: Http1Client): void {
    client.begin();
  }
}

export const httpListener: ListenerKind = {
  name: 'http',
  summary: 'HTTP/1.1, routed by host, path and fields',
  create: (live, pipeline, context) => new HttpListener(live, pipeline, context),
};
