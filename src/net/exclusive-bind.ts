/**
 * Listens alone at an address, without SO_REUSEPORT: the one way to learn that
 * nobody else listens there, since two processes that both set it share a port
 * unnoticed. Main thread only, before the workers bind.
 */
import { createServer, type AddressInfo, type Server } from 'node:net';

export type ExclusiveBind = HeldBind | { readonly kind: 'refused'; readonly code: string; readonly text: string };

export interface HeldBind {
  readonly kind: 'held';
  /** The port; a free one if 0 was asked for. */
  readonly port: number;
  /** Gives the address free again; resolves when it is. */
  release(): Promise<void>;
}

/** `host` null: every address, v4 and v6, or v4 alone where v6 is off. Never rejects. */
export function bindExclusively(host: string | null, port: number): Promise<ExclusiveBind> {
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
