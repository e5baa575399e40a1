/**
 * The rest of a process as the admin interface sees it: a real table, real
 * counter pages and a real event log, with rows given out in the snapshot's
 * order, and the supervisor's part played in memory. Tests change its fields.
 */
import { EventLog, type ProxyState } from '../../src/observe/event-log.ts';
import type { LastReload, PoolProbeCounts, RoleStatus, RunningConfig, TierFigures, WorkerView } from '../../src/observe/metrics-source.ts';
import { systemClock, type Clock } from '../../src/base/clock.ts';
import type { AdminContext, BackendNote, BackendStateChange, CommandOutcome, ConfigVersion, ReloadOutcome } from '../../src/control-plane/admin/admin-context.ts';
import { AdminServer } from '../../src/control-plane/admin/admin-server.ts';
import type { RowCheck } from '../../src/control-plane/health/row-verdict.ts';
import type { TicketState } from '../../src/control-plane/tickets/ticket-keeper.ts';
import type { ConfigDesk } from '../../src/control-plane/rollout/config-desk.ts';
import type { MemberOrders } from '../../src/control-plane/member-orders.ts';
import type { Membership } from '../../src/control-plane/membership/membership.ts';
import type { Log } from '../../src/observe/log.ts';
import { BackendTable } from '../../src/shared/backend-table.ts';
import { CounterPages } from '../../src/shared/counter-pages.ts';
import type { Snapshot } from '../../src/shared/snapshot.ts';
import { plainListener, plainPool, plainSnapshot } from './plain-snapshot.ts';

export const LOADED_AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const HASH = 'a'.repeat(64);

export interface WorldOptions {
  readonly snapshot?: Partial<Snapshot>;
  readonly workers?: number;
  readonly clock?: Clock;
  readonly node?: string;
}

export class AdminWorld implements AdminContext {
  readonly version = '1.2.3';
  readonly node: string;
  readonly startedAtMs = LOADED_AT_MS - 60_000;
  readonly addresses: readonly string[] = ['192.0.2.10'];
  readonly clock: Clock;
  readonly events: EventLog;
  readonly table = new BackendTable();
  readonly counters: CounterPages[];
  readonly notes = new Map<number, BackendNote>();
  readonly roles = new Map<string, RoleStatus>();
  readonly probes = new Map<string, PoolProbeCounts>();
  readonly logged: { level: string; text: string }[] = [];
  workerViews: WorkerView[];
  reasons: string[] = [];
  proxyState: ProxyState = 'ready';
  text = 'pools: {}\n';
  versions: ConfigVersion[] = [{ version: 1, hash: HASH, effectiveHash: HASH, loadedAtMs: LOADED_AT_MS }];
  nextOutcome: CommandOutcome = { kind: 'done' };
  nextReload: ReloadOutcome = { kind: 'done', version: 1, changed: false, warnings: [] };
  reload_: LastReload = { ok: true, atMs: LOADED_AT_MS, succeededAtMs: LOADED_AT_MS, problems: [] };
  config: RunningConfig | null = null;
  tierMembership: Membership | null = null;
  orders: MemberOrders | null = null;
  desk: ConfigDesk | null = null;
  figures: TierFigures | null = null;
  readonly checks = new Map<number, string>();
  readonly #rows = new Map<string, number>();

  constructor({ snapshot = {}, workers = 2, clock = systemClock, node = 'proxy-a' }: WorldOptions = {}) {
    this.node = node;
    this.clock = clock;
    this.events = new EventLog(clock);
    this.counters = Array.from({ length: workers }, () => new CounterPages());
    this.workerViews = this.counters.map((_pages, index) => ({ index, state: 'running', restarts: 0, startedAtMs: LOADED_AT_MS, silentMs: 10, utilization: 0.25 }));
    this.load({ sha: HASH, effectiveSha: HASH, ...snapshot });
  }

