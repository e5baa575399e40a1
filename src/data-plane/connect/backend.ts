/**
 * One backend as one worker sees it: its shared row, this worker's counters
 * and its open connections. It lives as long as its identity (pool, address),
 * across reloads, so idle connections and counts do too.
 */
import { formatAddress } from '../../net/address.ts';
import type { BackendRow } from '../../shared/backend-table.ts';
import { backendColumns } from '../../shared/counter-pages.ts';
import type { BackendSpec } from '../../shared/snapshot.ts';
import type { TimerWheel } from '../../base/timer-wheel.ts';
import { Http1Connection } from './http1-connection.ts';

export interface ConnectSpec {
  readonly perBackend: number;
  readonly connectTimeoutMs: number;
  readonly idleMs: number;
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
  #host: string;
  #hostVersion = 0;
  #connect: ConnectSpec;
  readonly #wheel: TimerWheel;
  /** Last in, first out: the warmest connection serves next and surplus ones age out. */
  readonly #idle: Http1Connection[] = [];
  readonly #open = new Set<Http1Connection>();
  #isRemoved = false;

  constructor(spec: BackendSpec, rowNumber: number, row: BackendRow, counters: { cells: Float64Array; base: number }, connect: ConnectSpec, wheel: TimerWheel) {
    this.address = spec.address;
    this.rowNumber = rowNumber;
    this.row = row;
    this.counters = counters.cells;
    this.base = counters.base;
    this.named = spec.named;
    this.port = spec.port;
    this.#host = spec.named ? '' : spec.host;
    this.#connect = connect;
    this.#wheel = wheel;
  }

  /** A reload changed its pool's connection settings. */
  setConnect(connect: ConnectSpec): void {
    this.#connect = connect;
  }

  get openConnections(): number {
    return this.#open.size;
  }

  /** Full: no connection at rest, and none may be opened (limits hold over all workers). */
  get isFull(): boolean {
    return this.#connect.perBackend !== 0 && this.#idle.length === 0 && this.row.connections >= this.#connect.perBackend;
  }

  /** A connection at rest, or null. */
  takeIdle(): Http1Connection | null {
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
  open(): Http1Connection | null {
    const host = this.#dialHost();
    if (host === '' || !this.row.takeConnection(this.#connect.perBackend)) return null;
    this.counters[this.base + backendColumns.connections]!++;
    const connection = new Http1Connection(this, host, this.port, this.#connect.connectTimeoutMs, this.#wheel);
    this.#open.add(connection);
    return connection;
  }

  /** An exchange is done with it. At a limit the last place is given back, so that another worker may take it. */
  release(connection: Http1Connection): void {
    const { perBackend, idleMs } = this.#connect;
    if (this.#isRemoved || (perBackend !== 0 && this.row.connections >= perBackend)) connection.mustClose = true;
    connection.release();
    if (!connection.isReusable) return;
    this.#wheel.set(connection, idleMs);
    this.#idle.push(connection);
    this.counters[this.base + backendColumns.connectionsIdle]!++;
  }

  onConnectionClosed(connection: Http1Connection): void {
    if (!this.#open.delete(connection)) return;
    this.row.releaseConnections(1);
    this.counters[this.base + backendColumns.connections]!--;
    const at = this.#idle.indexOf(connection);
    if (at === -1) return;
    this.#idle.splice(at, 1);
    this.counters[this.base + backendColumns.connectionsIdle]!--;
  }

  /** No longer in the config: nothing new, idle connections closed; `cut` ends the rest. */
  remove(): void {
    this.#isRemoved = true;
    for (const connection of this.#idle.splice(0)) {
      this.counters[this.base + backendColumns.connectionsIdle]!--;
      connection.destroy();
    }
  }

  /** It came back with a later config. */
  restore(): void {
    this.#isRemoved = false;
  }

  /** Ends what still runs, some time after `remove`. */
  cut(): void {
    if (!this.#isRemoved) return;
    for (const connection of this.#open) connection.cut();
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
