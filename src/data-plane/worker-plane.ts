/**
 * The data plane of one worker: its listeners and the config they run. A
 * config is prepared aside (everything built, new sockets bound but silent)
 * and then committed in one turn of the loop, or aborted without a trace.
 */
import type { Snapshot } from '../shared/snapshot.ts';
import type { SnapshotRows } from '../shared/thread-messages.ts';
import type { Listener, BindAddress } from './listen/listener.ts';
import { findListenerKind } from './listen/registry.ts';
import { buildLiveConfig, type LiveConfig } from './live/live-config.ts';
import type { WorkerContext } from './live/worker-context.ts';
import { Pipeline } from './pipeline.ts';

interface Prepared {
  readonly config: LiveConfig;
  /** What each listener of it listens on, by name. */
  readonly addresses: ReadonlyMap<string, readonly BindAddress[]>;
  /** Listeners made for it, not yet accepting. */
  readonly fresh: ReadonlyMap<string, Listener>;
  /** What was bound for it on listeners that run already. */
  readonly added: ReadonlyMap<Listener, readonly BindAddress[]>;
}

export class WorkerPlane {
  readonly #context: WorkerContext;
  readonly #pipeline: Pipeline;
  readonly #listeners = new Map<string, Listener>();
  /** Out of the config, with connections still open. */
  readonly #retired = new Set<Listener>();
  #config: LiveConfig | null = null;
  #prepared: Prepared | null = null;
  /** What each listener listens on, by name. */
  #bound = new Map<string, readonly BindAddress[]>();

  constructor(context: WorkerContext) {
    this.#context = context;
    this.#pipeline = new Pipeline(context);
  }

  get config(): LiveConfig | null {
    return this.#config;
  }

  get openConnections(): number {
    let sum = 0;
    for (const listener of [...this.#listeners.values(), ...this.#retired]) sum += listener.openConnections;
    return sum;
  }

  /** @throws Error whose message says what refused it (a bind, an algorithm); nothing is left behind. */
  async prepare(snapshot: Snapshot, number: number, rows: SnapshotRows, ports: readonly (readonly number[])[]): Promise<void> {
    this.abort();
    const config = await buildLiveConfig(snapshot, number, rows, this.#config, this.#context);
    const addresses = new Map<string, readonly BindAddress[]>();
    snapshot.listeners.forEach((spec, i) => addresses.set(spec.name, spec.binds.map((bind, j) => ({ host: bind.host, port: ports[i]![j]! }))));
    const fresh = new Map<string, Listener>();
    const added = new Map<Listener, readonly BindAddress[]>();
    this.#prepared = { config, addresses, fresh, added };
    try {
      for (const [name, wanted] of addresses) await this.#bindNew(name, wanted, config, fresh, added);
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  async #bindNew(name: string, wanted: readonly BindAddress[], config: LiveConfig, fresh: Map<string, Listener>, added: Map<Listener, readonly BindAddress[]>): Promise<void> {
    const live = config.listeners.get(name)!;
    const running = this.#listeners.get(name);
    // Of another protocol it is another listener: the former is retired at the commit.
    if (running !== undefined && running.live.spec.protocol === live.spec.protocol) {
      const missing = wanted.filter((address) => !running.isBound(address));
      await running.bind(missing);
      if (missing.length > 0) added.set(running, missing);
      return;
    }
    const listener = findListenerKind(live.spec.protocol)!.create(live, this.#pipeline, this.#context);
    await listener.bind(wanted);
    fresh.set(name, listener);
  }

  abort(): void {
    const prepared = this.#prepared;
    this.#prepared = null;
    if (prepared === null) return;
    for (const listener of prepared.fresh.values()) listener.retire();
    for (const [listener, missing] of prepared.added) {
      const kept = this.#addressesOf(listener.name).filter((address) => !missing.some((other) => isSame(address, other)));
      listener.keepOnly(kept);
    }
  }

  #addressesOf(name: string): readonly BindAddress[] {
    return this.#bound.get(name) ?? [];
  }

  /** One turn of the loop: before it the old config serves, after it the new one. */
  commit(number: number): void {
    const prepared = this.#prepared;
    if (prepared?.config.number !== number) throw new Error(`config ${number} was not prepared`);
    this.#prepared = null;
    const former = this.#config;
    const { config } = prepared;
    this.#config = config;
    this.#bound = new Map(prepared.addresses);
    for (const [name, pool] of config.pools) pool.balancer.activate(former?.pools.get(name)?.balancer ?? null);
    for (const [name, pool] of former?.pools ?? []) if (!config.pools.has(name)) pool.balancer.retire();
    this.#swapBackends(former, config);
    this.#swapListeners(prepared);
  }

  #swapBackends(former: LiveConfig | null, config: LiveConfig): void {
    for (const pool of config.pools.values()) for (const backend of pool.backends) backend.setConnect(pool.spec.connections, pool.spec.protocol, pool.secure);
    for (const backend of config.backends.values()) backend.restore();
    if (former === null) return;
    const removed = [...former.backends].filter(([row, backend]) => config.backends.get(row) !== backend).map(([, backend]) => backend);
    for (const backend of removed) {
      backend.remove();
      // It was a role pool's: it may be a former primary from now on.
      if (backend.row.withdrawn) backend.sever();
    }
    const { removedMs } = config.snapshot.drain;
    if (removed.length > 0 && removedMs > 0) this.#context.clock.after(removedMs, () => removed.forEach((backend) => backend.cut()));
  }

  #swapListeners({ config, addresses, fresh }: Prepared): void {
    for (const [name, listener] of [...this.#listeners]) {
      if (config.listeners.has(name) && !fresh.has(name)) continue;
      this.#listeners.delete(name);
      this.#retire(listener, config.snapshot.drain.removedMs);
    }
    for (const [name, listener] of fresh) this.#listeners.set(name, listener);
    for (const [name, live] of config.listeners) {
      const listener = this.#listeners.get(name)!;
      listener.setLive(live);
      listener.keepOnly(addresses.get(name)!);
      listener.accept();
    }
  }

  #retire(listener: Listener, removedMs: number): void {
    listener.retire();
    if (listener.openConnections === 0) return;
    this.#retired.add(listener);
    if (removedMs === 0) return;
    this.#context.clock.after(removedMs, () => {
      listener.cut();
      this.#retired.delete(listener);
    });
  }

  /** Stops accepting; connections close after their next answer, or once they are quiet. */
  stop(): void {
    this.#context.isStopping = true;
    this.abort();
    for (const listener of this.#listeners.values()) listener.retire();
  }

  /** Ends every connection. */
  cut(): void {
    for (const listener of [...this.#listeners.values(), ...this.#retired]) listener.cut();
  }

  /** The coarse tick: what happens with time alone. */
  tick(nowMs: number): void {
    for (const pool of this.#config?.pools.values() ?? []) {
      pool.balancer.readmitExpired(nowMs);
      if (pool.hasLimit) for (const backend of pool.backends) backend.yieldPlaces();
      if (pool.spec.onDown === 'close') pool.cutDown();
      if (pool.isRolePool) pool.severOthers();
    }
    for (const listener of this.#listeners.values()) listener.tick();
    for (const listener of this.#retired) if (listener.openConnections === 0) this.#retired.delete(listener);
  }
}

function isSame(a: BindAddress, b: BindAddress): boolean {
  return a.host === b.host && a.port === b.port;
}
