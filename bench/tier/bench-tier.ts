/**
 * A tier under measurement, at the defaults: real proxies of one worker each
 * over one Redis, a pool of two backends under a steady load on every proxy,
 * and a pool that is only probed. Times are taken from the proxies' own logs
 * (all on one clock) and by asking their admin interfaces.
 */
import type { TierAnswer } from '../../src/control-plane/admin/answers.ts';
import { tierKeys } from '../../src/control-plane/store/redis/scripts.ts';
import { BackendProcess } from '../../test/support/backend-process.ts';
import { LoadClient } from '../../test/support/load-client.ts';
import { lostOf, tierOf } from '../../test/support/loaded-tier.ts';
import { TierProcesses } from '../../test/support/tier-processes.ts';
import { until, type WeirProcess } from '../../test/support/weir-process.ts';
import { MoodyBackend } from './moody-backend.ts';

export const NODES = ['a', 'b', 'c', 'd', 'e'] as const;
export const HEARTBEAT_MS = 1000;
export const LEASE_MS = 3000;
export const PROBERS = 3;
const TIER = 'bench';
const RATE_PER_SECOND = 60;
const PROBED = 3;

export interface BenchTierOptions {
  /** Instead of a Redis of its own. */
  readonly store?: string;
}

export class BenchTier implements AsyncDisposable {
  readonly tier: TierProcesses;
  readonly loaded: BackendProcess[];
  readonly probed: readonly MoodyBackend[];
  readonly load = new LoadClient();
  readonly proxies = new Map<string, WeirProcess>();
  readonly #yaml: string;
  /** Name of the load on each proxy: one for each life of it. */
  readonly #groups = new Map<string, string>();
  #lives = 0;

  private constructor(tier: TierProcesses, loaded: BackendProcess[], probed: readonly MoodyBackend[], store: string) {
    this.tier = tier;
    this.loaded = loaded;
    this.probed = probed;
    const list = (addresses: readonly { readonly address: string }[]): string => addresses.map(({ address }) => `"${address}"`).join(', ');
    this.#yaml = `
listeners:
  web: { bind: "127.0.0.1:0", pool: loaded }
  idle: { bind: "127.0.0.1:0", pool: probed }
pools:
  loaded: { health: http, backends: [${list(loaded)}] }
  probed: { health: http, backends: [${list(probed)}] }
tier: { name: ${TIER}, store: "${store}" }
admin: { bind: "127.0.0.1:0" }
drain: { delay: 0, timeout: 5s }
`;
  }

  static async start({ store }: BenchTierOptions = {}): Promise<BenchTier> {
    const tier = await TierProcesses.start();
    const loaded = await Promise.all(['x', 'y'].map((name) => BackendProcess.start(name)));
    const probed = await Promise.all(Array.from({ length: PROBED }, () => MoodyBackend.start()));
    const bench = new BenchTier(tier, loaded, probed, store ?? tier.redis.url);
    await bench.spawn(NODES);
    return bench;
  }

  /** Starts these, also again, with load on them; resolves when they are members and every view says so. */
  async spawn(nodes: readonly string[]): Promise<void> {
    for (const node of nodes) this.proxies.set(node, await this.tier.spawn(node, this.#yaml));
    await Promise.all(nodes.map((node) => this.proxies.get(node)!.line(({ text }) => text === 'ready')));
    for (const node of nodes) {
      const group = `${node}-${++this.#lives}`;
      this.#groups.set(node, group);
      this.load.start({ name: group, port: this.proxies.get(node)!.port(), ratePerSecond: RATE_PER_SECOND, kept: 6, freshShare: 0.2, freshMax: 6 });
    }
    await this.untilEvery((view) => isCalm(view) && view.members.length === this.proxies.size);
    // Those that were members for less than a lease are not on duty yet.
    await waitMs(LEASE_MS + HEARTBEAT_MS);
  }

  /** As a crash does it. Their clients are the load's no more. */
  kill(nodes: readonly string[]): void {
    for (const node of nodes) {
      this.proxies.get(node)!.signal('SIGKILL');
      this.proxies.delete(node);
      void this.load.leave(this.#groups.get(node)!);
      this.#groups.delete(node);
    }
  }

  async untilEvery(isSo: (view: TierAnswer) => boolean): Promise<void> {
    for (const proxy of this.proxies.values()) await until(async () => isSo(await tierOf(proxy)));
  }

  /** Wall time at which each living proxy logged, from now on, that `address` is as said. */
  verdictTimes(address: string, verdict: 'up' | 'down'): Promise<readonly number[]> {
    const lines = [...this.proxies.values()].map((proxy) => proxy.line((line) => line.text === `backend ${verdict}` && line['address'] === address, proxy.log.length));
    return Promise.all(lines.map(async (line) => Date.parse(String((await line)['time']))));
  }

  /** Who speaks about `address` in the store. */
  async probersOf(address: string): Promise<readonly string[]> {
    const reports = await this.tier.redis.client().hgetall(tierKeys(TIER)[5]!);
    const [, lines = ''] = Object.entries(reports).find(([check]) => check.includes(address)) ?? [];
    return lines.split('\n').filter((line) => line !== '').map((line) => line.split(' ')[0]!);
  }

  /** Of the proxies that live now: what their clients asked for in `phase` and did not get, and all requests of the phase. */
  async lost(phase: string): Promise<{ readonly count: number; readonly of: number; readonly kinds: string }> {
    const report = await this.load.report();
    const groups = [...this.#groups.values()];
    const lost = lostOf(report, phase).filter(({ group }) => groups.includes(group));
    const kinds = [...new Set(lost.map(({ kind, status, method, isKept }) => `${kind} ${status} ${method} ${isKept ? 'kept' : 'new'}`))].join(', ');
    return { count: lost.length, of: report.phases.find(({ name }) => name === phase)?.requests ?? 0, kinds };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.load[Symbol.asyncDispose]();
    await this.tier[Symbol.asyncDispose]();
    await Promise.all(this.loaded.map((backend) => backend.kill()));
    await Promise.all(this.probed.map((backend) => backend[Symbol.asyncDispose]()));
  }
}

/** Connected, with nothing on its way, and nothing down. */
export function isCalm({ controlPlane, reason, members, verdicts, rollout }: TierAnswer): boolean {
  return controlPlane === 'connected' && reason === '' && rollout === null && verdicts.length === 0 && members.every(({ state }) => state === 'ready');
}

export function waitMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
