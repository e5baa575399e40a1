/** A listener of a checked config → what a worker runs of it: routes in order, each with every key that its protocol has none for. */
import { GRPC_STATUSES } from '../shared/grpc-status.ts';
import type { ActionSpec, HeaderEdits, ListenerSpec, MatchSpec, RateLimitSpec, RetrySpec, RouteSpec } from '../shared/snapshot.ts';
import { compileTls } from './compile-tls.ts';
import { TIMEOUT_STEP_MS } from './cross-checks.ts';
import { routeLabels } from './route-labels.ts';
import { httpDefaults, type Listener } from './schema/listeners.ts';
import { sniRoutes } from './sni-routes.ts';
import { defaultBurst } from './schema/rate-limit.ts';
import { causesOf } from './schema/retry.ts';
import { routeTimeouts } from './schema/routes.ts';
import { nodeAt, type MapNode } from './yaml-tree.ts';

type Route = Listener['routes'][number];
type HttpRoute = Extract<Listener, { protocol: 'http' }>['routes'][number];
/** A route whose label is still to be made. */
type Unnamed = Omit<RouteSpec, 'name'> & { readonly name: string | null };

/** Up to the next step of the sweep, so that a timeout is never shorter than written. */
export function steps(ms: number): number {
  return Math.ceil(ms / TIMEOUT_STEP_MS) * TIMEOUT_STEP_MS;
}

export function compileListener(name: string, listener: Listener, tree: MapNode): ListenerSpec {
  const isHttp = listener.protocol === 'http';
  const isUdp = listener.protocol === 'udp';
  const { limits: otherLimits, timeouts: otherTimeouts } = httpDefaults;
  const limits = { ...otherLimits, responses: 0, ...listener.limits };
  const timeouts = { ...otherTimeouts, ...listener.timeouts };
  const tls = isUdp || listener.tls === undefined ? null : compileTls(listener.tls, isHttp, nodeAt(tree, ['listeners', name, 'tls', 'certificates']));
  return {
    name,
    protocol: listener.protocol,
    binds: listener.bind,
    trustedProxies: isUdp ? [] : listener.trustedProxies,
    proxyProtocol: isUdp ? 'off' : listener.proxyProtocol,
    tls: isHttp && !listener.http2 ? withoutHttp2(tls) : tls,
    via: isHttp && listener.via,
    forwarded: isHttp && listener.forwarded,
    http2: isHttp && listener.http2,
    limits: {
      connections: limits.connections,
      headerBytesMax: limits.headerSize,
      headerCountMax: limits.headerCount,
      bodyBytesMax: limits.bodySize,
      responsesMax: limits.responses,
      handshakesMax: limits.handshakes,
      streamsMax: limits.streams,
      resetsMax: limits.resets,
      controlFramesMax: limits.controlFrames,
    },
    timeouts: { headerMs: steps(timeouts.header), bodyMs: steps(timeouts.body), sendMs: steps(timeouts.send), idleMs: steps(timeouts.idle), tunnelMs: steps(timeouts.tunnel) },
    routes: compileRoutes(listener),
  };
}

/** ALPN agrees on nothing that is refused afterwards. */
function withoutHttp2(tls: ListenerSpec['tls']): ListenerSpec['tls'] {
  return tls === null ? null : { ...tls, alpn: tls.alpn.filter((protocol) => protocol !== 'h2') };
}

/** What is short for routes comes after those written out: `sni`, then the listener's own `pool` as a last route. */
function compileRoutes(listener: Listener): RouteSpec[] {
  const routes: Unnamed[] = listener.routes.map((route) => (isHttpRoute(route, listener) ? compileHttpRoute(route) : plainRoute(route.pool, route.name, compileMatch(route.match))));
  if (listener.protocol === 'tcp') for (const { pattern, pool } of sniRoutes(listener.sni)) routes.push(plainRoute(pool!, undefined, { ...MATCH_ALL, sni: [pattern] }));
  if (listener.pool !== undefined) routes.push(plainRoute(listener.pool, undefined, MATCH_ALL));
  const labels = routeLabels(routes);
  return routes.map((route, index) => ({ ...route, name: labels[index]! }));
}

