/**
 * One backend as one worker sees it: its shared row, this worker's counters
 * and its open connections. It lives as long as its identity (pool, address),
 * across reloads, so idle connections and counts do too.
 */
import type { ErrorCode } from '../../base/errors.ts';
import { formatAddress } from '../../net/address.ts';
import type { SecureDial } from '../../net/secure-dial.ts';
import type { BackendRow } from '../../shared/backend-table.ts';
import { backendColumns } from '../../shared/counter-pages.ts';
import type { BackendSpec, PoolSpec } from '../../shared/snapshot.ts';
import { AgeList, type Aged } from '../../base/age-list.ts';
import type { TimerWheel } from '../../base/timer-wheel.ts';
import type { BackendConnection } from './connection-owner.ts';
import { Http1Connection } from './http1-connection.ts';
import { Http2Connections } from './http2-connections.ts';
import { TcpConnection, type TcpConnectionOwner } from './tcp-connection.ts';

/** After a worker met the limit, so many ticks pass in which no connection is kept at rest: other workers may need its place sooner. */
const SCARCE_TICKS = 10;

export interface ConnectSpec {
  readonly perBackend: number;
  readonly connectTimeoutMs: number;
  readonly idleMs: number;
}

/** Takes a place among a backend's connections with a socket of its own. */
export interface Guest extends Aged<Guest> {
  /** Its backend left the config some time ago. */
  cut(): void;
}

export class Backend {
  /** As written; the label in logs. */
  readonly address: string;
  readonly rowNumber: number;
  readonly row: BackendRow;
  /** This worker's page and the index of its first cell (backendColumns). */
  readonly counters: Float64Array;
  readonly base: number;
  readonly named: boolean;
  readonly port: number;
  /** Name or address as written, without port: what its certificate is held to. */
  readonly name: string;
  /** The latest that a handshake can take up; of the terms of now. */
  tlsSession: Buffer | null = null;
  #secure: SecureDial | null;
  #host: string;
  #hostVersion = 0;
  #connect: ConnectSpec;
  readonly #wheel: TimerWheel;
  /** Last in, first out: the warmest connection serves next and surplus ones age out. */
  readonly #idle: Http1Connection[] = [];
  readonly #open = new AgeList<Http1Connection>();
  /** Those of HTTP/2, while the pool speaks it. */
  #http2: Http2Connections | null = null;
  /** Made with the first one. */
  #tcp: AgeList<TcpConnection> | null = null;
  readonly #guests = new AgeList<Guest>();
  #isRemoved = false;
  #wasDown = false;
  #seenWanted: number;
  #scarceUntilTick = 0;

  constructor(spec: BackendSpec, rowNumber: number, row: BackendRow, counters: { cells: Float64Array; base: number }, connect: ConnectSpec, wheel: TimerWheel, secure: SecureDial | null = null) {
    this.address = spec.address;
    this.rowNumber = rowNumber;
    this.row = row;
    this.counters = counters.cells;
    this.base = counters.base;
    this.named = spec.named;
    this.port = spec.port;
    this.name = spec.host;
    this.#secure = secure;
    this.#host = spec.named ? '' : spec.host;
    this.#connect = connect;
    this.#wheel = wheel;
    this.#seenWanted = row.placesWantedHint;
  }

