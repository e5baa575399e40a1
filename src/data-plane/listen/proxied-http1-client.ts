/**
 * An HTTP/1.1 client whose connection a PROXY header comes in front of, or may
 * come. Until it is read nothing else is; from then on it is a client like any
 * other, with the addresses the header names for its own. Made by the listener
 * for senders it trusts, and for those it refuses because it does not.
 */
import type { Socket } from 'node:net';
import type { ProxyEnds } from '../../net/proxy-header.ts';
import { listenerColumns } from '../../shared/counter-pages.ts';
import { countEarlyError, logEarlyError } from '../accounting.ts';
import type { WorkerContext } from '../live/worker-context.ts';
import type { Pipeline } from '../pipeline.ts';
import { Http1Client } from './http1-client.ts';
import type { HttpListener } from './http-listener.ts';
import { makePeer } from './open-exchange.ts';
import { ProxyHeaderReader } from './proxy-header-reader.ts';
import { refuseConnection } from './refuse-connection.ts';

export class ProxiedHttp1Client extends Http1Client {
  readonly #isTrusted: boolean;
  /** null: the header was read, or there is none. */
  #awaited: ProxyHeaderReader | null = new ProxyHeaderReader();
  #ends: ProxyEnds | null = null;

  constructor(socket: Socket, localPort: number, listener: HttpListener, pipeline: Pipeline, context: WorkerContext, isTrusted: boolean) {
    super(socket, localPort, listener, pipeline, context);
    this.#isTrusted = isTrusted;
  }

  override begin(): void {
    if (this.#isTrusted) super.begin();
    else this.#refuseUnread('the sender is not trusted');
  }

  override get isAtRest(): boolean {
    return super.isAtRest && this.#awaited?.hasBytes !== true;
  }

  protected override get namedEnds(): ProxyEnds | null {
    return this.#ends;
  }

  override onBytes(bytes: Buffer): void {
    const awaited = this.#awaited;
    if (awaited === null) return super.onBytes(bytes);
    switch (awaited.take(bytes)) {
      case 'more':
        return;
      case 'bad':
        return this.#refuseUnread('the header is malformed');
      case 'none':
        if (this.listener.live.spec.proxyProtocol === 'require') return this.#refuseUnread('there is no header');
        break;
      case 'ok':
        if (!awaited.header.isLocal) this.#become(awaited.header);
    }
    this.#goOn(awaited);
  }

  /** The connection is the one that the header speaks of. */
  #become({ sourceAddress, sourcePort, destinationAddress, destinationPort }: ProxyEnds): void {
    const x = this.exchange;
    const peer = makePeer(sourceAddress, destinationPort);
    this.#ends = { sourceAddress, sourcePort, destinationAddress, destinationPort };
    x.peerAddress = x.clientAddress = peer.address;
    x.forwardedLines = peer.forwardedLines;
    x.localPort = destinationPort;
  }

  #goOn({ header, rest }: ProxyHeaderReader): void {
    const { live } = this.listener;
    this.#awaited = null;
    live.counters[live.base + listenerColumns.bytesIn]! += header.headerBytes;
    if (rest.length > 0) super.onBytes(rest);
  }

  override onEnd(): void {
    const awaited = this.#awaited;
    // It began as a header does, and was none.
    if (awaited?.hasBytes === true && this.listener.live.spec.proxyProtocol === 'accept') this.#goOn(awaited);
    super.onEnd();
  }

  override onDeadline(): void {
    if (this.#awaited?.hasBytes === true) this.#refuseUnread('the header did not come in time');
    else super.onDeadline();
  }

  #refuseUnread(detail: string): void {
    const x = this.exchange;
    refuseConnection(x.listener, this.context, 'proxy-header', x.peerAddress, detail);
    countEarlyError(x, 'proxy-header-refused');
    logEarlyError(x, 'proxy-header-refused', this.context);
    this.socket.destroy();
  }
}