  /** Makes `snapshot` the running one; what has a row already keeps it. */
  load(parts: Partial<Snapshot>): RunningConfig {
    const snapshot = plainSnapshot({ sha: HASH, effectiveSha: HASH, ...parts });
    const row = (kind: string, ...names: string[]): number => {
      const key = JSON.stringify([kind, ...names]);
      const found = this.#rows.get(key) ?? [...this.#rows.keys()].filter((known) => known.startsWith(`["${kind}"`)).length;
      this.#rows.set(key, found);
      return found;
    };
    // Backends by the thousand are numbered without a search for each.
    let next = [...this.#rows.keys()].filter((known) => known.startsWith('["backend"')).length;
    const backendRow = (pool: string, address: string): number => {
      const key = JSON.stringify(['backend', pool, address]);
      const found = this.#rows.get(key) ?? next++;
      this.#rows.set(key, found);
      return found;
    };
    const rows = {
      listeners: Int32Array.from(snapshot.listeners, ({ name }) => row('listener', name)),
      routes: Int32Array.from(snapshot.listeners.flatMap(({ name, routes }) => routes.map((route) => row('route', name, route.name)))),
      pools: Int32Array.from(snapshot.pools, ({ name }) => row('pool', name)),
      backends: Int32Array.from(snapshot.pools.flatMap(({ name, backends }) => backends.map(({ address }) => backendRow(name, address)))),
    };
    const highest = { listeners: 64, pools: 256, routes: 256, backends: Math.max(1, next) };
    this.table.ensure(highest);
    for (const pages of this.counters) pages.ensure(highest);
    const backends = snapshot.pools.flatMap((pool) => pool.backends);
    for (const [i, backend] of backends.entries()) {
      const cells = this.table.backend(rows.backends[i]!);
      cells.verdict = 'up';
      cells.state = backend.state;
      cells.weight = backend.weight;
    }
    const ports = snapshot.listeners.map((listener) => listener.binds.map((bind) => bind.port || 18080));
    this.config = { snapshot, rows, ports, loadedAtMs: LOADED_AT_MS };
    return this.config;
  }

  /** Row of a backend of the running config. */
  backendRow(pool: string, address: string): number {
    return this.#rows.get(JSON.stringify(['backend', pool, address]))!;
  }

  running(): RunningConfig | null {
    return this.config;
  }
  roleStatus(pool: string): RoleStatus | null {
    return this.roles.get(pool) ?? null;
  }

  ticketKeys(): TicketState {
    return { keys: 'own', reason: '' };
  }

  lastReload(): LastReload {
    return this.reload_;
  }
  workers(): readonly WorkerView[] {
    return this.workerViews;
  }
  probeCounts(pool: string): PoolProbeCounts | null {
    return this.probes.get(pool) ?? null;
  }
  state(): ProxyState {
    return this.proxyState;
  }
  notReadyReasons(): readonly string[] {
    return this.reasons;
  }
  backendNote(row: number): BackendNote {
    return this.notes.get(row) ?? { sinceMs: LOADED_AT_MS, reason: '', operator: null };
  }
  tier(): TierFigures | null {
    return this.figures;
  }
  configDesk(): ConfigDesk | null {
    return this.desk;
  }
  membership(): Membership | null {
    return this.tierMembership;
  }
  memberOrders(): MemberOrders | null {
    return this.orders;
  }
  checksOf(row: number): readonly RowCheck[] {
    const key = this.checks.get(row);
    return key === undefined ? [] : [{ key, label: '' }];
  }
  configText(): string {
    return this.text;
  }
  configVersions(): readonly ConfigVersion[] {
    return this.versions;
  }
  setBackendState(pool: string, address: string, { state, weight, reason = '' }: BackendStateChange): Promise<CommandOutcome> {
    if (this.nextOutcome.kind !== 'done') return Promise.resolve(this.nextOutcome);
    const row = this.backendRow(pool, address);
    const cells = this.table.backend(row);
    if (state !== undefined) cells.state = state;
    if (typeof weight === 'number') cells.weight = weight;
    if (weight === null) cells.weight = 1;
    this.notes.set(row, { sinceMs: LOADED_AT_MS, reason, operator: { state: cells.state, weight: weight ?? null, reason, by: this.node, atMs: LOADED_AT_MS } });
    this.events.emit({ type: 'backend-state', pool, address, state: cells.state, weight: cells.weight, reason });
    return Promise.resolve({ kind: 'done' });
  }
  drain(): Promise<CommandOutcome> {
    if (this.nextOutcome.kind === 'done') this.proxyState = 'draining';
    return Promise.resolve(this.nextOutcome);
  }
  undrain(): Promise<CommandOutcome> {
    if (this.nextOutcome.kind === 'done') this.proxyState = 'ready';
    return Promise.resolve(this.nextOutcome);
  }
  reload(): Promise<ReloadOutcome> {
    return Promise.resolve(this.nextReload);
  }
}

/** `pools` pools of `each` backends, and one listener with a route to each. */
export function largeSnapshot(pools: number, each: number): Partial<Snapshot> {
  const names = Array.from({ length: pools }, (_, i) => `pool${i}`);
  return {
    listeners: [plainListener('web', 0, '127.0.0.1', names)],
    pools: names.map((name, p) => plainPool(name, Array.from({ length: each }, (_, i) => `10.${p}.${i >> 8}.${i & 255}:8080`))),
  };
}

/** A log that keeps what it is told in `world.logged`. */
export function keepingLog(world: AdminWorld): Log {
  const write = (level: string, text: string): void => void world.logged.push({ level, text });
  return {
    write,
    debug: (text) => write('debug', text),
    info: (text) => write('info', text),
    warn: (text) => write('warn', text),
    error: (text) => write('error', text),
  };
}

export interface StartedAdmin {
  readonly admin: AdminServer;
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

/** The real interface on a free port of loopback, over `world`. */
export async function startAdmin(world: AdminWorld): Promise<StartedAdmin> {
  const admin = new AdminServer({ context: world, log: keepingLog(world), bind: null });
  const problems = await admin.prepare(world.config!);
  if (problems.length > 0) throw new Error(problems.join('; '));
  admin.commit(world.config!);
  const { port } = admin.address()!;
  return { admin, port, url: `http://127.0.0.1:${port}`, close: () => admin.close() };
}
