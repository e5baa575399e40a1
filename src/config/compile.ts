/** A checked config → the snapshot that the data plane runs. Nothing is checked here, and nothing can fail. */
import { resolve } from 'node:path';
import { findBalancer } from '../data-plane/balance/registry.ts';
import type {
  ActionSpec, AdminSpec, AlgorithmSpec, BackendSpec, BindSpec, HeaderEdits, HealthSpec, ListenerSpec, LogSpec, MatchSpec, PoolSpec, RateLimitSpec, RouteSpec, Snapshot, TierSpec,
} from '../shared/snapshot.ts';
import { TIMEOUT_STEP_MS } from './cross-checks.ts';
import { routeLabels } from './route-labels.ts';
import { isModulePath } from './schema/algorithm.ts';
import type { Config } from './schema/config.ts';
import { scheduleKeys } from './schema/health.ts';
import { defaultBurst } from './schema/rate-limit.ts';
import { routeTimeouts } from './schema/routes.ts';

export interface CompileOptions {
  readonly number: number;
  readonly sha: string;
  readonly effectiveSha: string;
  /** Folder of the config file: relative paths start there. */
  readonly folder: string;
  /** Given by a flag in place of the file's `admin.bind`; null: none. */
  readonly adminBind: BindSpec | null;
  /** Given by a flag in place of the file's `tier.store`; null: none. */
  readonly store: string | null;
  /** Whether logs go to a terminal: then they are text unless the file says otherwise. */
  readonly stdoutIsTerminal: boolean;
}

type Listener = Config['listeners'][string];
type Route = Listener['routes'][number];
type Pool = Config['pools'][string];

export function compile(config: Config, options: CompileOptions): Snapshot {
  return {
    number: options.number,
    sha: options.sha,
    effectiveSha: options.effectiveSha,
    listeners: Object.entries(config.listeners).map(([name, listener]) => compileListener(name, listener)),
    pools: Object.entries(config.pools).map(([name, pool]) => compilePool(name, pool, options.folder)),
    tier: compileTier(config.tier, options),
    drain: { delayMs: config.drain.delay, timeoutMs: config.drain.timeout, removedMs: config.drain.removed },
    admin: compileAdmin(config.admin, options),
    log: compileLog(config.log, options),
  };
}

function compileTier({ name, store, heartbeat, lease, probers }: Config['tier'], options: CompileOptions): TierSpec {
  return { name, store: options.store ?? store, heartbeatMs: heartbeat, leaseMs: lease, probers };
}

/** Up to the next step of the sweep, so that a timeout is never shorter than written. */
function steps(ms: number): number {
  return Math.ceil(ms / TIMEOUT_STEP_MS) * TIMEOUT_STEP_MS;
}

function compileListener(name: string, listener: Listener): ListenerSpec {
  const { limits, timeouts } = listener;
  return {
    name,
    protocol: listener.protocol,
    binds: listener.bind,
    trustedProxies: listener.trustedProxies,
    proxyProtocol: listener.proxyProtocol,
    via: listener.via,
    forwarded: listener.forwarded,
    limits: { connections: limits.connections, headerBytesMax: limits.headerSize, headerCountMax: limits.headerCount, bodyBytesMax: limits.bodySize, responsesMax: 0 },
    timeouts: { headerMs: steps(timeouts.header), bodyMs: steps(timeouts.body), sendMs: steps(timeouts.send), idleMs: steps(timeouts.idle), tunnelMs: steps(timeouts.tunnel) },
    routes: compileRoutes(listener),
  };
}

/** A listener's own `pool` becomes a last route, with the defaults that any route has. */
function compileRoutes(listener: Listener): RouteSpec[] {
  const matches = listener.routes.map((route) => compileMatch(route.match));
  const named = listener.routes.map((route, index) => ({ name: route.name ?? null, match: matches[index]! }));
  if (listener.pool !== undefined) named.push({ name: null, match: MATCH_ALL });
  const labels = routeLabels(named);
  const routes = listener.routes.map((route, index) => compileRoute(route, labels[index]!, matches[index]!));
  if (listener.pool !== undefined) {
    const action: ActionSpec = { kind: 'pool', pool: listener.pool };
    routes.push({ name: labels.at(-1)!, match: MATCH_ALL, action, rewrite: null, requestHeaders: null, responseHeaders: null, timeouts: { responseMs: routeTimeouts.response, idleMs: routeTimeouts.idle, totalMs: routeTimeouts.total }, rateLimit: null });
  }
  return routes;
}

