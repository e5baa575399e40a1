/**
 * The story of a UDP session, in one place:
 *
 *   1 listen   a datagram of a client without session comes in   listen/
 *   3 route    the client's address finds its route              route/
 *   4 balance  the route's pool finds a backend                  balance/
 *   5 connect  the backend gives a place                         connect/
 *   6 relay    datagrams go up, answers down                     relay/udp-session.ts
 *
 * There is nothing to parse (2), and nothing to send again: a datagram whose
 * backend refuses is lost, as datagrams are, and the client's next one picks anew.
 */
import { dialFailure, type DialFailure } from '../net/dial.ts';
import { plainAddress } from '../net/address.ts';
import type { ErrorCode } from '../base/errors.ts';
import { backendColumns } from '../shared/counter-pages.ts';
import { countAttemptFailure, countEnd, countStart } from './accounting.ts';
import { hashKey } from './balance/key.ts';
import type { Backend } from './connect/backend.ts';
import type { LiveListener } from './live/live-listener.ts';
import type { LivePool } from './live/live-pool.ts';
import type { LiveRoute } from './live/live-route.ts';
import type { WorkerContext } from './live/worker-context.ts';
import { SourceQuery } from './route/source-query.ts';
import type { UdpSession } from './relay/udp-session.ts';
import { countAnswered, countSession } from './udp-accounting.ts';

/** What a socket's failure counts as; null: it is none of the backend's. */
const failureCodes: Readonly<Record<DialFailure, ErrorCode | null>> = {
  refused: 'connect-refused',
  reset: 'connect-failed',
  'timed-out': 'connect-failed',
  unreachable: 'connect-failed',
  failed: 'connect-failed',
  ours: null,
};

export class UdpPipeline {
  readonly #context: WorkerContext;
  readonly #query = new SourceQuery();
  #picking: LivePool | null = null;
  readonly #isPassedOver = (index: number): boolean => this.#picking!.backends[index]!.refusesAnother();

  constructor(context: WorkerContext) {
    this.#context = context;
  }

  /** 3 route: the one that takes this client's datagrams; null: none. */
  route(live: LiveListener, address: string): LiveRoute | null {
    return live.routes[live.table.find(this.#query.open(plainAddress(address)))] ?? null;
  }

  /** 4 balance: index of a backend; -1: none is to be had. */
  pick(pool: LivePool, address: string): number {
    const { balancer } = pool;
    this.#picking = pool;
    const keyHash = balancer.key === null ? 0 : hashKey(balancer.key, this.#query.open(plainAddress(address)));
    return balancer.pick(keyHash, pool.hasLimit ? this.#isPassedOver : null);
  }

  /** 5 connect: a place at the backend, counted; false: another worker took its last one. */
  begin(session: UdpSession, route: LiveRoute): boolean {
    const { backend } = session;
    if (!backend.admit(session.place)) return false;
    session.routeName = route.spec.name;
    session.routeCounters = route.counters;
    session.routeBase = route.base;
    countStart(backend);
    return true;
  }

  /** The session is over, however it ended. */
  end(session: UdpSession, error: ErrorCode | null): void {
    const { backend, place } = session;
    backend.dismiss(place);
    countEnd(backend);
    countSession(session, error, this.#context);
  }

  onFirstAnswer(session: UdpSession, afterMs: number): void {
    session.answerMs = afterMs;
    countAnswered(session);
    session.pool.balancer.observeLatency(session.backendIndex, afterMs * 1000, this.#context.clock.monotonicMs());
    this.onAlive(session);
  }

  /** Its backend answers: whatever failed before is over. */
  onAlive({ pool, backendIndex }: UdpSession): void {
    pool.balancer.ejection.onSuccess(backendIndex);
  }

  /** The backend refused, or could not be sent to; null: the failure is ours. */
  onFailure(session: UdpSession, error: Error): ErrorCode | null {
    const { backend, pool } = session;
    const code = failureCodes[dialFailure(error)];
    this.#context.log('debug', 'a session failed', { pool: pool.spec.name, backend: backend.address, error: code ?? 'internal', detail: error.message });
    if (code === null) return null;
    if (!session.hasAnswered) backend.counters[backend.base + backendColumns.errors]!++;
    countAttemptFailure(pool, backend, session.backendIndex, code, this.#context.clock.monotonicMs());
    if (backend.named) this.#context.send({ kind: 'resolve', row: backend.rowNumber });
    return code;
  }

  /** A session under a later snapshot: the same pool as it is now, and the backend's place in it; null: that backend is in it no more. */
  findAgain(live: LiveListener, former: LivePool, backend: Backend): { pool: LivePool; index: number } | null {
    for (const { pool } of live.routes) {
      if (pool === null || pool.spec.name !== former.spec.name) continue;
      const index = pool.backends.indexOf(backend);
      return index === -1 ? null : { pool, index };
    }
    return null;
  }
}
