/**
 * The HTTP/2 connections of one worker to one backend: as few as the backend's
 * limit of streams allows. Another is opened when none has room, and let go
 * when it has rested for the pool's `idle`.
 */
import { AgeList } from '../../base/age-list.ts';
import type { TimerWheel } from '../../base/timer-wheel.ts';
import type { SecureDial } from '../../net/secure-dial.ts';
import type { Backend } from './backend.ts';
import { Http2Connection, type Http2ConnectionKeeper } from './http2-connection.ts';
import type { Http2Request } from './http2-request.ts';

export class Http2Connections implements Http2ConnectionKeeper {
  idleMs: number;
  readonly #backend: Backend;
  readonly #wheel: TimerWheel;
  readonly #open = new AgeList<Http2Connection>();
  /** Had room when it was last asked; looked at first. */
  #roomy: Http2Connection | null = null;
  /** What the backend last said. */
  #streamsMax = Infinity;
  #idle = 0;

  constructor(backend: Backend, idleMs: number, wheel: TimerWheel) {
    this.#backend = backend;
    this.idleMs = idleMs;
    this.#wheel = wheel;
  }

  get size(): number {
    return this.#open.size;
  }

  get idle(): number {
    return this.#idle;
  }

  /** A stream of a connection that is there; null: none has room. The oldest first but for the one used last, so that others come to rest. */
  take(): Http2Request | null {
    if (this.#roomy?.hasRoom !== true) this.#roomy = this.#firstRoomy();
    return this.#roomy === null ? null : this.#roomy.request();
  }

  #firstRoomy(): Http2Connection | null {
    for (const connection of this.#open) if (connection.hasRoom) return connection;
    return null;
  }

  get hasRoom(): boolean {
    return this.#firstRoomy() !== null;
  }

  /** A stream of a new connection, whose place was taken. */
  open(host: string, port: number, connectTimeoutMs: number, secure: SecureDial | null): Http2Request {
    const connection = new Http2Connection(this.#backend, host, port, connectTimeoutMs, this.#streamsMax, this.#wheel, this, secure);
    this.#open.add(connection);
    return connection.request();
  }

  onIdle(): void {
    this.#idle++;
    this.#backend.onHttp2Idle(1);
  }

  onBusy(): void {
    this.#idle--;
    this.#backend.onHttp2Idle(-1);
  }

  onStreamsMax(streamsMax: number): void {
    this.#streamsMax = streamsMax;
  }

  onClosed(connection: Http2Connection): void {
    this.#open.delete(connection);
    if (this.#roomy === connection) this.#roomy = null;
    if (!connection.isIdle) return;
    connection.isIdle = false;
    this.onBusy();
  }

  /** Closes up to `count` that rest. */
  closeIdle(count: number): void {
    let left = count;
    for (const connection of [...this.#open]) if (connection.isIdle && left-- > 0) connection.close();
  }

  /** Nothing new; each is closed when its last stream is over. */
  leave(): void {
    for (const connection of [...this.#open]) connection.leave();
  }

  cut(why: string): void {
    for (const connection of [...this.#open]) connection.cut(why);
  }
}
