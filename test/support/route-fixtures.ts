/** Routes and requests for the tests of routing, with everything but the point of the test filled in. */
import { mayReadTwoWays } from '../../src/data-plane/route/path-readings.ts';
import type { RouteQuery } from '../../src/data-plane/route/route-query.ts';
import type { FieldPattern, HostPattern, MatchSpec, PathPattern, RouteSpec, ValuePattern } from '../../src/shared/snapshot.ts';

export const anyMatch: MatchSpec = { host: null, path: null, method: null, header: null, query: null, cookie: null, source: null, sni: null, alpn: null };

export function makeRoute(match: Partial<MatchSpec>, rest: Partial<RouteSpec> = {}): RouteSpec {
  return {
    name: 'route',
    match: { ...anyMatch, ...match },
    action: { kind: 'pool', pool: 'web' },
    rewrite: null,
    requestHeaders: null,
    responseHeaders: null,
    timeouts: { responseMs: 60_000, idleMs: 300_000, totalMs: 0 },
    rateLimit: null,
    retry: null,
    ...rest,
  };
}

/** `*.x` is a suffix, all else exact. */
export function hosts(...patterns: string[]): HostPattern[] {
  return patterns.map((text) => (text.startsWith('*.') ? { kind: 'suffix', value: text.slice(2) } : { kind: 'exact', value: text }));
}

/** `=/x` is exact, `~re` a regex, all else a prefix as the config loader hands it on. */
export function paths(...patterns: string[]): PathPattern[] {
  return patterns.map((text) => {
    if (text.startsWith('=')) return { kind: 'exact', value: text.slice(1) };
    if (text.startsWith('~')) return { kind: 'regex', value: text.slice(1) };
    return { kind: 'prefix', value: text.replace(/\/$/, '') };
  });
}

/** Values: `~re` is a regex, all else exact. No values: the field must be there. */
export function field(name: string, ...values: string[]): FieldPattern {
  const patterns = values.map((text): ValuePattern => (text.startsWith('~') ? { kind: 'regex', value: text.slice(1) } : { kind: 'exact', value: text }));
  return { name, values: patterns.length === 0 ? null : patterns, present: true };
}

export function absent(name: string): FieldPattern {
  return { name, values: null, present: false };
}

export interface RequestShape {
  readonly method?: string;
  readonly host?: string;
  readonly path?: string;
  readonly query?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly client?: string;
}

/** A RouteQuery that also counts what it was asked. */
export function makeRequest(shape: RequestShape): RouteQuery & { readonly asked: string[] } {
  const asked: string[] = [];
  const path = shape.path ?? '/';
  const answer = <T>(question: string, value: T): T => {
    asked.push(question);
    return value;
  };
  return {
    asked,
    method: shape.method ?? 'GET',
    pathMayReadTwoWays: mayReadTwoWays(path),
    host: () => answer('host', shape.host ?? ''),
    path: () => answer('path', path),
    query: () => answer('query', shape.query ?? ''),
    header: (name) => answer(`header ${name}`, (shape.headers ?? []).filter(([key]) => key === name).map(([, value]) => value)),
    clientAddress: () => answer('client', shape.client ?? '192.0.2.1'),
  };
}
