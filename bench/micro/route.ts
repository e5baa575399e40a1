/**
 * Nanoseconds to find a route, over tables of 10, 1,000 and 10,000 routes of
 * different shapes, and milliseconds to compile them (in one go; a worker does
 * it in slices). Requests are parsed heads, as in a worker, so the figures
 * contain the strings that routing asks for. Run: node bench/micro/route.ts
 */
import { systemClock } from '../../src/base/clock.ts';
import { parseRequestHead, RequestHead } from '../../src/data-plane/parse/request-head.ts';
import { HeadQuery } from '../../src/data-plane/route/head-query.ts';
import { compileRoutes } from '../../src/data-plane/route/route-table.ts';
import type { MatchSpec, RouteSpec } from '../../src/shared/snapshot.ts';

const SIZES = [10, 1000, 10_000];
const FINDS = 200_000;
const ROUNDS = 5;
/** Requests that take turns, so that no cache of one string helps. */
const REQUESTS = 1000;

const anyMatch: MatchSpec = { host: null, path: null, method: null, header: null, query: null, cookie: null, source: null, sni: null, alpn: null };

interface Shape {
  readonly name: string;
  match(index: number): Partial<MatchSpec>;
  /** Host, path and more lines of a request for that route. */
  request(index: number): { host: string; path: string; lines?: string };
  /** Finds per round, where one is dear. */
  readonly finds?: number;
}

const shapes: readonly Shape[] = [
  { name: 'match-all', match: () => ({}), request: () => ({ host: 'a.test', path: '/v1/users/42' }) },
  {
    name: 'distinct hosts',
    match: (i) => ({ host: [{ kind: 'exact', value: `h${i}.example.com` }] }),
    request: (i) => ({ host: `h${i}.example.com`, path: '/v1/users/42' }),
  },
  {
    name: 'wildcard hosts',
    match: (i) => ({ host: [{ kind: 'suffix', value: `h${i}.example.com` }] }),
    request: (i) => ({ host: `a.b.h${i}.example.com`, path: '/v1/users/42' }),
  },
  {
    name: 'prefixes on one host',
    match: (i) => ({ host: [{ kind: 'exact', value: 'a.test' }], path: [{ kind: 'prefix', value: `/v1/tenant${i}` }] }),
    request: (i) => ({ host: 'a.test', path: `/v1/tenant${i}/users/42` }),
  },
  {
    name: 'exact paths on one host',
    match: (i) => ({ host: [{ kind: 'exact', value: 'a.test' }], path: [{ kind: 'exact', value: `/v1/tenant${i}` }] }),
    request: (i) => ({ host: 'a.test', path: `/v1/tenant${i}` }),
  },
  {
    name: '… escapes in the path',
    match: (i) => ({ path: [{ kind: 'prefix', value: `/v1/tenant${i}` }] }),
    request: (i) => ({ host: 'a.test', path: `/v1/tenant${i}/a%20b/%7Euser` }),
  },
  {
    name: 'hosts, regex each',
    match: (i) => ({ host: [{ kind: 'exact', value: `h${i}.example.com` }], path: [{ kind: 'regex', value: '/v[0-9]+/users/.*' }] }),
    request: (i) => ({ host: `h${i}.example.com`, path: '/v1/users/42' }),
  },
  {
    name: 'one path, a header each',
    match: (i) => ({ path: [{ kind: 'prefix', value: '/v1' }], header: [{ name: 'x-tenant', values: [{ kind: 'exact', value: `${i}` }], present: true }] }),
    request: (i) => ({ host: 'a.test', path: '/v1/users/42', lines: `X-Tenant: ${i}\r\n` }),
    finds: 5000,
  },
];

function routeOf(match: Partial<MatchSpec>): RouteSpec {
  return {
    name: 'route',
    match: { ...anyMatch, ...match },
    action: { kind: 'pool', pool: 'web' },
    rewrite: null,
    requestHeaders: null,
    responseHeaders: null,
    timeouts: { responseMs: 0, idleMs: 0, totalMs: 0 },
    rateLimit: null,
    retry: null,
  };
}

function headOf({ host, path, lines = '' }: ReturnType<Shape['request']>): RequestHead {
  const bytes = Buffer.from(`GET ${path}?page=2 HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: bench\r\nAccept: */*\r\n${lines}\r\n`, 'latin1');
  const head = new RequestHead();
  if (parseRequestHead(bytes, 0, bytes.length, { headerBytesMax: 0, headerCountMax: 0 }, head) < 1) throw new Error('a malformed request');
  return head;
}

function measure(shape: Shape, size: number): { findNs: number; compileMs: number } {
  const routes = Array.from({ length: shape.name === 'match-all' ? 1 : size }, (_, i) => routeOf(shape.match(i)));
  const startMs = systemClock.monotonicMs();
  const table = compileRoutes(routes);
  const compileMs = systemClock.monotonicMs() - startMs;
  const expected = Array.from({ length: REQUESTS }, (_, i) => Math.floor((i * 7919) % routes.length));
  const heads = expected.map((index) => headOf(shape.request(index)));
  const query = new HeadQuery();
  const finds = shape.finds ?? FINDS;
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = systemClock.monotonicMs();
    for (let i = 0; i < finds; i++) {
      if (table.find(query.open(heads[i % REQUESTS]!, '192.0.2.1')) !== expected[i % REQUESTS]) throw new Error(`${shape.name}: found another route`);
    }
    rounds.push(((systemClock.monotonicMs() - before) * 1e6) / finds);
  }
  return { findNs: rounds.sort((a, b) => a - b)[ROUNDS >> 1]!, compileMs };
}

console.log(['find, ns (compile, ms)'.padEnd(28), ...SIZES.map((size) => `${size}`.padStart(18))].join(''));
for (const shape of shapes) {
  measure(shape, 10);
  const cells = SIZES.map((size) => {
    const { findNs, compileMs } = measure(shape, size);
    return `${findNs.toFixed(0)} (${compileMs.toFixed(1)})`.padStart(18);
  });
  console.log([shape.name.padEnd(28), ...cells].join(''));
}
