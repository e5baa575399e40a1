/**
 * TLS to backends: over a connection that is on its way, with the certificate
 * held to the name the backend goes by. A session is taken up again where the
 * last one left off, which spares a round trip and the costly half of the
 * handshake. Used by connections of the data plane and by probes; whoever
 * opens one hears of it by 'secureConnect', or by 'error' with the reason.
 */
import { createSecureContext, connect, type SecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { connect as connectPlain, isIP, type Socket, type TcpNetConnectOpts } from 'node:net';
import type { BackendTlsSpec } from '../shared/snapshot.ts';
import type { Dial } from './dial.ts';

/** Where the session of a backend is kept; one is enough, the latest. */
export interface SessionHolder {
  tlsSession: Buffer | null;
}

export function backendContextOptions({ ca, cert, key, minVersion }: Omit<BackendTlsSpec, 'serverName' | 'verify'>): SecureContextOptions {
  return { minVersion, ...(ca === null ? {} : { ca }), ...(cert === null || key === null ? {} : { cert, key }) };
}

/** How a pool's backends are spoken to; made once for each pool and worker. */
export class SecureDial {
  readonly spec: BackendTlsSpec;
  readonly #context: SecureContext;

  constructor(spec: BackendTlsSpec) {
    this.spec = spec;
    this.#context = createSecureContext(backendContextOptions(spec));
  }

  /** A connection of its own. `reached` is asked once it is there; what it gives goes out in the clear, before TLS begins. */
  open(to: TcpNetConnectOpts, host: string, alpn: readonly string[], sessions: SessionHolder, reached: () => Buffer | null): TLSSocket {
    // Heard before TLS hears of it, since it listens first.
    const raw = connectPlain(to).once('connect', () => {
      const greeting = reached();
      if (greeting !== null) raw.write(greeting);
    });
    return this.over(raw, host, alpn, sessions);
  }

  /** `raw` is connecting, and belongs to what is returned. `host`: the backend's as written. `alpn` empty: none is offered. */
  over(raw: Socket, host: string, alpn: readonly string[], sessions: SessionHolder | null): TLSSocket {
    const name = this.spec.serverName ?? host;
    const session = sessions?.tlsSession ?? null;
    const socket = connect({
      socket: raw,
      secureContext: this.#context,
      // For an address there is no name to ask for; the certificate is held to it all the same.
      servername: isIP(name) === 0 ? name : '',
      host: name,
      rejectUnauthorized: this.spec.verify,
      ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
      ...(session === null ? {} : { session }),
    });
    // TLS has no reset: it is the connection's.
    socket.resetAndDestroy = () => {
      raw.resetAndDestroy();
      return socket;
    };
    if (sessions !== null) socket.on('session', (session: Buffer) => (sessions.tlsSession = session));
    return socket;
  }
}

/**
 * The same for who knows nothing of TLS: 'connect' comes when the handshake is
 * done, and what is written before waits for it.
 */
export function dialSecurely(dial: Dial, secure: SecureDial, host: string, alpn: readonly string[]): Dial {
  return (to, options) => {
    const socket: Socket = secure.over(dial(to, options), host, alpn, null);
    const name = (event: string | symbol): string | symbol => (event === 'connect' ? 'secureConnect' : event);
    const on = socket.on.bind(socket) as Listen;
    const once = socket.once.bind(socket) as Listen;
    Object.assign(socket, {
      on: (event: string | symbol, listener: () => void) => on(name(event), listener),
      once: (event: string | symbol, listener: () => void) => once(name(event), listener),
    });
    return socket;
  };
}

type Listen = (event: string | symbol, listener: () => void) => Socket;
