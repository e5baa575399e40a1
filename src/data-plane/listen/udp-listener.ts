/**
 * Sockets that datagrams come in by. Every worker binds the same addresses with
 * `reusePort`; the kernel spreads clients over them by address and port, and
 * anew whenever a worker comes or goes: a client that moves begins a session
 * there, and hashing meets the same backend again.
 */
import type { ErrorCode } from '../../base/errors.ts';
import { errorCodeOf } from '../../net/dial.ts';
import { DROPS, listenerColumns, REFUSALS, type Drop } from '../../shared/counter-pages.ts';
import type { LiveListener } from '../live/live-listener.ts';
import type { LivePool } from '../live/live-pool.ts';
import type { LiveRoute } from '../live/live-route.ts';
import type { WorkerContext } from '../live/worker-context.ts';
import { UdpSession, type SessionOwner } from '../relay/udp-session.ts';
import { UdpPipeline } from '../udp-pipeline.ts';
import type { BindAddress, Listener, ListenerKind } from './listener.ts';
import { UdpBind } from './udp-bind.ts';
import { UdpPlaces } from './udp-places.ts';
import { udpPortsOf, type LocalPort, type PortHolder } from './udp-ports.ts';

/** Addresses of a wildcard are looked at this often; after a datagram to an unknown one at the next tick. */
const FOLLOW_TICKS = 20;
/** A look that found nothing new is not repeated for datagrams alone before so long. */
const FRUITLESS_TICKS = 10;

/** When full and nobody here may go, a newcomer waits so long for another worker: at least two of its ticks. */
const PARKED_TICKS = 4;
/** Of a flood that meets the limit no more than this is held. */
const PARKED_MAX = 256;

interface Newcomer {
  readonly local: LocalPort;
  readonly bytes: Buffer;
  readonly address: string;
  readonly port: number;
  readonly untilTick: number;
}

export class UdpListener implements Listener, PortHolder, SessionOwner {
  readonly name: string;
  live: LiveListener;
  isRetired = false;
  isAccepting = false;
  readonly #pipeline: UdpPipeline;
  readonly #context: WorkerContext;
  readonly #binds = new Map<string, UdpBind>();
  readonly #places = new UdpPlaces();
  /** Over the limit, until another worker lets one go. */
  #parked: Newcomer[] = [];
  #seenWanted: number;
  #followTick = 0;
  #fruitlessUntilTick = 0;
  #isNewAddressSeen = false;

  constructor(live: LiveListener, pipeline: UdpPipeline, context: WorkerContext) {
    this.name = live.spec.name;
    this.live = live;
    this.#pipeline = pipeline;
    this.#context = context;
    this.#seenWanted = live.row.placesWantedHint;
  }

  get openConnections(): number {
    return this.#places.size;
  }

