/** Proxies of one tier as processes of their own, over a redis-server of the test's own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisServer } from './redis-server.ts';
import { weirCommand, type CommandResult } from './weir-command.ts';
import { until, WeirProcess, type WeirOptions } from './weir-process.ts';

/** A config whose listener `web` answers every path with `body`. */
export function tierConfig(redisPort: number, body: string, more = ''): string {
  return `
listeners:
  web: { bind: "127.0.0.1:0", routes: [{ respond: { status: 200, body: ${JSON.stringify(body)} } }] }
pools: {}
tier: { name: test, store: "redis://127.0.0.1:${redisPort}", heartbeat: 500ms, lease: 2s }
admin: { bind: "127.0.0.1:0" }
drain: { delay: 0, timeout: 5s }
${more}`;
}

export class TierProcesses implements AsyncDisposable {
  redis: RedisServer;
  readonly folder: string;
  readonly proxies: WeirProcess[] = [];

  private constructor(redis: RedisServer, folder: string) {
    this.redis = redis;
    this.folder = folder;
  }

  static async start(): Promise<TierProcesses> {
    return new TierProcesses(await RedisServer.start(), await mkdtemp(join(tmpdir(), 'weir-tier-')));
  }

  stateDir(node: string): string {
    return join(this.folder, `state-${node}`);
  }

  /** Begins to start a proxy; its state directory outlives it. */
  async spawn(node: string, yaml: string, options: WeirOptions = {}): Promise<WeirProcess> {
    const args = ['--node', node, '--state-dir', this.stateDir(node), '--workers', '1', ...(options.args ?? [])];
    const proxy = await WeirProcess.spawn(yaml, { ...options, args });
    this.proxies.push(proxy);
    return proxy;
  }

  /** Starts these, all with `yaml`; resolves when all are ready. */
  async up(nodes: readonly string[], yaml: string): Promise<WeirProcess[]> {
    const started = await Promise.all(nodes.map((node) => this.spawn(node, yaml)));
    await Promise.all(started.map((proxy) => proxy.line(({ text }) => text === 'ready')));
    return started;
  }

  /** Empty, on the port it had. */
  async restartRedis(port: number): Promise<void> {
    this.redis = await RedisServer.start({ port });
  }

  /** `weir COMMAND … --admin` of that proxy. */
  command(proxy: WeirProcess, ...args: string[]): Promise<CommandResult> {
    return weirCommand(...args, '--admin', `127.0.0.1:${proxy.adminPort}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.proxies.map((proxy) => proxy.stop()));
    await this.redis.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Until all of them answer with `body`. */
export async function allAnswer(proxies: readonly WeirProcess[], body: string): Promise<void> {
  await until(async () => {
    const answers = await Promise.all(proxies.map((proxy) => proxy.get('/')));
    return answers.every((answer) => answer.body === body);
  });
}
