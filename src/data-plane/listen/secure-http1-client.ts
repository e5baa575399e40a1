/**
 * An HTTP/1.1 client over TLS, made by its listener once the handshake is
 * done. Requests are read and answered as in the clear; what differs is what
 * backends are told of the connection, and that its end is said in TLS, too.
 */
import type { ProxyEnds } from '../../net/proxy-header.ts';
import { closeInOrder, type SecureSocket } from '../../net/secure-socket.ts';
import type { WorkerContext } from '../live/worker-context.ts';
import type { Pipeline } from '../pipeline.ts';
import { Http1Client } from './http1-client.ts';
import type { HttpListener } from './http-listener.ts';
import type { Introduction } from './introduction.ts';
import type { Secured } from './tls-opening.ts';

export class SecureHttp1Client extends Http1Client {
  readonly #secure: SecureSocket;
  readonly #introduction: Introduction;

  constructor(secured: Secured, introduction: Introduction, listener: HttpListener, pipeline: Pipeline, context: WorkerContext) {
    super(secured.socket, secured.localPort, listener, pipeline, context);
    this.#secure = secured.socket;
    this.#introduction = introduction;
    introduction.introduce(this.exchange);
  }

  override ends(): ProxyEnds | null {
    return this.#introduction.ends();
  }

  protected override introduction(): Introduction {
    return this.#introduction;
  }

  protected override closeSocket(): void {
    if (this.#secure.writableEnded) this.#secure.destroy();
    else closeInOrder(this.#secure);
  }
}
