/**
 * CPU time of the proxy for each kind of work, against the better of the
 * peers. All proxies stay up; a round gives each a short turn, another one
 * first each time, and a figure is the median of the ratios within a round.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpuUs, rssBytes } from '../load/process-cpu.ts';
import { LOAD_CORE, pinning, type Started } from '../processes.ts';
import { figure, spread, table } from '../statistics.ts';
import type { TcpDone, TcpWork } from './tcp-ends.ts';
import { startProxy, WEIR_AGAIN, type Behind, type TcpProxy } from './tcp-peers.ts';

export interface CostRow {
  readonly name: string;
  readonly work: string;
  readonly unit: 'ms/GB' | 'µs/exchange' | 'µs/connection' | 'µs/request' | 'KiB/connection';
  /** Weir's cost by that of the better peer. */
  readonly atMost: number;
  /** A turn by `scale`; resolves with the units it was, in which `unit` counts. */
  turn(proxy: TcpProxy, load: Started, scale: number): Promise<number>;
  /** So many turns' worth before the first one: a runtime compiles what it runs often. */
  readonly warmUp: number;
}

const BULK_CONNECTIONS = 4;
const BULK_BYTES = 128 * 1024 * 1024;
const EXCHANGES = 40_000;
const CONNECTIONS = 2500;
const CLIENTS = 16;
export const IDLE_CONNECTIONS = 4000;
export const IDLE_KIB_MAX = 8;
/** Time for a proxy to note that the load's connections are gone, so that its doing so is counted too. */
const SETTLE_MS = 50;
const IDLE_SETTLE_MS = 1500;
const KIB = 1024;

export async function order(load: Started, work: TcpWork): Promise<TcpDone> {
  load.child.send(work);
  const [done] = (await once(load.child, 'message')) as [TcpDone];
  return done;
}

async function carried(load: Started, work: TcpWork): Promise<number> {
  const { done, lost } = await order(load, work);
  if (Object.keys(lost).length > 0) throw new Error(`work was lost: ${JSON.stringify(lost)}`);
  return done;
}

async function bulk(kind: 'down' | 'up', port: number, load: Started, scale: number): Promise<number> {
  return (await carried(load, { kind, port, connections: BULK_CONNECTIONS, bytes: Math.round(BULK_BYTES * scale) })) / 1e6;
}

/** redis-benchmark, whose own cost is a fraction of what a client here could do. */
function exchanges(port: number, count: number): Promise<number> {
  const args = ['redis-benchmark', '-p', String(port), '-n', String(count), '-c', String(CLIENTS), '-t', 'get', '-d', '64', '--csv'];
  const [program, ...rest] = pinning ? ['taskset', '-c', String(LOAD_CORE), ...args] : args;
  const { stdout, stderr } = spawnSync(program!, rest, { encoding: 'utf8' });
  if (!stdout.includes('"GET"')) throw new Error(`redis-benchmark failed: ${stdout}${stderr}`);
  return Promise.resolve(count);
}

export const costRows: readonly CostRow[] = [
  { name: 'down', work: 'bulk from the backend', unit: 'ms/GB', atMost: 1.15, warmUp: 3, turn: ({ origin }, load, scale) => bulk('down', origin, load, scale) },
  { name: 'up', work: 'bulk to the backend', unit: 'ms/GB', atMost: 1.15, warmUp: 3, turn: ({ origin }, load, scale) => bulk('up', origin, load, scale) },
  { name: 'exchange', work: 'small request and answer on open connections', unit: 'µs/exchange', atMost: 1.2, warmUp: 8, turn: ({ redis }, _load, scale) => exchanges(redis, Math.round(EXCHANGES * scale)) },
  { name: 'connect', work: 'a new connection with one exchange', unit: 'µs/connection', atMost: 1.6, warmUp: 20, turn: ({ origin: port }, load, scale) => carried(load, { kind: 'connect', port, connections: CLIENTS, count: Math.round(CONNECTIONS * scale) }) },
];

