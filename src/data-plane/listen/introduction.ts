/**
 * Who is at the other end of a client's connection, as found before its first
 * request: from the socket, from TLS, or from a PROXY header. It outlives what
 * found it, so it holds no more than is asked for later.
 */
import type { Socket } from 'node:net';
import type { ProxyEnds } from '../../net/proxy-header.ts';
import type { Exchange, ShownCertificate } from '../exchange.ts';

/** Both ends as the socket has them; null: they are gone. */
export function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): ProxyEnds | null {
  if (remoteAddress === undefined || localAddress === undefined) return null;
  return { sourceAddress: remoteAddress, sourcePort: remotePort!, destinationAddress: localAddress, destinationPort: localPort! };
}

/** What an exchange of TLS is told besides. */
export interface SecureFacts {
  readonly shown: ShownCertificate;
  /** As in Exchange. */
  readonly certificateLine: Buffer | null;
}

export class Introduction {
  readonly peerAddress: string;
  /** It came over TLS. */
  readonly isSecure: boolean;
  readonly #localPort: number;
  readonly #forwardedLines: Buffer;
  readonly #secure: SecureFacts | null;
  readonly #socket: Socket;
  readonly #namedEnds: ProxyEnds | null;

  /** `namedEnds`: those of a PROXY header; null: the socket's. `secure` null: it is in the clear. */
  constructor(socket: Socket, namedEnds: ProxyEnds | null, peerAddress: string, localPort: number, forwardedLines: Buffer, secure: SecureFacts | null) {
    this.peerAddress = peerAddress;
    this.isSecure = secure !== null;
    this.#localPort = localPort;
    this.#forwardedLines = forwardedLines;
    this.#secure = secure;
    this.#socket = socket;
    this.#namedEnds = namedEnds;
  }

  /** Tells an exchange what all requests of the connection have in common: all of it, for the exchange may have been another connection's. */
  introduce(x: Exchange): void {
    const secure = this.#secure;
    x.peerAddress = x.clientAddress = this.peerAddress;
    x.localPort = this.#localPort;
    x.forwardedLines = this.#forwardedLines;
    x.scheme = secure === null ? 'http' : 'https';
    x.shown = secure === null ? null : secure.shown;
    x.certificateLine = secure === null ? null : secure.certificateLine;
  }

  /** Both ends; null: they are gone. */
  ends(): ProxyEnds | null {
    return this.#namedEnds ?? endsOf(this.#socket);
  }
}
