/**
 * Listens alone at an address, without SO_REUSEPORT: the one way to learn that
 * nobody else listens there, since two processes that both set it share a port
 * unnoticed. Main thread only, before the workers bind.
 */
import type { Socket } from 'node:dgram';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { bindUdp } from './udp-socket.ts';

export type Transport = 'tcp' | 'udp';

export type ExclusiveBind = HeldBind | { readonly kind: 'refused'; readonly code: string; readonly text: string };

export interface HeldBind {
  readonly kind: 'held';
  /** The port; a free one if 0 was asked for. */
  readonly port: number;
  /** Gives the address free again; resolves when it is. */
  release(): Promise<void>;
}

/** Free for one family, a chosen port may be taken for the other. */
const PORT_TRIES = 10;

/** `host` null: every address, v4 and v6, or v4 alone where v6 is off. Never rejects. */
export function bindExclusively(host: string | null, port: number, transport: Transport = 'tcp'): Promise<ExclusiveBind> {
  return transport === 'tcp' ? listenAlone(host, port) : Promise.resolve(bindAlone(host, port));
}

/** Datagrams that arrive meanwhile are lost: no worker is there yet to serve them. */
function bindAlone(host: string | null, port: number): ExclusiveBind {
  for (let tries = 1; ; tries++) {
    const sockets: Socket[] = [];
    const release = (): Promise<void> => Promise.all(sockets.map(closeUdp)).then(() => undefined);
    try {
      let chosen = port;
      for (const each of host === null ? ['0.0.0.0', '::'] : [host]) {
        const socket = bindOrSkip(each, chosen, host === null);
        if (socket === null) continue;
        sockets.push(socket);
        chosen = socket.address().port;
      }
      return { kind: 'held', port: chosen, release };
    } catch (error) {
      void release();
      const { code, message } = error as NodeJS.ErrnoException;
      if (port === 0 && code === 'EADDRINUSE' && tries < PORT_TRIES) continue;
      return { kind: 'refused', code: code ?? '', text: message };
    }
  }
}

/** null: one of two families, which this machine does not have. */
function bindOrSkip(host: string, port: number, mayLack: boolean): Socket | null {
  try {
    const socket = bindUdp(host, port, { reusePort: false });
    socket.on('error', () => {});
    return socket;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (mayLack && host === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')) return null;
    throw error;
  }
}

function closeUdp(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}

function listenAlone(host: string | null, port: number): Promise<ExclusiveBind> {
  // Whoever connects at this moment is turned away at once: no worker is there yet to serve it.
  const probe = createServer((socket) => socket.resetAndDestroy());
  return new Promise((resolve) => {
    probe.once('error', (error: NodeJS.ErrnoException) => resolve({ kind: 'refused', code: error.code ?? '', text: error.message }));
    probe.listen({ port, ...(host === null ? {} : { host, ipv6Only: host === '::' }), exclusive: true, reusePort: false }, () => {
      resolve({ kind: 'held', port: (probe.address() as AddressInfo).port, release: () => close(probe) });
    });
  });
}

function close(probe: Server): Promise<void> {
  return new Promise((resolve) => probe.close(() => resolve()));
}