  /** A reload changed its pool's connection settings, or what is spoken over them. Of other terms of TLS nothing that was made under the former serves again. */
  setConnect(connect: ConnectSpec, protocol: PoolSpec['protocol'], secure: SecureDial | null): void {
    this.#connect = connect;
    if (protocol === 'http1') {
      this.#http2?.leave();
      this.#http2 = null;
    } else if (this.#http2 === null) {
      this.#closeIdle(this.#idle.length);
      this.#http2 = new Http2Connections(this, connect.idleMs, this.#wheel);
    } else this.#http2.idleMs = connect.idleMs;
    if (secure === this.#secure) return;
    this.#secure = secure;
    this.tlsSession = null;
    this.#closeIdle(this.#idle.length);
    for (const connection of this.#open) connection.mustClose = true;
    this.#http2?.leave();
  }

  get openConnections(): number {
    return this.#open.size + (this.#tcp?.size ?? 0) + (this.#http2?.size ?? 0);
  }

  /** Something holds one of its places here. */
  get isHeld(): boolean {
    return this.openConnections + this.#guests.size > 0;
  }

  /**
   * No connection at rest, and none may be opened (limits hold over all
   * workers). Then the others are told: what fills it may be at rest there.
   */
  refusesAnother(): boolean {
    const { perBackend } = this.#connect;
    if (perBackend === 0 || this.#idle.length > 0 || this.row.connections < perBackend || this.#http2?.hasRoom === true) return false;
    this.row.wantPlace();
    return true;
  }

  /** Lets go of as many connections at rest as places were wanted since the last call, the oldest first. Some times a second, if there is a limit. */
  yieldPlaces(): void {
    const wanted = this.row.placesWantedHint;
    if (wanted === this.#seenWanted) return;
    const places = (wanted - this.#seenWanted) >>> 0;
    this.#seenWanted = wanted;
    this.#scarceUntilTick = this.#wheel.now + SCARCE_TICKS;
    this.#closeIdle(places);
  }

  /** A connection at rest, or a place on a shared one; null: there is none. */
  takeIdle(): BackendConnection | null {
    if (this.#http2 !== null) return this.#http2.take();
    while (true) {
      const connection = this.#idle.pop();
      if (connection === undefined) return null;
      this.counters[this.base + backendColumns.connectionsIdle]!--;
      if (connection.isReusable) {
        connection.deadlineTick = 0;
        return connection;
      }
      connection.destroy();
    }
  }

  /** A new connection, still connecting; null at the limit or while its name has no address. */
  open(): BackendConnection | null {
    const host = this.#takePlace();
    if (host === '') return null;
    if (this.#http2 !== null) return this.#http2.open(host, this.port, this.#connect.connectTimeoutMs, this.#secure);
    const connection = new Http1Connection(this, host, this.port, this.#connect.connectTimeoutMs, this.#wheel, this.#secure);
    this.#open.add(connection);
    return connection;
  }

  /** The same for a relay of bytes. `owner` is told of the connect, and watches its time: `connectTimeoutMs`. */
  openTcp(owner: TcpConnectionOwner): TcpConnection | null {
    const host = this.#takePlace();
    if (host === '') return null;
    const connection = new TcpConnection(this, host, this.port, owner, this.#secure);
    (this.#tcp ??= new AgeList()).add(connection);
    return connection;
  }

  get connectTimeoutMs(): number {
    return this.#connect.connectTimeoutMs;
  }

  /** Where to dial, one of the places of all workers taken; '' if there is none of either. */
  #takePlace(): string {
    const host = this.#dialHost();
    if (host === '') return '';
    if (!this.row.takeConnection(this.#connect.perBackend)) {
      this.row.wantPlace();
      return '';
    }
    this.counters[this.base + backendColumns.connections]!++;
    return host;
  }

  /** Where it is reached now; '' while its name has no address. */
  get host(): string {
    return this.#dialHost();
  }

  /** False at the limit, or while its name has no address. */
  admit(guest: Guest): boolean {
    if (this.#takePlace() === '') return false;
    this.#guests.add(guest);
    return true;
  }

  dismiss(guest: Guest): void {
    if (this.#guests.delete(guest)) this.#givePlaceBack();
  }

  /** An exchange is done with it. At a limit its place is given back, so that another worker may take it. */
  release(connection: Http1Connection): void {
    const { idleMs } = this.#connect;
    if (this.#isRemoved || this.#isScarce()) connection.mustClose = true;
    connection.release();
    if (!connection.isReusable) return;
    this.#wheel.set(connection, idleMs);
    this.#idle.push(connection);
    this.counters[this.base + backendColumns.connectionsIdle]!++;
  }

  onHttp2Idle(change: number): void {
    this.counters[this.base + backendColumns.connectionsIdle]! += change;
  }

  /** Once for each: its socket is closed. */
  onHttp2Closed(): void {
    this.#givePlaceBack();
  }

  onTcpClosed(connection: TcpConnection): void {
    if (this.#tcp!.delete(connection)) this.#givePlaceBack();
  }

  #givePlaceBack(): void {
    this.row.releaseConnections(1);
    this.counters[this.base + backendColumns.connections]!--;
  }

  onConnectionClosed(connection: Http1Connection): void {
    if (!this.#open.delete(connection)) return;
    this.#givePlaceBack();
    const at = this.#idle.indexOf(connection);
    if (at === -1) return;
    this.#idle.splice(at, 1);
    this.counters[this.base + backendColumns.connectionsIdle]!--;
  }

  countSent(bytes: number): void {
    this.counters[this.base + backendColumns.bytesToBackend]! += bytes;
  }

  countReceived(bytes: number): void {
    this.counters[this.base + backendColumns.bytesFromBackend]! += bytes;
  }

  /** No longer in the config: nothing new, idle connections closed; `cut` ends the rest. */
  remove(): void {
    this.#isRemoved = true;
    this.#closeIdle(this.#idle.length);
    this.#http2?.leave();
  }

  /** It came back with a later config. */
  restore(): void {
    this.#isRemoved = false;
  }

  /** Its role pool serves another: whatever is open, at rest or not, ends now. */
  sever(): void {
    this.#closeIdle(this.#idle.length);
    for (const connection of [...this.#open]) connection.cut('the pool serves another primary');
    this.#http2?.cut('the pool serves another primary');
    for (const guest of [...this.#guests]) guest.cut();
    this.cutTcp('backend-gone');
  }

  /** Ends what still runs, some time after `remove`. */
  cut(): void {
    if (!this.#isRemoved) return;
    for (const connection of [...this.#open]) connection.cut('the backend was removed');
    this.#http2?.cut('the backend was removed');
    this.cutTcp('backend-gone');
    for (const guest of [...this.#guests]) guest.cut();
  }

  /** Resets its relays of bytes, on both sides: it must not be spoken to any more. */
  cutTcp(reason: ErrorCode): void {
    for (const connection of [...(this.#tcp ?? [])]) connection.cut(reason);
  }

  /** Cuts its relays if its verdict went down since the last call. Those made since then, while the pool panics, stay. */
  cutTcpOnceDown(): void {
    const isDown = this.row.verdict === 'down';
    if (isDown && !this.#wasDown) this.cutTcp('backend-gone');
    this.#wasDown = isDown;
  }

  #isScarce(): boolean {
    const { perBackend } = this.#connect;
    if (perBackend === 0) return false;
    this.yieldPlaces();
    return this.#wheel.now < this.#scarceUntilTick || this.row.connections >= perBackend;
  }

  #closeIdle(count: number): void {
    this.#http2?.closeIdle(count);
    for (const connection of this.#idle.splice(0, count)) {
      this.counters[this.base + backendColumns.connectionsIdle]!--;
      connection.destroy();
    }
  }

  #dialHost(): string {
    if (!this.named) return this.#host;
    const version = this.row.addressVersion;
    if (version !== this.#hostVersion) {
      const bytes = this.row.loadAddress();
      this.#host = bytes === null ? '' : formatAddress(bytes);
      this.#hostVersion = version;
    }
    return this.#host;
  }
}