  bind(addresses: readonly BindAddress[]): Promise<void> {
    const opened: UdpBind[] = [];
    try {
      for (const address of addresses) {
        const bind = new UdpBind(address, udpPortsOf(this.#context), this, this.#context.ownAddresses);
        bind.open(this.#onUnbindable);
        opened.push(bind);
        this.#binds.set(keyOf(address), bind);
      }
    } catch (error) {
      for (const bind of opened) bind.close();
      for (const [key, bind] of [...this.#binds]) if (opened.includes(bind)) this.#binds.delete(key);
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
    return Promise.resolve();
  }

  accept(): void {
    this.isAccepting = true;
    for (const bind of this.#binds.values()) bind.chooseTakers();
  }

  keepOnly(addresses: readonly BindAddress[]): void {
    const kept = new Set(addresses.map(keyOf));
    for (const key of [...this.#binds.keys()]) if (!kept.has(key)) this.#unbind(key);
  }

  isBound(address: BindAddress): boolean {
    return this.#binds.has(keyOf(address));
  }

  /** Sessions take it over with their next datagram. */
  setLive(live: LiveListener): void {
    this.live = live;
    this.isRetired = false;
  }

  retire(): void {
    this.isRetired = true;
    this.isAccepting = false;
    for (const key of [...this.#binds.keys()]) this.#unbind(key);
    for (let i = 0; i < this.#parked.length; i++) this.#drop('draining');
    this.#parked = [];
    for (const session of this.#places.all()) session.retire();
  }

  cut(): void {
    for (const session of this.#places.all()) session.end('shutting-down');
  }

  onNewcomer(local: LocalPort, bytes: Buffer, address: string, port: number): void {
    this.#countIn(bytes);
    if (!this.#begin(local, bytes, address, port, false)) this.#park({ local, bytes, address, port, untilTick: this.#context.wheel.now + PARKED_TICKS });
  }

  /** Its answer would leave from another address than the client asked, so it gets none. */
  onUnlisted(bytes: Buffer): void {
    this.#countIn(bytes);
    this.#isNewAddressSeen = true;
    this.onDrop('unlisted-address');
  }

  onRefusedNewcomer(bytes: Buffer): void {
    this.#countIn(bytes);
    this.#drop('draining');
  }

  onPortError(local: LocalPort, error: Error): void {
    this.#context.log('error', 'a UDP socket failed', { listener: this.name, address: local.host, port: local.port, error: error.message });
  }

  onFault(error: unknown): void {
    this.onDrop('send-failed');
    this.#context.log('error', 'a datagram could not be handled', { listener: this.name, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }

  onFirstAnswer(session: UdpSession): void {
    this.#places.onAnswered(session);
    this.#pipeline.onFirstAnswer(session, this.#context.clock.monotonicMs() - session.startedMs);
  }

  onUse(session: UdpSession, bytes: Buffer | null): boolean {
    session.usedTick = this.#context.wheel.now;
    if (session.live !== this.live) this.#takeOver(session);
    if (bytes === null) this.#pipeline.onAlive(session);
    else if (this.#mustMove(session)) return this.#move(session, bytes);
    this.#places.touch(session);
    return true;
  }

  onFailure(session: UdpSession, error: Error): ErrorCode {
    const code = this.#pipeline.onFailure(session, error);
    if (code === null) this.onDrop('no-socket');
    return code ?? 'connect-failed';
  }

  onDrop(reason: Drop): void {
    this.live.counters[this.live.base + listenerColumns.dropped + DROPS.indexOf(reason)]!++;
  }

  onEnd(session: UdpSession, error: ErrorCode | null): void {
    if (!this.#places.delete(session)) return;
    this.#pipeline.end(session, error);
    this.live.row.addConnections(-1);
    this.live.counters[this.live.base + listenerColumns.connections]!--;
    const local = session.local as LocalPort;
    local.sessions.delete(session.address, session.port);
    local.closeIfIdle();
  }

  tick(): void {
    const wanted = this.live.row.placesWantedHint;
    for (let places = (wanted - this.#seenWanted) >>> 0; places > 0 && this.#places.evictUnanswered(); ) places--;
    this.#seenWanted = wanted;
    if (this.#parked.length > 0) this.#admitParked();
    this.#follow();
  }

  #unbind(key: string): void {
    this.#binds.get(key)?.close();
    this.#binds.delete(key);
  }

  /** Steps 3 to 6 for a client without session. False: all places are taken, and none here is free to take. */
  #begin(local: LocalPort, bytes: Buffer, address: string, port: number, mayEvictAnswered: boolean): boolean {
    const { live } = this;
    const route = this.#pipeline.route(live, address);
    const pool = route?.pool ?? null;
    if (route === null || pool === null) return this.#drop('no-route');
    const index = this.#pipeline.pick(pool, address);
    if (index === -1 || pool.backends[index]!.host === '') return this.#drop('no-backend');
    if (!this.#places.take(live.row, live.spec.limits.connections, mayEvictAnswered)) return false;
    this.#open(local, bytes, address, port, route, pool, index);
    return true;
  }

  /** With a place taken. */
  #open(local: LocalPort, bytes: Buffer, address: string, port: number, route: LiveRoute, pool: LivePool, index: number): void {
    const { live } = this;
    const { wheel, clock } = this.#context;
    const session = new UdpSession(this, local, address, port, pool, index, wheel, clock.monotonicMs());
    if (!this.#pipeline.begin(session, route)) {
      live.row.addConnections(-1);
      this.#drop('no-backend');
      return;
    }
    live.counters[live.base + listenerColumns.connections]!++;
    live.counters[live.base + listenerColumns.connectionsTotal]!++;
    this.#places.add(session);
    local.sessions.add(address, port, session);
    session.start(bytes);
  }

  #park(newcomer: Newcomer): void {
    if (this.#parked.length >= PARKED_MAX) return this.#refuse();
    this.live.row.wantPlace();
    this.#parked.push(newcomer);
  }

  #admitParked(): void {
    const parked = this.#parked;
    this.#parked = [];
    for (const newcomer of parked) {
      const { local, bytes, address, port, untilTick } = newcomer;
      const session = local.sessions.find(address, port);
      // Another datagram of the same client has found a place meanwhile.
      if (session !== null) session.onRequest(bytes);
      else if (local.isClosed) this.#drop('draining');
      else if (!this.#begin(local, bytes, address, port, this.#context.wheel.now >= untilTick)) {
        if (this.#context.wheel.now >= untilTick) this.#refuse();
        else this.#park(newcomer);
      }
    }
  }

  #refuse(): void {
    this.live.counters[this.live.base + listenerColumns.refused + REFUSALS.indexOf('limit')]!++;
    this.#drop('limit');
  }

  /** A later config: limits and timeouts at once; of the pool what it says of this backend now. */
  #takeOver(session: UdpSession): void {
    const place = this.#pipeline.findAgain(this.live, session.pool, session.backend);
    if (place !== null) {
      session.pool = place.pool;
      session.backendIndex = place.index;
    }
    session.setLive(this.live);
  }

  /** Its backend is down and the pool says `close`, or its name has another address. */
  #mustMove(session: UdpSession): boolean {
    const { pool, backend } = session;
    if (backend.named && backend.host !== session.host && backend.host !== '') return true;
    const epoch = pool.row.epochHint;
    if (epoch === session.epoch) return false;
    session.epoch = epoch;
    return pool.spec.onDown === 'close' && backend.row.verdict === 'down';
  }

  /** True: it stays after all, for there is no better backend. */
  #move(session: UdpSession, bytes: Buffer): boolean {
    const { local, address, port, pool, backend } = session;
    const index = this.#pipeline.pick(pool, address);
    if (index === session.backendIndex && backend.host === session.host) return true;
    session.end('backend-gone');
    if (index === -1 || this.isRetired) this.#drop(this.isRetired ? 'draining' : 'no-backend');
    else if (!this.#begin(local as LocalPort, bytes, address, port, true)) this.#refuse();
    return false;
  }

  #countIn(bytes: Buffer): void {
    const { counters, base } = this.live;
    counters[base + listenerColumns.datagramsIn]!++;
    counters[base + listenerColumns.bytesIn]! += bytes.length;
  }

  /** True, so that a step may end with it: the datagram was taken care of. */
  #drop(reason: Drop): true {
    this.onDrop(reason);
    return true;
  }

  #follow(): void {
    const { now } = this.#context.wheel;
    const isAsked = this.#isNewAddressSeen && now >= this.#fruitlessUntilTick;
    if (!isAsked && now < this.#followTick) return;
    this.#followTick = now + FOLLOW_TICKS;
    this.#isNewAddressSeen = false;
    let hasGrown = false;
    for (const bind of this.#binds.values()) if (bind.isWildcard && bind.follow(this.#onUnbindable)) hasGrown = true;
    if (!hasGrown) this.#fruitlessUntilTick = now + FRUITLESS_TICKS;
  }

  /** An address that is still being checked for duplicates cannot be bound yet: no news. */
  readonly #onUnbindable = (host: string, error: unknown): void => {
    if (errorCodeOf(error) !== 'EADDRNOTAVAIL') this.#context.log('error', 'an address of this machine cannot be bound', { listener: this.name, address: host, error: String(error) });
  };
}

function keyOf(address: BindAddress): string {
  return `${address.host ?? '*'} ${address.port}`;
}

export const udpListener: ListenerKind = {
  name: 'udp',
  summary: 'Datagrams, by sessions of client address and port',
  create: (live, _pipeline, context) => new UdpListener(live, new UdpPipeline(context), context),
};
