/**
 * Sockets that HTTP/1.1 clients come in by. Every worker binds the same ports
 * with `reusePort`; the kernel spreads connections over them.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { listenerColumns, REFUSALS } from '../../shared/counter-pages.ts';
import type { LiveListener } from '../live/live-listener.ts';
import type { WorkerContext } from '../live/worker-context.ts';
import type { Pipeline } from '../pipeline.ts';
import { Http1Client } from './http1-client.ts';
import type { BindAddress, Listener, ListenerKind } from './listener.ts';

/** Connections the kernel may queue; it cuts this to net.core.somaxconn. */
const BACKLOG = 4096;

/** When full, so many connections are looked at for one at rest: the oldest come first. */
const EVICTION_LOOKS_MAX = 1000;

export class HttpListener implements Listener {
  readonly name: string;
  live: LiveListener;
  isRetired = false;
  readonly #pipeline: Pipeline;
  readonly #context: WorkerContext;
  readonly #sockets = new Map<string, Server>();
  readonly #clients = new Set<Http1Client>();
  /** Arrived before `accept`. */
  #waiting: { readonly socket: Socket; readonly port: number }[] = [];
  #isAccepting = false;

  constructor(live: LiveListener, pipeline: Pipeline, context: WorkerContext) {
    this.name = live.spec.name;
    this.live = live;
    this.#pipeline = pipeline;
    this.#context = context;
  }

  get openConnections(): number {
    return this.#clients.size;
  }

  async bind(addresses: readonly BindAddress[]): Promise<void> {
    const bound: BindAddress[] = [];
    try {
      for (const address of addresses) {
        await this.#bindOne(address);
        bound.push(address);
      }
    } catch (error) {
      for (const address of bound) this.#unbind(keyOf(address));
      throw error;
    }
  }

  #bindOne(address: BindAddress): Promise<void> {
    const acceptor = createServer({ allowHalfOpen: true, noDelay: false }, (socket) => this.#onConnection(socket, address.port));
    return new Promise((resolve, reject) => {
      acceptor.once('error', reject);
      const listening = (): void => {
        acceptor.off('error', reject);
        // An accept that fails (EMFILE) must not end the worker: the kernel keeps the connection queued.
        acceptor.on('error', (error) => this.#context.log('error', 'a listener cannot accept', { listener: this.name, error: error.message }));
        this.#sockets.set(keyOf(address), acceptor);
        resolve();
      };
      const options = { port: address.port, backlog: BACKLOG, reusePort: true };
      // An explicit "::" leaves IPv4 to a bind of its own.
      acceptor.listen(address.host === null ? options : { ...options, host: address.host, ipv6Only: address.host === '::' }, listening);
    });
  }

  accept(): void {
    this.#isAccepting = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { socket, port } of waiting) if (!socket.destroyed) this.#serve(socket, port);
  }

  keepOnly(addresses: readonly BindAddress[]): void {
    const kept = new Set(addresses.map(keyOf));
    for (const key of [...this.#sockets.keys()]) if (!kept.has(key)) this.#unbind(key);
  }

  isBound(address: BindAddress): boolean {
    return this.#sockets.has(keyOf(address));
  }

  setLive(live: LiveListener): void {
    this.live = live;
    this.isRetired = false;
  }

  retire(): void {
    this.isRetired = true;
    this.#isAccepting = false;
    for (const key of [...this.#sockets.keys()]) this.#unbind(key);
    for (const { socket } of this.#waiting) socket.destroy();
    this.#waiting = [];
    for (const client of this.#clients) client.closeWhenQuiet();
  }

  cut(): void {
    for (const client of [...this.#clients]) client.cut();
  }

  onClientClosed(client: Http1Client): void {
    if (!this.#clients.delete(client)) return;
    this.live.row.addConnections(-1);
    this.live.counters[this.live.base + listenerColumns.connections]!--;
  }

  #unbind(key: string): void {
    this.#sockets.get(key)?.close();
    this.#sockets.delete(key);
  }

  #onConnection(socket: Socket, port: number): void {
    if (this.#isAccepting) this.#serve(socket, port);
    else {
      socket.on('error', () => {});
      this.#waiting.push({ socket, port });
    }
  }

  /** `port` is known from the bind: asking the socket would be a system call for each connection. */
  #serve(socket: Socket, port: number): void {
    const { live } = this;
    const cells = live.counters;
    cells[live.base + listenerColumns.connectionsTotal]!++;
    const limit = live.spec.limits.connections;
    if (live.row.addConnections(1) > limit && limit !== 0 && !this.#evictOne()) {
      live.row.addConnections(-1);
      cells[live.base + listenerColumns.refused + REFUSALS.indexOf('limit')]!++;
      socket.destroy();
      return;
    }
    cells[live.base + listenerColumns.connections]!++;
    this.#clients.add(new Http1Client(socket, port, this, this.#pipeline, this.#context));
  }

  /** At the limit the oldest connection at rest gives its place to the new one. */
  #evictOne(): boolean {
    let looks = 0;
    for (const client of this.#clients) {
      if (client.closeAtRest()) return true;
      if (++looks === EVICTION_LOOKS_MAX) return false;
    }
    return false;
  }
}

function keyOf(address: BindAddress): string {
  return `${address.host ?? '*'} ${address.port}`;
}

export const httpListener: ListenerKind = {
  name: 'http',
  summary: 'HTTP/1.1, routed by host, path and fields',
  create: (live, pipeline, context) => new HttpListener(live, pipeline, context),
};
