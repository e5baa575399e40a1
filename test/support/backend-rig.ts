/** Pools in shared memory, as the monitor and the operator states meet them. */
import { BackendTable, type BackendRow, type PoolRow } from '../../src/shared/backend-table.ts';
import { placeBackends, type PlacedBackend } from '../../src/control-plane/backend-rows.ts';
import type { BackendSpec, HealthSpec, PoolSpec } from '../../src/shared/snapshot.ts';
import type { SnapshotRows } from '../../src/shared/thread-messages.ts';
import { isIP } from 'node:net';
import { plainPool } from './plain-snapshot.ts';

export interface PoolSketch {
  readonly name: string;
  /** Addresses, or more of a backend. */
  readonly backends: readonly (string | (Partial<BackendSpec> & { readonly address: string }))[];
  readonly health?: HealthSpec | readonly HealthSpec[] | null;
  readonly proxyProtocol?: PoolSpec['proxyProtocol'];
  readonly protocol?: PoolSpec['protocol'];
  readonly tls?: PoolSpec['tls'];
  readonly fence?: boolean;
}

export function healthSpec(changes: Partial<HealthSpec> = {}): HealthSpec {
  return { type: 'tcp', options: { send: '', expect: '' }, hidden: [], role: null, port: null, intervalMs: 1000, timeoutMs: 500, rise: 2, fall: 3, fastIntervalMs: 500, ...changes };
}

export function backendSpec(sketch: PoolSketch['backends'][number]): BackendSpec {
  const given = typeof sketch === 'string' ? { address: sketch } : sketch;
  const colon = given.address.lastIndexOf(':');
  const host = given.address.slice(0, colon).replace(/^\[|\]$/g, '');
  return { host, port: Number(given.address.slice(colon + 1)), named: isIP(host) === 0, weight: 1, priority: 0, state: 'ready', ...given };
}

export function poolSpec({ name, backends, health = null, proxyProtocol = 'off', protocol = 'http1', tls = null, fence = false }: PoolSketch): PoolSpec {
  return { ...plainPool(name, []), backends: backends.map(backendSpec), health: health === null ? [] : [health].flat(), proxyProtocol, protocol, tls, fence };
}

/** Which row is whose; may be the same for many rigs, each with a table of its own. */
export class RowNumbers {
  readonly rows = new Map<string, number>();
  readonly pools = new Map<string, number>();
}

/** Gives each (pool, address) a row of its own, and the same one each time. */
export class BackendRig {
  readonly table = new BackendTable();
  readonly #numbers: RowNumbers;

  constructor(numbers = new RowNumbers()) {
    this.#numbers = numbers;
  }

  snapshot(...sketches: readonly PoolSketch[]): { snapshot: { pools: PoolSpec[] }; rows: Pick<SnapshotRows, 'pools' | 'backends'> } {
    return this.#snapshot(sketches.map(poolSpec));
  }

  place(...sketches: readonly PoolSketch[]): PlacedBackend[] {
    return this.placePools(sketches.map(poolSpec));
  }

  placePools(pools: readonly PoolSpec[]): PlacedBackend[] {
    const { snapshot, rows } = this.#snapshot(pools);
    const placed = placeBackends(snapshot, rows, this.table);
    for (const { row, backend } of placed) {
      row.state = backend.state;
      row.weight = backend.weight;
    }
    return placed;
  }

  numberOf(pool: string, address: string): number {
    return this.#numbers.rows.get(`${pool} ${address}`)!;
  }

  row(pool: string, address: string): BackendRow {
    return this.table.backend(this.numberOf(pool, address));
  }

  pool(pool: string): PoolRow {
    return this.table.pool(this.#numbers.pools.get(pool)!);
  }

  #snapshot(pools: readonly PoolSpec[]): { snapshot: { pools: PoolSpec[] }; rows: Pick<SnapshotRows, 'pools' | 'backends'> } {
    const numbers = this.#numbers;
    const rows = {
      pools: Int32Array.from(pools, ({ name }) => numberOf(numbers.pools, name)),
      backends: Int32Array.from(pools.flatMap((pool) => pool.backends.map(({ address }) => numberOf(numbers.rows, `${pool.name} ${address}`)))),
    };
    this.table.ensure({ backends: numbers.rows.size, pools: numbers.pools.size, listeners: 0 });
    return { snapshot: { pools: [...pools] }, rows };
  }
}

function numberOf(known: Map<string, number>, key: string): number {
  const number = known.get(key) ?? known.size;
  known.set(key, number);
  return number;
}