function isHttpRoute(_route: Route, { protocol }: Listener): _route is HttpRoute {
  return protocol === 'http';
}

const MATCH_ALL: MatchSpec = { host: null, path: null, method: null, header: null, query: null, cookie: null, source: null, sni: null, alpn: null };

function compileMatch(match: Route['match']): MatchSpec {
  const keys = Object.entries(match).filter(([, value]) => value !== undefined);
  return { ...MATCH_ALL, ...(Object.fromEntries(keys) as Partial<MatchSpec>) };
}

/** With the defaults that any route has. */
function plainRoute(pool: string, name: string | undefined, match: MatchSpec): Unnamed {
  return {
    name: name ?? null,
    match,
    action: { kind: 'pool', pool },
    rewrite: null,
    requestHeaders: null,
    responseHeaders: null,
    timeouts: { responseMs: routeTimeouts.response, idleMs: routeTimeouts.idle, totalMs: routeTimeouts.total },
    rateLimit: null,
    retry: null,
  };
}

function compileHttpRoute(route: HttpRoute): Unnamed {
  const { rewrite, timeouts } = route;
  return {
    name: route.name ?? null,
    match: compileMatch(route.match),
    action: compileAction(route),
    rewrite: rewrite === undefined ? null : { path: rewrite.path ?? null, prefix: prefixText(rewrite.prefix), host: rewrite.host ?? null },
    requestHeaders: compileEdits(route.requestHeaders),
    responseHeaders: compileEdits(route.responseHeaders),
    timeouts: { responseMs: steps(timeouts.response), idleMs: steps(timeouts.idle), totalMs: steps(timeouts.total) },
    rateLimit: compileRateLimit(route.rateLimit),
    retry: compileRetry(route.retry),
  };
}

function compileRateLimit(limit: HttpRoute['rateLimit']): RateLimitSpec | null {
  if (limit === undefined) return null;
  const { key, rate, burst, scope } = limit;
  return { key, count: rate.count, periodMs: rate.periodMs, burst: burst ?? defaultBurst(rate), scope };
}

function compileRetry(retry: HttpRoute['retry']): RetrySpec | null {
  if (retry === undefined) return null;
  const { attempts, when, budget, perTry } = retry;
  return {
    attemptsMax: attempts,
    statuses: when.filter((each) => typeof each === 'number'),
    grpcStatuses: when.flatMap((each) => GRPC_STATUSES[each] ?? []),
    causes: causesOf(when),
    budgetShare: budget,
    perTryMs: steps(perTry),
  };
}

/** Without its final slash, like the prefix of a match: what is left of a path begins with one. */
function prefixText(prefix: string | undefined): string | null {
  return prefix?.replace(/\/$/, '') ?? null;
}

function compileAction({ pool, redirect, respond }: HttpRoute): ActionSpec {
  if (pool !== undefined) return { kind: 'pool', pool };
  if (respond !== undefined) return { kind: 'respond', status: respond.status, body: respond.body, contentType: 'text/plain; charset=utf-8' };
  const { status, to, scheme, host, port, path, prefix } = redirect!;
  return { kind: 'redirect', status, to: to ?? null, scheme: scheme ?? null, host: host ?? null, port: port ?? null, path: path ?? null, prefix: prefixText(prefix) };
}

function compileEdits(edits: HttpRoute['requestHeaders']): HeaderEdits | null {
  if (edits === undefined) return null;
  const set = Object.entries(edits.set);
  const add = Object.entries(edits.add);
  return edits.remove.length + set.length + add.length === 0 ? null : { remove: edits.remove, set, add };
}
