/** Route limits over a table of their own, in virtual time: what a test asks is whether a request passes. */
import { RouteLimit } from '../../src/data-plane/limit/route-limit.ts';
import type { RouteQuery } from '../../src/data-plane/route/route-query.ts';
import { LimitTable } from '../../src/shared/limit-table.ts';
import type { RateLimitSpec } from '../../src/shared/snapshot.ts';

export function limitSpec(patch: Partial<RateLimitSpec> = {}): RateLimitSpec {
  return { key: { kind: 'client-ip', name: '' }, count: 100, periodMs: 1000, burst: 200, scope: 'proxy', ...patch };
}

export function limitTable(options: { workers?: number; sets?: number; nowMs?: number } = {}): LimitTable {
  return LimitTable.create(options.workers ?? 1, new Int32Array([17, 4]), options.nowMs ?? 0, options.sets ?? 64);
}

export function routeLimit(table: LimitTable, patch: Partial<RateLimitSpec> = {}, place: { route?: string; row?: number; isShared?: boolean } = {}): RouteLimit {
  return new RouteLimit(limitSpec(patch), 'web', place.route ?? 'all', place.row ?? 0, place.isShared ?? false, table);
}

/** A request as a limit asks it. */
export function limitRequest(client: string, fields: { headers?: Readonly<Record<string, readonly string[]>>; path?: string; query?: string } = {}): RouteQuery {
  return {
    method: 'GET',
    pathMayReadTwoWays: false,
    host: () => 'a.example',
    path: () => fields.path ?? '/',
    query: () => fields.query ?? '',
    header: (name) => fields.headers?.[name] ?? [],
    clientAddress: () => client,
  };
}

/** How many of `count` requests at once pass. */
export function passes(limit: RouteLimit, client: string, nowMs: number, count: number): number {
  const request = limitRequest(client);
  let admitted = 0;
  for (let i = 0; i < count; i++) if (limit.admits(request, nowMs)) admitted++;
  return admitted;
}