export interface CostResult {
  readonly row: string;
  readonly unit: string;
  readonly costs: Readonly<Record<string, readonly number[]>>;
  readonly against: string;
  readonly ratios: readonly number[];
  readonly atMost: number;
  /** How far two Weirs were apart, as a share. */
  readonly noise: number;
}

export async function measureCost(row: CostRow, proxies: readonly TcpProxy[], load: Started, rounds: number): Promise<CostResult> {
  for (const proxy of proxies) await row.turn(proxy, load, proxy.name.startsWith('weir') ? row.warmUp : 0.2);
  const costs: Record<string, number[]> = Object.fromEntries(proxies.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < proxies.length; i++) {
      const proxy = proxies[(i + round) % proxies.length]!;
      const before = cpuUs(proxy.started.pid);
      const units = await row.turn(proxy, load, 1);
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      costs[proxy.name]!.push((cpuUs(proxy.started.pid) - before) / units);
    }
    process.stdout.write('.');
  }
  return judge(row, costs);
}

export function judge(row: Pick<CostRow, 'name' | 'unit' | 'atMost'>, costs: Readonly<Record<string, readonly number[]>>): CostResult {
  const weirs = [costs['weir']!, costs[WEIR_AGAIN] ?? costs['weir']!] as const;
  const peers = Object.entries(costs).filter(([name]) => !name.startsWith('weir')).sort(([, a], [, b]) => spread(a).median - spread(b).median);
  const [against, best] = peers[0] ?? ['', []];
  const ratios = best.map((cost, round) => (weirs[0][round]! + weirs[1][round]!) / 2 / cost);
  const noise = Math.abs(spread(weirs[0].map((cost, round) => cost / weirs[1][round]!)).median - 1);
  return { row: row.name, unit: row.unit, costs, against, ratios, atMost: row.atMost, noise };
}

/** KiB of resident memory for each of many idle connections, both legs of it, in a process that has held none before. */
export async function measureIdle(names: readonly string[], behind: Behind, dir: string, load: Started): Promise<Record<string, number>> {
  const costs: Record<string, number> = {};
  for (const name of names) {
    const { started, origin: port } = await startProxy(name, behind, `${dir}/idle`);
    await carried(load, { kind: 'connect', port, connections: CLIENTS, count: 200 });
    const before = rssBytes(started.pid);
    await carried(load, { kind: 'hold', port, count: IDLE_CONNECTIONS });
    await new Promise((resolve) => setTimeout(resolve, IDLE_SETTLE_MS));
    costs[name] = (rssBytes(started.pid) - before) / IDLE_CONNECTIONS / KIB;
    const still = await carried(load, { kind: 'release' });
    if (still !== IDLE_CONNECTIONS) throw new Error(`${name} closed ${IDLE_CONNECTIONS - still} idle connections`);
    await started.stop();
  }
  return costs;
}

export function costTable(results: readonly CostResult[]): string {
  const head = ['work', 'weir', 'peers', 'ratio', 'lowest–highest', 'against', 'at most', 'holds', 'noise'];
  const rows = results.map((result) => {
    const { median, min, max } = spread(result.ratios);
    const of = (isWeir: boolean): string => Object.entries(result.costs).filter(([name]) => name.startsWith('weir') === isWeir).map(([name, costs]) => `${isWeir ? '' : `${name} `}${figure(spread(costs).median)}`).join(', ');
    return [`${result.row} (${result.unit})`, of(true), of(false), median.toFixed(2), `${min.toFixed(2)}–${max.toFixed(2)}`, result.against, ...(Number.isFinite(result.atMost) ? [String(result.atMost), median <= result.atMost ? 'yes' : 'no'] : ['', '']), `${(result.noise * 100).toFixed(1)} %`];
  });
  return table([head, ...rows]);
}
