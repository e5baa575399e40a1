/**
 * One client (address and port, at one address of ours) and the backend its
 * datagrams go to. The session has a socket of its own, connected to that
 * backend: the kernel takes answers from nobody else, and tells of a refusal.
 * What the backend answers leaves from the address the client asked, and
 * nothing else is ever sent to a client.
 *
 * Owned by its listener, which begins it with a place taken and a backend
 * picked, and hears of its end exactly once.
 */
import type { Socket } from 'node:dgram';
import type { Aged } from '../../base/age-list.ts';
import { Deadline, type TimerWheel } from '../../base/timer-wheel.ts';
import type { ErrorCode } from '../../base/errors.ts';
import { errorCodeOf } from '../../net/dial.ts';
import { connectUdp, fitsDatagram } from '../../net/udp-socket.ts';
import { listenerColumns, type Drop } from '../../shared/counter-pages.ts';
import type { Backend, Guest } from '../connect/backend.ts';
import type { LiveListener } from '../live/live-listener.ts';
import type { LivePool } from '../live/live-pool.ts';

/** The kernel takes a datagram at once or, its buffer full, not yet: no more than this waits for it in a socket. */
const QUEUED_BYTES_MAX = 256 * 1024;

/**
 * A refusal may reach us as the failure of the next send, which is told to a
 * callback alone; a callback costs as much as a tenth of the send. While the
 * backend answers there is nothing to be told. Of unanswered datagrams in a row
 * the second asks, and then one of so many.
 */
const ASKING = 16;

/** After `retire` a session ends once silent for this long: nothing is owed, or an answer is. */
const RETIRED_QUIET_MS = 1000;
const RETIRED_OWED_MS = 5000;

/** The socket that the client sent to. */
export interface ClientSide {
  readonly socket: Socket;
}

export interface SessionOwner {
  readonly live: LiveListener;
  /** Nothing new is begun: sessions end as soon as they are quiet. */
  readonly isRetired: boolean;
  /** The first answer came, `afterMs` after the session began. */
  onFirstAnswer(session: UdpSession): void;
  /** It was used: told once a tick. False: it has ended and this datagram was taken care of. */
  onUse(session: UdpSession, bytes: Buffer | null): boolean;
  /** What the session ends with. */
  onFailure(session: UdpSession, error: Error): ErrorCode;
  onDrop(reason: Drop): void;
  /** A bug of ours, met with an answer: it must not end the worker. */
  onFault(error: unknown): void;
  onEnd(session: UdpSession, error: ErrorCode | null): void;
}

/** Its place among the backend's connections. */
class Place implements Guest {
  older: Guest | null = null;
  newer: Guest | null = null;
  readonly #session: UdpSession;

  constructor(session: UdpSession) {
    this.#session = session;
  }

  cut(): void {
    this.#session.end('backend-gone');
  }
}

export class UdpSession extends Deadline implements Aged<UdpSession> {
  older: UdpSession | null = null;
  newer: UdpSession | null = null;
  readonly address: string;
  readonly port: number;
  readonly local: ClientSide;
  readonly place: Guest;
  readonly backend: Backend;
  readonly startedMs: number;
  /** Where the backend was when this began. */
  readonly host: string;
  /** Of the snapshot that this session was last held to; the same pool and backend throughout. */
  live: LiveListener;
  pool: LivePool;
  backendIndex: number;
  /** The pool's epoch when the backend was last looked at. */
  epoch: number;
  hasAnswered = false;
  isEnded = false;
  /** Of the route that took it; '' and null until then. */
  routeName = '';
  routeCounters: Float64Array | null = null;
  routeBase = 0;
  /** Of all datagrams from the client, and to it. */
  bytesIn = 0;
  bytesOut = 0;
  /** From its begin to the first answer; negative: none came. */
  answerMs = -1;
  /** Tick of the last datagram, either way. */
  usedTick: number;
  readonly #owner: SessionOwner;
  readonly #wheel: TimerWheel;
  #socket: Socket | null = null;
  #requests = 0;
  #answers = 0;
  /** Datagrams since the last answer. */
  #unanswered = 0;
  #idleMs = 0;
  readonly #onSent: (error: Error | null) => void;