const MATCH_ALL: MatchSpec = { host: null, path: null, method: null, header: null, query: null, cookie: null, source: null, sni: null, alpn: null };

function compileMatch(match: Route['match']): MatchSpec {
  return {
    host: match.host ?? null,
    path: match.path ?? null,
    method: match.method ?? null,
    header: match.header ?? null,
    query: match.query ?? null,
    cookie: match.cookie ?? null,
    source: match.source ?? null,
    sni: null,
    alpn: null,
  };
}

function compileRoute(route: Route, name: string, match: MatchSpec): RouteSpec {
  const { rewrite, timeouts } = route;
  return {
    name,
    match,
    action: compileAction(route),
    rewrite: rewrite === undefined ? null : { path: rewrite.path ?? null, prefix: prefixText(rewrite.prefix), host: rewrite.host ?? null },
    requestHeaders: compileEdits(route.requestHeaders),
    responseHeaders: compileEdits(route.responseHeaders),
    timeouts: { responseMs: steps(timeouts.response), idleMs: steps(timeouts.idle), totalMs: steps(timeouts.total) },
    rateLimit: compileRateLimit(route.rateLimit),
  };
}

function compileRateLimit(limit: Route['rateLimit']): RateLimitSpec | null {
  if (limit === undefined) return null;
  const { key, rate, burst, scope } = limit;
  return { key, count: rate.count, periodMs: rate.periodMs, burst: burst ?? defaultBurst(rate), scope };
}

/** Without its final slash, like the prefix of a match: what is left of a path begins with one. */
function prefixText(prefix: string | undefined): string | null {
  return prefix?.replace(/\/$/, '') ?? null;
}

function compileAction({ pool, redirect, respond }: Route): ActionSpec {
  if (pool !== undefined) return { kind: 'pool', pool };
  if (respond !== undefined) return { kind: 'respond', status: respond.status, body: respond.body, contentType: 'text/plain; charset=utf-8' };
  const { status, to, scheme, host, port, path, prefix } = redirect!;
  return { kind: 'redirect', status, to: to ?? null, scheme: scheme ?? null, host: host ?? null, port: port ?? null, path: path ?? null, prefix: prefixText(prefix) };
}

function compileEdits(edits: Route['requestHeaders']): HeaderEdits | null {
  if (edits === undefined) return null;
  const set = Object.entries(edits.set);
  const add = Object.entries(edits.add);
  return edits.remove.length + set.length + add.length === 0 ? null : { remove: edits.remove, set, add };
}

function compilePool(name: string, pool: Pool, folder: string): PoolSpec {
  const { outlier, connections } = pool;
  return {
    name,
    algorithm: compileAlgorithm(pool.algorithm, folder),
    protocol: pool.protocol,
    proxyProtocol: pool.proxyProtocol,
    onDown: pool.onDown,
    fence: pool.fence,
    backends: pool.backends.map(compileBackend),
    health: pool.health === undefined ? null : compileHealth(pool.health),
    outlier: outlier === 'off' ? null : { consecutiveFailures: outlier.consecutiveFailures, ejectForMs: outlier.ejectFor, maxEjectedShare: outlier.maxEjected },
    panicShare: pool.panicThreshold,
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

function compileHealth(health: NonNullable<Pool['health']>): HealthSpec {
  return {
    type: health.type,
    options: Object.fromEntries(Object.entries(health).filter(([key]) => !scheduleKeys.has(key))),
    port: health.port ?? null,
    intervalMs: health.interval,
    timeoutMs: health.timeout,
    rise: health.rise,
    fall: health.fall,
    fastIntervalMs: health.fastInterval,
  };
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
