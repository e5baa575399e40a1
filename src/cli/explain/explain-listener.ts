/** What one listener does with a request: the table's own answer, and why the routes before it did not take the request. */
import { MismatchFinder, type Mismatch } from '../../data-plane/route/mismatch.ts';
import { pathReadings } from '../../data-plane/route/path-readings.ts';
import { AMBIGUOUS_PATH, NO_ROUTE, type RouteQuery } from '../../data-plane/route/route-query.ts';
import { compileRoutes } from '../../data-plane/route/route-table.ts';
import { AddressSet } from '../../net/address.ts';
import { formatRate } from '../../config/units.ts';
import type { ListenerSpec, RateLimitSpec, RouteSpec, Snapshot } from '../../shared/snapshot.ts';
import { explainAction, type ActionExplanation } from './explain-action.ts';
import { routeQueryOf, type AskedRequest } from './explain-request.ts';
import { retryText } from './explain-retry.ts';

/** More routes than these are only counted: the nearest misses are shown. */
const MISSES_MAX = 20;

export interface RouteName {
  /** 1 for the first in the file. */
  readonly position: number;
  readonly name: string;
}

export interface MissExplanation extends RouteName {
  /** The reading of the path it did not take. */
  readonly reading: string;
  readonly mismatch: Mismatch;
}

export interface ListenerExplanation {
  readonly listener: string;
  readonly binds: readonly string[];
  /** The rightmost untrusted address. */
  readonly client: string;
  readonly outcome: 'route' | 'no-route' | 'ambiguous-path';
  /** Of this proxy's own answer; null: a backend's. */
  readonly status: number | null;
  /** The path as sent, and its other readings if routing has to ask for them; each with its route. */
  readonly readings: readonly { readonly path: string; readonly route: RouteName | null }[];
  readonly route: RouteName | null;
  /** What the route lets through (`100/s by client-ip, bursts of 200, scope tier`); null: everything. */
  readonly rateLimit: string | null;
  /** After what the route sends it again, and how often; null: as without `retry`. */
  readonly retry: string | null;
  readonly action: ActionExplanation | null;
  /** Routes asked before and why they did not hold, in file order: the nearest misses. */
  readonly misses: readonly MissExplanation[];
  /** How many more routes did not hold. */
  readonly missesMore: number;
}

export function explainListener(snapshot: Snapshot, listener: ListenerSpec, asked: AskedRequest): ListenerExplanation {
  const request = routeQueryOf(asked, new AddressSet(listener.trustedProxies));
  const found = compileRoutes(listener.routes).find(request);
  const finder = new MismatchFinder();
  const readings = pathReadings(asked.path).map((path) => ({ path, ...walk(listener.routes, finder, request, path) }));
  const route = found >= 0 ? listener.routes[found]! : null;
  const action = route === null ? null : explainAction(snapshot, route, asked, request);
  const misses = readings.flatMap((reading) => reading.misses);
  const nearest = nearestOf(misses);
  return {
    listener: listener.name,
    binds: listener.binds.map((bind) => bind.text),
    client: request.clientAddress(),
    outcome: found === NO_ROUTE ? 'no-route' : found === AMBIGUOUS_PATH ? 'ambiguous-path' : 'route',
    status: found === NO_ROUTE ? 404 : found === AMBIGUOUS_PATH ? 400 : action !== null && action.kind !== 'pool' ? action.status : null,
    readings: readings.map(({ path, index }) => ({ path, route: nameOf(listener.routes, index) })),
    route: nameOf(listener.routes, found),
    rateLimit: limitText(route?.rateLimit ?? null),
    retry: retryText(route?.retry ?? null, asked),
    action,
    misses: nearest,
    missesMore: new Set(misses.map((miss) => miss.position)).size - new Set(nearest.map((miss) => miss.position)).size,
  };
}

function limitText(limit: RateLimitSpec | null): string | null {
  if (limit === null) return null;
  const { key, burst, scope } = limit;
  return `${formatRate(limit)} by ${key.name === '' ? key.kind : `${key.kind}:${key.name}`}, bursts of ${burst}, scope ${scope}`;
}

/** Asks route by route, as the file reads. */
function walk(routes: readonly RouteSpec[], finder: MismatchFinder, request: RouteQuery, reading: string): { index: number; misses: MissExplanation[] } {
  const misses: MissExplanation[] = [];
  for (let index = 0; index < routes.length; index++) {
    const mismatch = finder.find(routes[index]!.match, request, reading);
    if (mismatch === null) return { index, misses };
    misses.push({ ...nameOf(routes, index)!, reading, mismatch });
  }
  return { index: NO_ROUTE, misses };
}

/** A miss is nearer the more of its keys held, and then the later it stands; a route that two readings miss alike is told once. */
function nearestOf(misses: readonly MissExplanation[]): MissExplanation[] {
  const told = new Set<string>();
  const distinct = misses.filter(({ position, mismatch }) => {
    const key = `${position} ${mismatch.key} ${mismatch.seen.join()}`;
    return told.has(key) ? false : told.add(key);
  });
  const byNearness = distinct.sort((a, b) => b.mismatch.held - a.mismatch.held || b.position - a.position);
  return byNearness.slice(0, MISSES_MAX).sort((a, b) => a.position - b.position);
}

function nameOf(routes: readonly RouteSpec[], index: number): RouteName | null {
  const route = routes[index];
  return route === undefined ? null : { position: index + 1, name: route.name };
}