  constructor(owner: SessionOwner, local: ClientSide, address: string, port: number, pool: LivePool, backendIndex: number, wheel: TimerWheel, startedMs: number) {
    super();
    this.#owner = owner;
    this.#wheel = wheel;
    this.local = local;
    this.address = address;
    this.port = port;
    this.live = owner.live;
    this.pool = pool;
    this.backendIndex = backendIndex;
    this.backend = pool.backends[backendIndex]!;
    this.host = this.backend.host;
    this.epoch = pool.row.epoch;
    this.usedTick = wheel.now;
    this.startedMs = startedMs;
    this.place = new Place(this);
    this.#idleMs = owner.live.spec.timeouts.idleMs;
    this.#onSent = (error) => {
      if (error !== null) this.#onSendError(error);
    };
  }

  /** Opens the socket and sends the first datagram. Whatever fails ends the session. */
  start(bytes: Buffer): void {
    try {
      this.#socket = connectUdp(this.host, this.backend.port, (answer) => this.#onMessage(answer), (error) => this.#onError(error));
    } catch (error) {
      return this.#onError(error as Error);
    }
    this.#wheel.set(this, this.#idleMs);
    try {
      this.#send(this.#socket, bytes);
    } catch (error) {
      // A connect that failed (no route, say) leaves a socket that wants a port; its 'error' is on the way, and ends the session.
      if (errorCodeOf(error) !== 'ERR_SOCKET_BAD_PORT') throw error;
    }
  }

  /** A further datagram of the client. */
  onRequest(bytes: Buffer): void {
    const { live } = this;
    live.counters[live.base + listenerColumns.datagramsIn]!++;
    live.counters[live.base + listenerColumns.bytesIn]! += bytes.length;
    if (this.usedTick !== this.#wheel.now && !this.#owner.onUse(this, bytes)) return;
    this.#wheel.set(this, this.#idleMs);
    this.#send(this.#socket!, bytes);
  }

  /** The listener has another config, or goes. */
  setLive(live: LiveListener): void {
    this.live = live;
    this.#rest();
  }

  /** Nothing new is begun any more: it ends as soon as it is quiet. */
  retire(): void {
    this.#rest();
  }

  /** Silence is how a session ends in order, unless it is said how many answers there are to be. */
  override onDeadline(): void {
    const { responsesMax } = this.live.spec.limits;
    this.end(responsesMax !== 0 && this.#answers < responsesMax * this.#requests ? 'response-timeout' : null);
  }

  /** Null: it came to its end in order. */
  end(error: ErrorCode | null): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.#wheel.forget(this);
    this.#closeSocket();
    this.#owner.onEnd(this, error);
  }

  #rest(): void {
    const { idleMs } = this.live.spec.timeouts;
    const quietMs = this.#unanswered > 0 ? RETIRED_OWED_MS : RETIRED_QUIET_MS;
    if (!this.#owner.isRetired) this.#idleMs = idleMs;
    else this.#idleMs = idleMs === 0 ? quietMs : Math.min(idleMs, quietMs);
    this.#wheel.set(this, this.#idleMs);
  }

  #send(socket: Socket, bytes: Buffer): void {
    if (!fitsDatagram(bytes, this.host)) return this.#owner.onDrop('too-large');
    // What is answered was sent.
    if (this.#unanswered > 0 && socket.getSendQueueSize() > QUEUED_BYTES_MAX) return this.#owner.onDrop('queue-full');
    const unanswered = this.#unanswered++;
    this.#requests++;
    this.bytesIn += bytes.length;
    if (unanswered % ASKING === 1) socket.send(bytes, this.#onSent);
    else socket.send(bytes);
    this.backend.countSent(bytes.length);
  }

  #onMessage(bytes: Buffer): void {
    try {
      if (!this.isEnded) this.#onAnswer(bytes);
    } catch (error) {
      this.#owner.onFault(error);
      this.end('internal');
    }
  }

  #onAnswer(bytes: Buffer): void {
    const { live, local } = this;
    this.backend.countReceived(bytes.length);
    this.#answers++;
    this.#unanswered = 0;
    if (!this.hasAnswered) {
      this.hasAnswered = true;
      this.#owner.onFirstAnswer(this);
    }
    if (this.usedTick !== this.#wheel.now) this.#owner.onUse(this, null);
    if (this.#owner.isRetired) this.#rest();
    else this.#wheel.set(this, this.#idleMs);
    if (!fitsDatagram(bytes, this.address)) this.#owner.onDrop('too-large');
    else if (local.socket.getSendQueueSize() > QUEUED_BYTES_MAX) this.#owner.onDrop('queue-full');
    else {
      local.socket.send(bytes, this.port, this.address);
      live.counters[live.base + listenerColumns.datagramsOut]!++;
      live.counters[live.base + listenerColumns.bytesOut]! += bytes.length;
      this.bytesOut += bytes.length;
    }
    const { responsesMax } = live.spec.limits;
    if (responsesMax !== 0 && this.#answers >= responsesMax * this.#requests) this.end(null);
  }

  #onError(error: Error): void {
    if (this.isEnded) return;
    this.end(this.#owner.onFailure(this, error));
  }

  #onSendError(error: Error): void {
    if (this.isEnded) return;
    const code = errorCodeOf(error);
    if (code === 'EMSGSIZE') this.#owner.onDrop('too-large');
    else if (code === 'ENOBUFS' || code === 'ENOMEM' || code === 'EAGAIN') this.#owner.onDrop('send-failed');
    else this.#onError(error);
  }

  #closeSocket(): void {
    const socket = this.#socket;
    if (socket === null) return;
    this.#socket = null;
    socket.close();
  }
}
