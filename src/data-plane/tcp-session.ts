/**
 * One tcp connection of a client, and the connection to a backend it is joined
 * with: what the pipeline routes, balances, counts and logs. It keeps the time
 * of both, and ends both at once. Made by the listener for each connection;
 * what it needs of the config it takes when it begins, so a reload concerns
 * the next connection, and no former config lives as long as this does.
 */
import type { Socket } from 'node:net';
import { Deadline, TICK_MS } from '../base/timer-wheel.ts';
import type { ErrorCode } from '../base/errors.ts';
import { plainAddress } from '../net/address.ts';
import type { ProxyEnds, ProxyHeader } from '../net/proxy-header.ts';
import type { ProxyExtras, ProxyVersion } from '../net/proxy-protocol.ts';
import { tlsFailureText } from '../net/tls-failure.ts';
import { listenerColumns } from '../shared/counter-pages.ts';
import type { Backend } from './connect/backend.ts';
import type { TcpConnection, TcpConnectionOwner } from './connect/tcp-connection.ts';
import { refuseConnection } from './listen/refuse-connection.ts';
import { openingOf, type OpeningOwner, type OpeningRefusal, type TcpOpening } from './listen/tcp-opening.ts';
import type { AdmittedClient, SocketListener } from './listen/socket-listener.ts';
import type { Secured } from './listen/tls-opening.ts';
import type { LivePool } from './live/live-pool.ts';
import type { WorkerContext } from './live/worker-context.ts';
import type { ClientHello } from './parse/client-hello.ts';
import { sessionGreeting } from './relay/proxy-greeting.ts';
import { nextId } from './relay/request-id.ts';
import { RelayEnd } from './relay/tcp-relay.ts';
import type { TcpPipeline } from './tcp-pipeline.ts';

/** A connection this old is asked by the kernel whether its peer lives; shorter ones are spared the system calls. */
const KEEP_ALIVE_AFTER_TICKS = 10_000 / TICK_MS;
/** Silence before the first such question. */
const KEEP_ALIVE_DELAY_MS = 60_000;

const NO_EXTRAS: ProxyExtras = {};

const S = { fresh: 0, opening: 1, connecting: 2, relaying: 3, closed: 4 } as const;

export class TcpSession extends Deadline implements AdmittedClient<TcpSession>, TcpConnectionOwner, OpeningOwner {
  older: TcpSession | null = null;
  newer: TcpSession | null = null;
  readonly listener: SocketListener<TcpSession>;
  readonly localPort: number;
  readonly client: RelayEnd;
  /** The same, if something must be known of the connection before it is routed. */
  readonly #opening: TcpOpening | null = null;
  readonly #socket: Socket;
  readonly #pipeline: TcpPipeline;
  readonly #context: WorkerContext;
  #state: number = S.fresh;
  #clientAddress = '';
  #ends: ProxyEnds | null = null;
  /** Read, because its route depends on it. */
  hello: ClientHello | null = null;
  /** What a PROXY header said besides, for the one that goes to the backend. */
  extras: ProxyExtras = NO_EXTRAS;
  /** The wheel's tick at which a byte last came, in either direction. */
  #activeTick = 0;
  #idleTicks = 0;
  #hasKeepAlive = false;
  /** The backend has sent a byte, or ended as it should. */
  #hasAnswered = false;

  // What the pipeline decided; the pool until the backend's first byte, or until it has been silent for some seconds.
  pool: LivePool | null = null;
  backend: Backend | null = null;
  /** Index of the backend in its pool's file order. */
  backendIndex = -1;
  keyHash = 0;
  attempts = 0;
  /** Indexes of backends that were tried and failed; null until one did. */
  tried: number[] | null = null;
  connection: TcpConnection | null = null;

  // What came of it.
  routeName = '';
  routeCounters: Float64Array | null = null;
  routeBase = 0;
  poolName = '';
  startedMs = 0;
  attemptStartedMs = 0;
  /** How long the connect took. */
  connectMs = 0;
  bytesIn = 0;
  bytesOut = 0;
  error: ErrorCode | null = null;
  /** As the backend was told it; '' if it was not. */
  uniqueId = '';

  constructor(socket: Socket, localPort: number, listener: SocketListener<TcpSession>, pipeline: TcpPipeline, context: WorkerContext, secured: Secured | null = null) {
    super();
    this.#socket = socket;
    this.localPort = localPort;
    this.listener = listener;
    this.#pipeline = pipeline;
    this.#context = context;
    if (secured === null) this.#opening = openingOf(socket, listener.live, this);
    else this.#takeSecured(secured);
    this.client = this.#opening ?? new RelayEnd(socket, this);
  }

