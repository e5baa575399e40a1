/**
 * A snapshot brought to life in one worker: built aside, a slice at a time so
 * that traffic goes on, and swapped in whole. Backends are taken over from the
 * running one by their rows, with their connections.
 */
import { isDeepStrictEqual } from 'node:util';
import { yieldToLoop } from '../../base/clock.ts';
import { SecureDial } from '../../net/secure-dial.ts';
import type { SnapshotRows } from '../../shared/thread-messages.ts';
import { isShared, type ListenerSpec, type PoolSpec, type Snapshot, type TierSpec } from '../../shared/snapshot.ts';
import { PoolBalancer } from '../balance/candidates.ts';
import { resolveAlgorithm } from '../balance/load-module.ts';
import { Backend } from '../connect/backend.ts';
import { RouteLimit } from '../limit/route-limit.ts';
import { compileRoutesSliced } from '../route/route-table.ts';
import { LiveListener } from './live-listener.ts';
import { LivePool } from './live-pool.ts';
import { LiveRoute } from './live-route.ts';
import { LiveTls } from './live-tls.ts';
import type { WorkerContext } from './worker-context.ts';

/** Parts made between two turns of the loop: about 2 ms. */
const PARTS_PER_TURN = 500;

export interface LiveConfig {
  readonly number: number;
  readonly snapshot: Snapshot;
  readonly listeners: ReadonlyMap<string, LiveListener>;
  readonly pools: ReadonlyMap<string, LivePool>;
  /** By row number. */
  readonly backends: ReadonlyMap<number, Backend>;
}

/** Changes nothing that serves: `previous` goes on until the caller swaps. */
export async function buildLiveConfig(snapshot: Snapshot, number: number, rows: SnapshotRows, previous: LiveConfig | null, context: WorkerContext): Promise<LiveConfig> {
  const builder = new LiveConfigBuilder(rows, previous, context);
  const pools = new Map<string, LivePool>();
  for (let i = 0; i < snapshot.pools.length; i++) {
    const spec = snapshot.pools[i]!;
    pools.set(spec.name, await builder.pool(spec, rows.pools[i]!));
  }
  const listeners = new Map<string, LiveListener>();
  for (let i = 0; i < snapshot.listeners.length; i++) {
    const spec = snapshot.listeners[i]!;
    listeners.set(spec.name, await builder.listener(spec, rows.listeners[i]!, pools, snapshot.tier));
  }
  return { number, snapshot, listeners, pools, backends: builder.backends };
}

class LiveConfigBuilder {
  readonly backends = new Map<number, Backend>();
  readonly #rows: SnapshotRows;
  readonly #previous: LiveConfig | null;
  readonly #context: WorkerContext;
  #nextBackend = 0;
  #nextRoute = 0;
  #parts = 0;

  constructor(rows: SnapshotRows, previous: LiveConfig | null, context: WorkerContext) {
    this.#rows = rows;
    this.#previous = previous;
    this.#context = context;
  }

  async pool(spec: PoolSpec, row: number): Promise<LivePool> {
    const { table, counters } = this.#context;
    const backends: Backend[] = [];
    const secure = this.#secureDial(spec);
    for (const backend of spec.backends) {
      const backendRow = this.#rows.backends[this.#nextBackend++]!;
      const kept = this.#previous?.backends.get(backendRow);
      const live = kept ?? new Backend(backend, backendRow, table.backend(backendRow), counters.backends.at(backendRow), spec.connections, this.#context.wheel, secure);
      this.backends.set(backendRow, live);
      backends.push(live);
      if (this.#isTurnOver()) await yieldToLoop();
    }
    const poolRow = table.pool(row);
    const balancer = new PoolBalancer(
      { spec, algorithm: await resolveAlgorithm(spec.algorithm, this.#context.pluginsDir, this.#context.clock), pool: poolRow, backends: backends.map((backend) => backend.row) },
      this.#poolEnvironment(backends),
      this.#previous?.pools.get(spec.name)?.balancer ?? null,
    );
    return new LivePool(spec, poolRow, counters.pools.at(row), balancer, backends, secure);
  }

  /** The running one if nothing of it changes, so that sessions and connections go on. */
  #secureDial({ name, tls }: PoolSpec): SecureDial | null {
    if (tls === null) return null;
    const running = this.#previous?.pools.get(name)?.secure ?? null;
    return running !== null && isDeepStrictEqual(running.spec, tls) ? running : new SecureDial(tls);
  }

  async listener(spec: ListenerSpec, row: number, pools: ReadonlyMap<string, LivePool>, tier: TierSpec): Promise<LiveListener> {
    const { table, counters, clock, limits } = this.#context;
    const routes: LiveRoute[] = [];
    for (const route of spec.routes) {
      const routeRow = this.#rows.routes[this.#nextRoute++]!;
      const pool = route.action.kind === 'pool' ? pools.get(route.action.pool)! : null;
      const { rateLimit } = route;
      const limit = rateLimit === null ? null : new RouteLimit(rateLimit, spec.name, route.name, routeRow, isShared(rateLimit, tier), limits);
      routes.push(new LiveRoute(route, routeRow, counters.routes.at(routeRow), pool, limit));
      if (this.#isTurnOver()) await yieldToLoop();
    }
    return new LiveListener(spec, table.listener(row), counters.listeners.at(row), await compileRoutesSliced(spec.routes, clock), routes, await this.#tls(spec));
  }

  /** The running one, with its keys for tickets, if nothing of it changes. */
  async #tls({ name, tls }: ListenerSpec): Promise<LiveTls | null> {
    if (tls === null) return null;
    const running = this.#previous?.listeners.get(name)?.tls ?? null;
    return running !== null && isDeepStrictEqual(running.spec, tls) ? running : LiveTls.make(tls, this.#context.tickets);
  }

  #poolEnvironment(backends: readonly Backend[]): ConstructorParameters<typeof PoolBalancer>[1] {
    const context = this.#context;
    return {
      clock: context.clock,
      random: context.random,
      log: (level, text, fields) => context.log(level, text, fields),
      ejected: (index, forMs, reason) => context.send({ kind: 'ejected', row: backends[index]!.rowNumber, forMs, reason }),
    };
  }

  #isTurnOver(): boolean {
    return ++this.#parts % PARTS_PER_TURN === 0;
  }
}
