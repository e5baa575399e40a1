/**
 * What one scrape looks at: one config from beginning to end, with the labels
 * and rows of its parts, and the counters of all workers summed. Backends are
 * summed once, since several families read the same cells.
 */
import { yieldToLoop } from '../../base/clock.ts';
import type { UdpLosses } from '../../net/udp-losses.ts';
import { backendColumns } from '../../shared/counter-pages.ts';
import type { PoolSpec } from '../../shared/snapshot.ts';
import type { MetricsSource, RunningConfig } from '../metrics-source.ts';
import { label } from './family.ts';

/** Rows handled between two turns of the loop: about a millisecond each slice. */
const ROWS_PER_TURN = 500;

interface Part {
  readonly labels: string;
  readonly row: number;
}

export interface ConfigParts {
  readonly listeners: readonly Part[];
  readonly routes: readonly Part[];
  /** `first`: the place of its first backend among all. */
  readonly pools: readonly (Part & { readonly spec: PoolSpec; readonly first: number })[];
  /** Labels of each backend, in the order of `rows.backends`. */
  readonly backendLabels: readonly string[];
}

type Pages = 'listeners' | 'routes' | 'pools' | 'backends';

export class ScrapeView {
  readonly source: MetricsSource;
  readonly config: RunningConfig | null;
  readonly parts: ConfigParts;
  /** Sums of all workers, backendColumns.count cells a backend; empty if not asked for. */
  readonly backendCells: Float64Array;
  /** Datagrams that the kernel dropped, by listener; null: there is no udp listener, or this system does not say. */
  readonly udpLosses: readonly number[] | null;

  private constructor(source: MetricsSource, config: RunningConfig | null, parts: ConfigParts, backendCells: Float64Array, udpLosses: readonly number[] | null) {
    this.source = source;
    this.config = config;
    this.parts = parts;
    this.backendCells = backendCells;
    this.udpLosses = udpLosses;
  }

  /** Resolves after as many turns of the loop as the config's size needs. */
  static async read(source: MetricsSource, withBackends: boolean, losses: UdpLosses): Promise<ScrapeView> {
    const config = source.running();
    if (config === null) return new ScrapeView(source, null, NO_PARTS, new Float64Array(0), null);
    const parts = await partsOf(config);
    const udpLosses = await lossesOf(config, losses);
    return new ScrapeView(source, config, parts, withBackends ? await sumBackends(source, config) : new Float64Array(0), udpLosses);
  }

  /** One cell of all workers. */
  sum(kind: Pages, row: number, column: number): number {
    let total = 0;
    for (const pages of this.source.counters) {
      const { cells, base } = (pages[kind]).at(row);
      total += cells[base + column]!;
    }
    return total;
  }

  /** Neighbouring cells of all workers. */
  sums(kind: Pages, row: number, column: number, count: number): Float64Array {
    const totals = new Float64Array(count);
    for (const pages of this.source.counters) {
      const { cells, base } = (pages[kind]).at(row);
      for (let i = 0; i < count; i++) totals[i]! += cells[base + column + i]!;
    }
    return totals;
  }
}

const NO_PARTS: ConfigParts = { listeners: [], routes: [], pools: [], backendLabels: [] };

/** Labels change with the config only: 10,000 of them are rendered once for each. */
const partsByConfig = new WeakMap<object, ConfigParts>();

async function partsOf(config: RunningConfig): Promise<ConfigParts> {
  const known = partsByConfig.get(config.rows);
  if (known !== undefined) return known;
  const { snapshot, rows } = config;
  const listeners: Part[] = [];
  const routes: Part[] = [];
  for (const [i, listener] of snapshot.listeners.entries()) {
    const labels = label('listener', listener.name);
    listeners.push({ labels, row: rows.listeners[i]! });
    for (const route of listener.routes) routes.push({ labels: `${labels},${label('route', route.name)}`, row: rows.routes[routes.length]! });
  }
  const pools: ConfigParts['pools'][number][] = [];
  const backendLabels: string[] = [];
  for (const [i, pool] of snapshot.pools.entries()) {
    const labels = label('pool', pool.name);
    pools.push({ labels, row: rows.pools[i]!, spec: pool, first: backendLabels.length });
    for (const backend of pool.backends) {
      backendLabels.push(`${labels},${label('backend', backend.address)}`);
      if (backendLabels.length % ROWS_PER_TURN === 0) await yieldToLoop();
    }
  }
  const parts = { listeners, routes, pools, backendLabels };
  partsByConfig.set(config.rows, parts);
  return parts;
}

function lossesOf({ snapshot, ports }: RunningConfig, losses: UdpLosses): Promise<readonly number[] | null> {
  const { listeners } = snapshot;
  if (listeners.every(({ protocol }) => protocol !== 'udp')) return Promise.resolve(null);
  return losses.read(listeners.map(({ protocol, binds }, i) => (protocol === 'udp' ? binds.map(({ host }, b) => ({ host, port: ports[i]![b]! })) : [])));
}

async function sumBackends(source: MetricsSource, config: RunningConfig): Promise<Float64Array> {
  const { count } = backendColumns;
  const rows = config.rows.backends;
  const sums = new Float64Array(rows.length * count);
  for (let i = 0; i < rows.length; i++) {
    for (const pages of source.counters) {
      const { cells, base } = pages.backends.at(rows[i]!);
      for (let column = 0; column < count; column++) sums[i * count + column]! += cells[base + column]!;
    }
    if (i % ROWS_PER_TURN === ROWS_PER_TURN - 1) await yieldToLoop();
  }
  return sums;
}
