/** A checked config → the snapshot that the data plane runs. Nothing is checked here, and nothing can fail. */
import { resolve } from 'node:path';
import { findBalancer } from '../data-plane/balance/registry.ts';
import { isRolePool, type AdminSpec, type AlgorithmSpec, type BackendSpec, type BindSpec, type LogSpec, type PoolSpec, type Snapshot, type TierSpec } from '../shared/snapshot.ts';
import { compileHealths } from './compile-health.ts';
import { compileListener, steps } from './compile-listener.ts';
import { compilePoolTls } from './compile-tls.ts';
import { isModulePath } from './schema/algorithm.ts';
import type { Config } from './schema/config.ts';
import { nodeAt, type MapNode } from './yaml-tree.ts';

export interface CompileOptions {
  readonly number: number;
  readonly sha: string;
  readonly effectiveSha: string;
  /** What the config was read from: tells which values came from elsewhere. */
  readonly tree: MapNode;
  /** Folder of the config file: relative paths start there. */
  readonly folder: string;
  /** Given by a flag in place of the file's `admin.bind`; null: none. */
  readonly adminBind: BindSpec | null;
  /** Given by a flag in place of the file's `tier.store`; null: none. */
  readonly store: string | null;
  /** Whether logs go to a terminal: then they are text unless the file says otherwise. */
  readonly stdoutIsTerminal: boolean;
}

type Pool = Config['pools'][string];

export function compile(config: Config, options: CompileOptions): Snapshot {
  return {
    number: options.number,
    sha: options.sha,
    effectiveSha: options.effectiveSha,
    listeners: Object.entries(config.listeners).map(([name, listener]) => compileListener(name, listener, options.tree)),
    pools: Object.entries(config.pools).map(([name, pool]) => compilePool(name, pool, options)),
    tier: compileTier(config.tier, options),
    drain: { delayMs: config.drain.delay, timeoutMs: config.drain.timeout, removedMs: config.drain.removed },
    admin: compileAdmin(config.admin, options),
    log: compileLog(config.log, options),
  };
}

function compileTier({ name, store, heartbeat, lease, probers }: Config['tier'], options: CompileOptions): TierSpec {
  return { name, store: options.store ?? store, heartbeatMs: heartbeat, leaseMs: lease, probers };
}

function compilePool(name: string, pool: Pool, { folder, tree }: CompileOptions): PoolSpec {
  const { outlier, connections } = pool;
  const health = compileHealths(pool.health ?? [], nodeAt(tree, ['pools', name, 'health']));
  return {
    name,
    algorithm: compileAlgorithm(pool.algorithm, folder),
    protocol: pool.protocol,
    proxyProtocol: pool.proxyProtocol,
    tls: pool.tls === undefined ? null : compilePoolTls(pool.tls),
    onDown: pool.onDown,
    fence: pool.fence,
    backends: pool.backends.map(compileBackend),
    health,
    outlier: outlier === 'off' ? null : { consecutiveFailures: outlier.consecutiveFailures, ejectForMs: outlier.ejectFor, maxEjectedShare: outlier.maxEjected },
    // A backend without the role must never be used for want of another.
    panicShare: isRolePool({ health }) ? 0 : pool.panicThreshold,
    connections: { perBackend: connections.perBackend, connectTimeoutMs: steps(connections.connectTimeout), idleMs: steps(connections.idle) },
  };
}

function compileBackend(backend: Pool['backends'][number]): BackendSpec {
  return { ...backend.address, weight: backend.weight, priority: backend.priority, state: backend.state };
}

function compileAlgorithm({ name, key, ...options }: Pool['algorithm'], folder: string): AlgorithmSpec {
  const isOwn = isModulePath(name);
  const fixedKey = isOwn ? undefined : findBalancer(name)?.fixedKey;
  return { name: isOwn ? 'module' : name, module: isOwn ? resolve(folder, name) : null, options, key: fixedKey ?? key ?? { kind: 'client-ip', name: '' } };
}

function compileAdmin(admin: Config['admin'], options: CompileOptions): AdminSpec {
  const secret = (token: string): string | null => (token === 'none' ? null : token);
  return { bind: options.adminBind ?? admin.bind, token: secret(admin.token), readToken: secret(admin.readToken) };
}

function compileLog(log: Config['log'], options: CompileOptions): LogSpec {
  const { format, to } = log.access;
  return {
    level: log.level,
    format: log.format ?? (options.stdoutIsTerminal ? 'text' : 'json'),
    access: { format, to: to === 'stdout' ? to : resolve(options.folder, to) },
  };
}
