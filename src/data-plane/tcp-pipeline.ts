/**
 * The story of a tcp connection, in numbered steps:
 *   1 listen   a client connects                            (listen/tcp-listener.ts)
 *   2 parse    what must be known of its first bytes        (listen/tcp-opening.ts, parse/)
 *   3 route    the connection → a pool                      (route/)
 *   4 balance  the pool → a backend                         (balance/)
 *   5 connect  the backend → a connection; again elsewhere  (connect/tcp-connection.ts)
 *   6 relay    bytes in both directions, to both ends       (relay/tcp-relay.ts)
 * Steps 3 to 5 are here. Until a backend took the connection no byte has left
 * for one, so a failed connect is tried again, and nothing else is.
 */
import { errorSpecs, type ErrorCode } from '../base/errors.ts';
import { backendColumns, listenerColumns, REFUSALS } from '../shared/counter-pages.ts';
import { countAttemptFailure, countEnd, countStart } from './accounting.ts';
import { hashKey } from './balance/key.ts';
import type { LivePool } from './live/live-pool.ts';
import type { WorkerContext } from './live/worker-context.ts';
import { NO_ROUTE } from './route/route-query.ts';
import { TcpQuery } from './route/tcp-query.ts';
import { countConnected, countSession } from './tcp-accounting.ts';
import type { TcpSession } from './tcp-session.ts';

/** A connect that failed is tried on two more connections. */
const CONNECTS_MAX = 3;

export class TcpPipeline {
  readonly #context: WorkerContext;
  readonly #query = new TcpQuery();
  /** The session whose backend is being picked: what `#isPassedOver` speaks of. */
  #picking: TcpSession | null = null;
  readonly #isPassedOver = (index: number): boolean => {
    const session = this.#picking!;
    return (session.tried !== null && session.tried.includes(index)) || session.pool!.backends[index]!.refusesAnother();
  };

  constructor(context: WorkerContext) {
    this.#context = context;
  }

  /** A client has connected; whatever it sends meanwhile is held. */
  begin(session: TcpSession): void {
    this.note(session);
    this.route(session);
  }

  note(session: TcpSession): void {
    session.startedMs = this.#context.clock.monotonicMs();
    // The log names the client when it is gone.
    if (this.#context.accessLog !== null) void session.clientAddress;
  }

  /** Step 2: whether its route is another with a ClientHello than without. A server may be the one to speak first, so nothing is waited for that nobody asks for. */
  needsHello(session: TcpSession): boolean {
    const { table, routes, firstHelloRoute } = session.listener.live;
    if (firstHelloRoute === routes.length) return false;
    const index = table.find(this.#query.open(session));
    return index === NO_ROUTE || index > firstHelloRoute;
  }

  /** All is known of the connection that its listener asks for. */
  route(session: TcpSession): void {
    // 3 route
    const { table, routes } = session.listener.live;
    const query = this.#query.open(session);
    const index = table.find(query);
    const route = index === NO_ROUTE ? null : routes[index]!;
    if (route?.pool === null || route === null) return this.#refuse(session, 'no-route');
    const { pool } = route;
    session.routeName = route.spec.name;
    session.routeCounters = route.counters;
    session.routeBase = route.base;
    session.pool = pool;
    session.poolName = pool.spec.name;
    const { key } = pool.balancer;
    session.keyHash = key === null ? 0 : hashKey(key, query);
    if (!this.#reach(session, pool)) this.#refuse(session, 'no-backend');
  }

  /** Steps 4 and 5: a connection on its way to a backend, the attempt counted on it; false if none is to be had. */
  #reach(session: TcpSession, pool: LivePool): boolean {
    this.#picking = session;
    while (true) {
      // 4 balance
      const needsLook = pool.hasLimit || session.tried !== null;
      const index = pool.balancer.pick(session.keyHash, needsLook ? this.#isPassedOver : null);
      if (index === -1) return false;
      const backend = pool.backends[index]!;
      // 5 connect
      const connection = backend.openTcp(session);
      if (connection !== null) {
        session.backendIndex = index;
        session.backend = backend;
        session.attempts++;
        session.attemptStartedMs = session.attempts === 1 ? session.startedMs : this.#context.clock.monotonicMs();
        countStart(backend);
        session.await(connection, backend.connectTimeoutMs);
        return true;
      }
      // Another worker took its last place, or its name has no address.
      (session.tried ??= []).push(index);
    }
  }

  onConnected(session: TcpSession): void {
    const nowMs = this.#context.clock.monotonicMs();
    const { pool, backendIndex } = session;
    session.connectMs = nowMs - session.attemptStartedMs;
    countConnected(session);
    pool!.balancer.observeLatency(backendIndex, session.connectMs * 1000, nowMs);
    // 6 relay
    session.relay();
  }

  onConnectFailed(session: TcpSession, code: ErrorCode, detail: string): void {
    const backend = session.backend!;
    const { connection } = session;
    session.connection = null;
    connection!.close();
    countEnd(backend);
    this.#countFailure(session, code, detail);
    if (backend.named) this.#context.send({ kind: 'resolve', row: backend.rowNumber });
    if (errorSpecs[code].retry === 'connect' && session.attempts < CONNECTS_MAX && this.#reachAgain(session)) return;
    session.backend = null;
    this.#refuse(session, code);
  }

  #countFailure(session: TcpSession, code: ErrorCode, detail: string): void {
    const { pool, backend, backendIndex, attempts } = session;
    backend!.counters[backend!.base + backendColumns.errors]!++;
    countAttemptFailure(pool, backend!, backendIndex, code, this.#context.clock.monotonicMs());
    this.#context.log('debug', 'an attempt failed', { pool: session.poolName, backend: backend!.address, error: code, detail, attempt: attempts });
  }

  /** Another backend if there is one, else the same again. */
  #reachAgain(session: TcpSession): boolean {
    (session.tried ??= []).push(session.backendIndex);
    const pool = session.pool!;
    let isReached = this.#reach(session, pool);
    if (!isReached) {
      session.tried = null;
      isReached = this.#reach(session, pool);
    }
    if (isReached) session.backend!.counters[session.backend!.base + backendColumns.retries]!++;
    return isReached;
  }

  /** The backend lost the connection before it said anything: it has not proved to be well. After a while without a word that is held against nobody but counted. */
  onLost(session: TcpSession, detail: string): void {
    this.#countFailure(session, 'connection-lost', detail);
  }

  /** The backend's first byte, or its end in order. */
  onAnswer(session: TcpSession): void {
    session.pool?.balancer.ejection.onSuccess(session.backendIndex);
    // A former config must not live as long as its connections.
    session.pool = null;
  }

  /**
   * No backend takes it: RST, as from a port on which nobody listens. A close
   * in order could be taken for an empty answer, would be RST all the same to a
   * client whose bytes nobody had read yet, and leaves us to remember it.
   */
  #refuse(session: TcpSession, code: ErrorCode): void {
    const { counters, base } = session.listener.live;
    const reason = code === 'no-route' ? 'no-route' : 'no-backend';
    counters[base + listenerColumns.refused + REFUSALS.indexOf(reason)]!++;
    session.turnAway(code);
  }

  /** Both ends are closed. */
  finish(session: TcpSession, code: ErrorCode | null): void {
    session.error = code;
    if (session.backend !== null) countEnd(session.backend);
    countSession(session, this.#context);
    session.listener.onClientClosed(session);
  }
}
