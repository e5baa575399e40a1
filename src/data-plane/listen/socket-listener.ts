/**
 * What all listeners of connections have in common: sockets bound in every
 * worker with `reusePort`, connections that wait for `accept`, the places of
 * `limits.connections`, which are one number over all workers, and TLS until
 * its handshake is done. A kind extends it, and says what it makes of a socket
 * that was admitted, or secured.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { AgeList, type Aged } from '../../base/age-list.ts';
import { listenerColumns, REFUSALS } from '../../shared/counter-pages.ts';
import type { LiveListener } from '../live/live-listener.ts';
import type { WorkerContext } from '../live/worker-context.ts';
import type { BindAddress, Listener } from './listener.ts';
import { TlsOpening, type Secured, type SecuringOwner } from './tls-opening.ts';

/** Connections the kernel may queue; it cuts this to net.core.somaxconn. */
const BACKLOG = 4096;

/** When full, so many connections are looked at for one at rest: the oldest come first. */
const EVICTION_LOOKS_MAX = 1000;

/**
 * When full and none is at rest in this worker, a newcomer waits so long for
 * one that is in another: at least two ticks of that worker.
 */
const PARKED_TICKS = 4;
/** Of a flood that meets the limit no more than this is held. */
const PARKED_MAX = 1000;

/** A client's connection as its listener sees it. It calls `onClientClosed` once, when it is gone. */
export interface AdmittedClient<Client> extends Aged<Client> {
  /** Its place is wanted: closes if it is at rest; false if it is not. */
  closeAtRest(): boolean;
  /** It has to go, as soon as that loses nothing. */
  closeWhenQuiet(): void;
  /** Its time is over, whatever it does. */
  cut(): void;
}

export abstract class SocketListener<Client extends AdmittedClient<Client>> implements Listener, SecuringOwner {
  readonly name: string;
  live: LiveListener;
  isRetired = false;
  protected readonly context: WorkerContext;
  /** Whether its connections come to rest, so that waiting for a place is worth it. */
  protected abstract readonly hasRest: boolean;
  readonly #sockets = new Map<string, Server>();
  readonly #clients = new AgeList<Client>();
  /** TLS handshakes under way; each has a place, and becomes a client. */
  readonly #openings = new AgeList<TlsOpening>();
  /** Arrived before `accept`. */
  #waiting: { readonly socket: Socket; readonly port: number }[] = [];
  #isAccepting = false;
  /** Over the limit, until another worker lets a connection at rest go. */
  #parked: { readonly socket: Socket; readonly port: number; readonly untilTick: number }[] = [];
  #seenWanted: number;

  constructor(live: LiveListener, context: WorkerContext) {
    this.name = live.spec.name;
    this.live = live;
    this.context = context;
    this.#seenWanted = live.row.placesWantedHint;
  }

  /** The connection of an admitted socket. `port` is the one it came to: asking the socket would be a system call for each. */
  protected abstract serve(socket: Socket, port: number): Client;

  /** The same once its handshake is done. */
  protected abstract serveSecured(secured: Secured): Client;

  /** Whether a request in the clear was answered that came where TLS is spoken. */
  answerPlain(_socket: Socket): boolean {
    return false;
  }

  /** It is among the clients now, and may end at any moment. */
  protected begin(_client: Client): void {}

