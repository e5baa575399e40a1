/** Who is at the other end of a client's connection, as found before its first request: from the socket, from TLS, or from a PROXY header. */
import type { ProxyEnds } from '../../net/proxy-header.ts';
import type { Exchange } from '../exchange.ts';

export interface Introduction {
  readonly peerAddress: string;
  /** It came over TLS. */
  readonly isSecure: boolean;
  /** Tells an exchange, once, what all requests of the connection have in common. */
  introduce(x: Exchange): void;
  /** Both ends; null: they are gone. */
  ends(): ProxyEnds | null;
}
