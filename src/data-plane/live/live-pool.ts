/** A pool of one snapshot in one worker: its balancer, and the backends, which outlive the snapshot. */
import type { ProxyVersion } from '../../net/proxy-protocol.ts';
import type { SecureDial } from '../../net/secure-dial.ts';
import type { PoolRow } from '../../shared/backend-table.ts';
import { isRolePool, type PoolSpec } from '../../shared/snapshot.ts';
import type { PoolBalancer } from '../balance/candidates.ts';
import type { Backend } from '../connect/backend.ts';

export class LivePool {
  readonly spec: PoolSpec;
  readonly row: PoolRow;
  /** This worker's page and the index of its first cell (poolColumns). */
  readonly counters: Float64Array;
  readonly base: number;
  readonly balancer: PoolBalancer;
  /** In file order. */
  readonly backends: readonly Backend[];
  /** A limit per backend is set, so a pick must look whether it is reached. */
  readonly hasLimit: boolean;
  /** Connections begin with a header that names the client, so each serves one request; null: they do not. */
  readonly greeting: ProxyVersion | null;
  /** Only one of its backends is served. */
  readonly isRolePool: boolean;
  /** null: its backends are spoken to in the clear. */
  readonly secure: SecureDial | null;
  /** The pool's epoch when `cutDown` last looked. */
  #cutEpoch = -1;

  constructor(spec: PoolSpec, row: PoolRow, counters: { cells: Float64Array; base: number }, balancer: PoolBalancer, backends: readonly Backend[], secure: SecureDial | null) {
    this.spec = spec;
    this.row = row;
    this.counters = counters.cells;
    this.base = counters.base;
    this.balancer = balancer;
    this.backends = backends;
    this.secure = secure;
    this.hasLimit = spec.connections.perBackend !== 0;
    this.greeting = spec.proxyProtocol === 'off' ? null : spec.proxyProtocol;
    this.isRolePool = isRolePool(spec);
  }

  /** Of a role pool: cuts what is open to backends that are not the one. */
  severOthers(): void {
    for (let index = 0; index < this.backends.length; index++) {
      const backend = this.backends[index]!;
      if (backend.isHeld && !this.balancer.isServed(index)) backend.sever();
    }
  }

  /** Cuts the tcp connections of backends that went down since the last call. Called often: it looks only when something of the pool has changed. */
  cutDown(): void {
    const { epoch } = this.row;
    if (epoch === this.#cutEpoch) return;
    this.#cutEpoch = epoch;
    for (const backend of this.backends) backend.cutTcpOnceDown();
  }
}