  get openConnections(): number {
    return this.#clients.size + this.#openings.size;
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
        acceptor.on('error', (error) => this.context.log('error', 'a listener cannot accept', { listener: this.name, error: error.message }));
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
    for (const { socket, port } of waiting) if (!socket.destroyed) this.#take(socket, port);
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
    for (const { socket } of [...this.#waiting, ...this.#parked]) socket.destroy();
    this.#waiting = [];
    this.#parked = [];
    for (const client of this.#clients) client.closeWhenQuiet();
  }

  cut(): void {
    for (const opening of [...this.#openings]) opening.cut();
    for (const client of [...this.#clients]) client.cut();
  }

  /** The same connection, seen from now on as another client. */
  protected replace(former: Client, client: Client): void {
    if (this.#clients.delete(former)) this.#clients.add(client);
  }

  onClientClosed(client: Client): void {
    if (this.#clients.delete(client)) this.#givePlaceBack();
  }

  onUnsecured(opening: TlsOpening): void {
    if (this.#openings.delete(opening)) this.#givePlaceBack();
  }

  onSecured(opening: TlsOpening, secured: Secured): void {
    if (!this.#openings.delete(opening)) return;
    this.#enlist(this.serveSecured(secured));
  }

  #givePlaceBack(): void {
    this.live.row.addConnections(-1);
    this.live.counters[this.live.base + listenerColumns.connections]!--;
  }

  #unbind(key: string): void {
    this.#sockets.get(key)?.close();
    this.#sockets.delete(key);
  }

  #onConnection(socket: Socket, port: number): void {
    if (this.#isAccepting) this.#take(socket, port);
    else {
      socket.on('error', () => {});
      this.#waiting.push({ socket, port });
    }
  }

  #take(socket: Socket, port: number): void {
    const { row, counters, base } = this.live;
    counters[base + listenerColumns.connectionsTotal]!++;
    if (this.#takesPlace()) return this.#admit(socket, port);
    if (!this.hasRest || this.#parked.length >= PARKED_MAX) return this.#refuse(socket);
    row.wantPlace();
    socket.on('error', () => {});
    this.#parked.push({ socket, port, untilTick: this.context.wheel.now + PARKED_TICKS });
  }

  #admit(socket: Socket, port: number): void {
    this.live.counters[this.live.base + listenerColumns.connections]!++;
    const { tls, spec } = this.live;
    if (tls === null) return this.#enlist(this.serve(socket, port));
    // Who is slow to shake hands is the oldest; whoever is not is done soon.
    if (this.#openings.size >= spec.limits.handshakesMax) for (const oldest of this.#openings) {
      oldest.evict();
      break;
    }
    const opening = new TlsOpening(socket, port, this, tls, this.context);
    this.#openings.add(opening);
    opening.begin();
  }

  #enlist(client: Client): void {
    this.#clients.add(client);
    this.begin(client);
  }

  #refuse(socket: Socket): void {
    this.live.counters[this.live.base + listenerColumns.refused + REFUSALS.indexOf('limit')]!++;
    socket.destroy();
  }

  /** One of the places of all workers, a connection at rest here giving up its own if need be. */
  #takesPlace(): boolean {
    const { row, spec } = this.live;
    const limit = spec.limits.connections;
    if (row.addConnections(1) <= limit || limit === 0 || this.#evictOne()) return true;
    row.addConnections(-1);
    return false;
  }

  tick(): void {
    if (!this.hasRest) return;
    const wanted = this.live.row.placesWantedHint;
    for (let places = (wanted - this.#seenWanted) >>> 0; places > 0 && this.#evictOne(); ) places--;
    this.#seenWanted = wanted;
    if (this.#parked.length === 0) return;
    const parked = this.#parked;
    this.#parked = [];
    for (const newcomer of parked) {
      const { socket, port, untilTick } = newcomer;
      if (socket.destroyed) continue;
      if (this.#takesPlace()) this.#admit(socket, port);
      else if (this.context.wheel.now >= untilTick) this.#refuse(socket);
      else {
        this.live.row.wantPlace();
        this.#parked.push(newcomer);
      }
    }
  }

  /** At the limit the oldest connection at rest gives its place to the new one; one of TLS that has not begun before any other. */
  #evictOne(): boolean {
    let looks = 0;
    for (const opening of this.#openings) {
      if (opening.closeAtRest()) return true;
      if (++looks === EVICTION_LOOKS_MAX) return false;
    }
    if (!this.hasRest) return false;
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
