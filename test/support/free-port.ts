/**
 * A port for what cannot listen on 0. From below the range that the system
 * gives connections theirs from, so that none of those can take it first; and
 * each process takes one after the other from a place of its own, since two
 * proxies that share a port by `reusePort` would not notice each other.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';

const PORTS_FROM = 10_240;
const PORTS = 20_000;

let next = Math.floor(Math.random() * PORTS);

/** Nobody listens on it now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS_FROM + next;
    next = (next + 1) % PORTS;
    const probe = createServer();
    const listens = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen({ port, host: '127.0.0.1' }, () => resolve(true));
    });
    if (!listens) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
}
