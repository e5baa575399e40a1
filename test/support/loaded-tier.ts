/** A tier under load: proxies over two backends and a store, and clients of each proxy whose every request is counted. */
import type { TierAnswer } from '../../src/control-plane/admin/answers.ts';
import { BackendProcess } from './backend-process.ts';
import { LoadClient } from './load-client.ts';
import type { LoadFailure, LoadReport } from './load-messages.ts';
import { TierProcesses } from './tier-processes.ts';
import { until, type WeirProcess } from './weir-process.ts';

export const TIER = 'test';
export const LEASE_MS = 1500;
const RATE_PER_SECOND = 100;
/** After the machine stood still idle times of all processes have run out at once. */
const AFTER_STALL_MS = 1000;

/** The backends named, and more of the pool that nobody listens on if they say so. */
export function pooledConfig(store: string, addresses: readonly string[], more = ''): string {
  return `
listeners:
  web: { bind: "127.0.0.1:0", pool: web }
pools:
  web: { health: { type: http, timeout: 2s }, backends: [${addresses.map((address) => `"${address}"`).join(', ')}] }
tier: { name: ${TIER}, store: "${store}", heartbeat: 300ms, lease: ${LEASE_MS}ms }
admin: { bind: "127.0.0.1:0" }
drain: { delay: 0, timeout: 5s }
${more}`;
}

export interface LoadedTierOptions {
  readonly nodes: readonly string[];
  /** What stands before the tier's own Redis, or in its place. */
  readonly store?: (redisPort: number) => Promise<string>;
  /** Addresses of the pool beside the two backends. */
  readonly dead?: readonly string[];
  readonly ratePerSecond?: number;
  /** Instead of `pooledConfig`. */
  readonly yaml?: (store: string, addresses: readonly string[]) => string;
}

export class LoadedTier implements AsyncDisposable {
  readonly tier: TierProcesses;
  readonly backends: readonly BackendProcess[];
  readonly load: LoadClient;
  readonly yaml: string;
  readonly proxies: readonly WeirProcess[];

  private constructor(tier: TierProcesses, backends: readonly BackendProcess[], load: LoadClient, yaml: string, proxies: readonly WeirProcess[]) {
    this.tier = tier;
    this.backends = backends;
    this.load = load;
    this.yaml = yaml;
    this.proxies = proxies;
  }

  /** Resolves when each proxy knows all, and its clients have been answered. */
  static async start({ nodes, store, dead = [], ratePerSecond = RATE_PER_SECOND, yaml = pooledConfig }: LoadedTierOptions): Promise<LoadedTier> {
    const tier = await TierProcesses.start();
    const backends = await Promise.all(['x', 'y'].map((name) => BackendProcess.start(name)));
    const text = yaml((await store?.(tier.redis.port)) ?? tier.redis.url, [...backends.map(({ address }) => address), ...dead]);
    const proxies = await tier.up(nodes, text);
    const started = new LoadedTier(tier, backends, new LoadClient(), text, proxies);
    await untilTier(proxies, ({ members }) => members.length === nodes.length && members.every(({ state }) => state === 'ready'));
    proxies.forEach((proxy, at) => started.load.start({ name: nodes[at]!, port: proxy.port(), ratePerSecond, kept: 6, freshShare: 0.2, freshMax: 6 }));
    await started.load.requests(nodes.length * ratePerSecond);
    return started;
  }

  /** What clients of `groups` asked for in `phase` and did not get. */
  async lost(phase: string, groups: readonly string[]): Promise<readonly LoadFailure[]> {
    return lostOf(await this.load.report(), phase).filter(({ group }) => groups.includes(group));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.load[Symbol.asyncDispose]();
    await this.tier[Symbol.asyncDispose]();
    await Promise.all(this.backends.map((backend) => backend.kill()));
  }
}

/** But for what went wrong because the machine itself stood still, which shows nothing about a proxy. */
export function lostOf({ phases, stalls }: LoadReport, phase: string): readonly LoadFailure[] {
  const isOfStall = ({ beganMs, endedMs }: LoadFailure): boolean => stalls.some((stall) => beganMs <= stall.endedMs + AFTER_STALL_MS && endedMs >= stall.beganMs);
  return phases.filter(({ name }) => name === phase).flatMap(({ failures }) => failures.filter((failure) => !isOfStall(failure)));
}

export async function tierOf(proxy: WeirProcess): Promise<TierAnswer> {
  return JSON.parse((await proxy.admin('/api/v1/tier')).body) as TierAnswer;
}

/** Until the view of each of them is such. */
export async function untilTier(proxies: readonly WeirProcess[], isSo: (view: TierAnswer) => boolean): Promise<void> {
  for (const proxy of proxies) await until(async () => isSo(await tierOf(proxy)));
}

export const isConnected = ({ controlPlane, reason }: TierAnswer): boolean => controlPlane === 'connected' && reason === '';