  /** TLS has ended here: what was read for it is known already. */
  #takeSecured({ hello, ends }: Secured): void {
    this.hello = hello;
    this.#ends = ends;
    if (ends !== null) this.#clientAddress = ends.sourceAddress;
  }

  /** Who is at the two ends of the client's connection; null: it is gone. */
  get ends(): ProxyEnds | null {
    if (this.#ends !== null) return this.#ends;
    const { remoteAddress, remotePort, localAddress, localPort } = this.#socket;
    if (remoteAddress === undefined || localAddress === undefined) return null;
    return { sourceAddress: remoteAddress, sourcePort: remotePort!, destinationAddress: localAddress, destinationPort: localPort! };
  }

  /** Asked of the socket when first wanted: a system call. */
  get clientAddress(): string {
    if (this.#clientAddress === '') this.#clientAddress = plainAddress(this.#socket.remoteAddress ?? '');
    return this.#clientAddress;
  }

  /** It has its place: the story begins. */
  begin(): void {
    const { wheel } = this.#context;
    this.#activeTick = wheel.now;
    this.#idleTicks = Math.ceil(this.listener.live.spec.timeouts.idleMs / TICK_MS);
    if (this.#opening !== null) return this.#open(this.#opening);
    this.client.begin();
    if (this.#state === S.fresh) this.#pipeline.begin(this);
  }

  #open(opening: TcpOpening): void {
    this.#state = S.opening;
    this.#context.wheel.set(this, this.listener.live.spec.timeouts.headerMs);
    this.#pipeline.note(this);
    opening.begin();
  }

  onProxyHeader({ isLocal, sourceAddress, sourcePort, destinationAddress, destinationPort, authority, alpn, uniqueId }: ProxyHeader, bytes: number): void {
    const { counters, base } = this.listener.live;
    counters[base + listenerColumns.bytesIn]! += bytes;
    if (!isLocal) {
      this.#ends = { sourceAddress, sourcePort, destinationAddress, destinationPort };
      this.#clientAddress = sourceAddress;
    }
    this.extras = { ...(authority === null ? {} : { authority: Buffer.from(authority) }), ...(alpn === null ? {} : { alpn: Buffer.from(alpn) }), ...(uniqueId === null ? {} : { uniqueId: Buffer.from(uniqueId) }) };
  }

  needsHello(): boolean {
    return this.#pipeline.needsHello(this);
  }

  onOpened(hello: ClientHello | null): void {
    if (this.#state !== S.opening) return;
    this.#state = S.fresh;
    this.#context.wheel.clear(this);
    this.hello = hello;
    this.#pipeline.route(this);
  }

  onRefused(reason: OpeningRefusal, detail: string): void {
    if (this.#state !== S.opening) return;
    refuseConnection(this.listener.live, this.#context, reason, this.clientAddress, detail);
    this.end(reason === 'proxy-header' ? 'proxy-header-refused' : 'client-hello-refused');
  }

  onUnused(): void {
    this.end('client-aborted');
  }

  /** The pipeline has opened `connection`, which has `withinMs` to connect. */
  await(connection: TcpConnection, withinMs: number): void {
    this.#state = S.connecting;
    this.connection = connection;
    const { greeting } = this.pool!;
    if (greeting !== null && connection.hasTls) connection.greet(this.#greetingOf(greeting));
    this.#context.wheel.set(this, withinMs);
  }

  onConnected(): void {
    if (this.#state === S.connecting) this.#pipeline.onConnected(this);
  }

  /** Both ends are there: bytes go over from now on, those that came meanwhile first. */
  relay(): void {
    const { wheel } = this.#context;
    this.#state = S.relaying;
    this.#activeTick = wheel.now;
    this.backend!.countSent(this.bytesIn);
    const { greeting } = this.pool!;
    // With the client's first bytes, in one write.
    if (greeting !== null && !this.connection!.hasTls) this.#greet(this.#greetingOf(greeting));
    wheel.setTick(this, wheel.now + 1 + (this.#idleTicks === 0 ? KEEP_ALIVE_AFTER_TICKS : Math.min(this.#idleTicks, KEEP_ALIVE_AFTER_TICKS)));
    this.client.join(this.connection!);
  }

  #greetingOf(version: ProxyVersion): Buffer {
    const id = version === 'v1' ? null : (this.extras.uniqueId ?? nextId());
    if (id !== null) this.uniqueId = Buffer.from(id).toString('latin1');
    return sessionGreeting(version, this, id);
  }

  #greet(header: Buffer): void {
    this.backend!.countSent(header.length);
    this.client.putFirst(header);
  }

  onRelayed(from: RelayEnd, count: number): void {
    const { counters, base } = this.listener.live;
    this.#activeTick = this.#context.wheel.now;
    if (from === this.client) {
      counters[base + listenerColumns.bytesIn]! += count;
      this.bytesIn += count;
      if (this.#state === S.relaying) this.backend!.countSent(count);
      return;
    }
    counters[base + listenerColumns.bytesOut]! += count;
    this.bytesOut += count;
    this.backend!.countReceived(count);
    if (!this.#hasAnswered) this.#answered();
  }

  #answered(): void {
    this.#hasAnswered = true;
    this.#pipeline.onAnswer(this);
  }

  onRelayEnded(): void {
    if (!this.#hasAnswered) this.#answered();
    this.end(null);
  }

  onEndFailed(end: RelayEnd, error: NodeJS.ErrnoException | null): void {
    if (this.#state === S.closed) return;
    if (end === this.client) return this.#reset(end, this.connection, 'client-aborted');
    if (end !== this.connection) return;
    const cause = error?.code ?? 'closed';
    if (this.#state === S.connecting) return this.#failConnect(error, cause);
    if (!this.#hasAnswered) this.#pipeline.onLost(this, cause);
    this.#reset(end, this.client, this.#hasAnswered ? 'response-incomplete' : 'connection-lost');
  }

  #failConnect(error: Error | null, cause: string): void {
    const tlsFailure = tlsFailureText(error, cause);
    if (tlsFailure !== null) return this.#pipeline.onConnectFailed(this, 'backend-tls-failed', tlsFailure);
    this.#pipeline.onConnectFailed(this, cause === 'ECONNREFUSED' ? 'connect-refused' : 'connect-failed', cause);
  }

  /** `failed` was reset, or cannot go on: the other peer is to know the difference to an end. */
  #reset(failed: RelayEnd, other: RelayEnd | null, code: ErrorCode): void {
    this.#over();
    failed.close();
    other?.reset();
    this.#pipeline.finish(this, code);
  }

  onBug(error: unknown): void {
    this.#context.log('error', 'a bug: the connection was closed', { listener: this.listener.name, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    this.#cutBoth('internal');
  }

  /** Its backend takes the connection away: RST on both sides, for neither is at its end. */
  onCut(reason: ErrorCode): void {
    this.#cutBoth(reason);
  }

  /** Nothing of tcp is at rest: a silence may be part of any protocol. */
  closeAtRest(): boolean {
    return false;
  }

  closeWhenQuiet(): void {
    // It goes on until it ends, or is cut.
  }

  cut(): void {
    this.#cutBoth('shutting-down');
  }

  #cutBoth(code: ErrorCode): void {
    if (this.#state === S.closed) return;
    this.#over();
    this.client.reset();
    this.connection?.reset();
    this.#pipeline.finish(this, code);
  }

  /** Nobody is there for it. */
  turnAway(code: ErrorCode): void {
    this.#cutBoth(code);
  }

  /** Closes both sides in order. */
  end(code: ErrorCode | null): void {
    if (this.#state === S.closed) return;
    this.#over();
    this.client.close();
    this.connection?.close();
    this.#pipeline.finish(this, code);
  }

  #over(): void {
    this.#state = S.closed;
    this.#context.wheel.forget(this);
  }

  onDeadline(): void {
    const { wheel } = this.#context;
    if (this.#state === S.connecting) return this.#pipeline.onConnectFailed(this, 'connect-timeout', 'no connection within the time allowed');
    if (this.#state === S.opening) return this.#opening!.hasBytes ? this.onRefused(this.#opening!.awaited, 'it did not come in time') : this.end('request-timeout');
    const silentTick = this.#activeTick + this.#idleTicks + 1;
    if (this.#idleTicks !== 0 && wheel.now >= silentTick) return this.end('idle-timeout');
    if (!this.#hasKeepAlive) {
      this.#hasKeepAlive = true;
      // A backend that never speaks must not keep a former config alive.
      this.pool = null;
      this.client.keepAlive(KEEP_ALIVE_DELAY_MS);
      this.connection!.keepAlive(KEEP_ALIVE_DELAY_MS);
    }
    if (this.#idleTicks !== 0) wheel.setTick(this, silentTick);
  }
}
