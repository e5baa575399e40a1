/** The compiled table, and what `weir explain` says of each route, against a plain loop written without any code of theirs. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MismatchFinder } from '../../../src/data-plane/route/mismatch.ts';
import { AMBIGUOUS_PATH, NO_ROUTE, type RouteQuery } from '../../../src/data-plane/route/route-query.ts';
import { compileRoutes } from '../../../src/data-plane/route/route-table.ts';
import { pathReadings } from '../../../src/data-plane/route/path-readings.ts';
import type { FieldPattern, MatchSpec, PathPattern } from '../../../src/shared/snapshot.ts';
import { absent, field, hosts, makeRequest, makeRoute, paths, type RequestShape } from '../../support/route-fixtures.ts';

function fieldHolds(pattern: FieldPattern, values: readonly string[]): boolean {
  if (!pattern.present) return values.length === 0;
  if (pattern.values === null) return values.length > 0;
  return values.some((value) => pattern.values!.some((each) => (each.kind === 'exact' ? each.value === value : new RegExp(`^(?:${each.value})$`).test(value))));
}

function pathHolds(pattern: PathPattern, path: string): boolean {
  if (!path.startsWith('/')) return false;
  if (pattern.kind === 'exact') return path === pattern.value;
  if (pattern.kind === 'regex') return new RegExp(`^(?:${pattern.value})$`).test(path);
  return path === pattern.value || path.startsWith(`${pattern.value}/`);
}

function matchHolds(match: MatchSpec, request: RouteQuery, path: string): boolean {
  const host = request.host();
  const query = new URLSearchParams(request.query());
  const cookies = request.header('cookie').flatMap((line) => line.split('; ').map((pair) => pair.split('=')));
  return (
    (match.host?.some(({ kind, value }) => (kind === 'exact' ? host === value : new RegExp(`^.+\\.${value.replaceAll('.', '\\.')}$`).test(host))) ?? true) &&
    (match.path?.some((pattern) => pathHolds(pattern, path)) ?? true) &&
    (match.method?.includes(request.method) ?? true) &&
    (match.header?.every((pattern) => fieldHolds(pattern, request.header(pattern.name))) ?? true) &&
    (match.query?.every((pattern) => fieldHolds(pattern, query.getAll(pattern.name))) ?? true) &&
    (match.cookie?.every((pattern) => fieldHolds(pattern, cookies.filter(([name]) => name === pattern.name).map(([, value]) => value!))) ?? true) &&
    (match.source?.some((cidr) => request.clientAddress().startsWith(cidr.replace('.0/24', '.'))) ?? true)
  );
}

function plainFind(matches: readonly MatchSpec[], request: RouteQuery): number {
  const found = pathReadings(request.path()).map((path) => matches.findIndex((match) => matchHolds(match, request, path)));
  return new Set(found).size === 1 ? found[0]! : AMBIGUOUS_PATH;
}

// Few words, so that routes and requests meet often.
const oneOrTwo = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { minLength: 1, maxLength: 2 });
const orNull = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { freq: 2 });
const rarely = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: value });
const label = fc.constantFrom('a', 'b', 'test');
const hostName = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const segment = fc.constantFrom('a', 'b', 'ab', 'c');
const plainPath = fc.array(segment, { maxLength: 3 }).map((segments) => `/${segments.join('/')}`);
const regexPath = fc.constantFrom('~/a.*', '~/(a|b)/.*', '~/a/?b?', '~.*/c', '~/ab?c*', '~/[ab]+/', '~/a|/b');
const pattern = fc.oneof(plainPath, plainPath.map((path) => `=${path}`), plainPath.map((path) => `=${path}/`), regexPath);
const fieldPattern = (name: fc.Arbitrary<string>): fc.Arbitrary<FieldPattern> =>
  fc.oneof(
    fc.tuple(name, oneOrTwo(fc.constantFrom('1', '2', '~[23]', '~.*'))).map(([key, values]) => field(key, ...values)),
    name.map((key) => field(key)),
    name.map(absent),
  );

const matchSpec: fc.Arbitrary<MatchSpec> = fc.record({
  host: orNull(oneOrTwo(fc.oneof(hostName, hostName.map((name) => `*.${name}`))).map((list) => hosts(...list))),
  path: orNull(oneOrTwo(pattern).map((list) => paths(...list))),
  method: rarely(oneOrTwo(fc.constantFrom('GET', 'PUT'))),
  header: rarely(oneOrTwo(fieldPattern(fc.constantFrom('x-a', 'x-b')))),
  query: rarely(oneOrTwo(fieldPattern(fc.constantFrom('q', 'a b')))),
  cookie: rarely(oneOrTwo(fieldPattern(fc.constantFrom('c', 'd')))),
  source: rarely(oneOrTwo(fc.constantFrom('10.0.0.0/24', '10.0.1.0/24'))),
  sni: fc.constant(null),
  alpn: fc.constant(null),
});

const messyPath = fc
  .array(fc.constantFrom('/', '/', '/', 'a', 'b', 'ab', 'c', '.', '..', '%61', '%2F', '%2e', '%5C', '\\', '%25', '%'), { maxLength: 9 })
  .map((pieces) => `/${pieces.join('')}`);
const value = fc.constantFrom('', '1', '2', '3');
const request: fc.Arbitrary<RequestShape> = fc.record({
  method: fc.constantFrom('GET', 'PUT'),
  host: fc.oneof({ weight: 9, arbitrary: hostName }, { weight: 1, arbitrary: fc.constant('') }),
  path: fc.oneof({ weight: 3, arbitrary: plainPath }, { weight: 3, arbitrary: plainPath.map((path) => `${path}/`) }, { weight: 3, arbitrary: messyPath }, { weight: 1, arbitrary: fc.constant('*') }),
  query: fc.array(fc.tuple(fc.constantFrom('q', 'a+b', 'a%20b', '%71', 'z'), value).map(([name, text]) => `${name}=${text}`), { maxLength: 3 }).map((pairs) => pairs.join('&')),
  headers: fc.array(
    fc.oneof(
      fc.tuple(fc.constantFrom('x-a', 'x-b'), value),
      fc.array(fc.tuple(fc.constantFrom('c', 'd', 'cc'), value).map(([name, text]) => `${name}=${text}`), { minLength: 1, maxLength: 3 }).map((pairs): [string, string] => ['cookie', pairs.join('; ')]),
    ),
    { maxLength: 4 },
  ),
  client: fc.constantFrom('10.0.0.7', '10.0.1.7', '10.0.2.7'),
});

it('finds what a plain loop finds, for any table and any request', () => {
  const outcomes = new Map<number, number>();
  fc.assert(
    fc.property(fc.array(matchSpec, { maxLength: 12 }), fc.array(request, { minLength: 1, maxLength: 12 }), (matches, shapes) => {
      const table = compileRoutes(matches.map((match) => makeRoute(match)));
      for (const shape of shapes) {
        const found = table.find(makeRequest(shape));
        expect(found).toBe(plainFind(matches, makeRequest(shape)));
        outcomes.set(found, (outcomes.get(found) ?? 0) + 1);
      }
    }),
    { numRuns: 500 },
  );
  // The alphabets are worth something only if every kind of outcome comes up.
  for (const kind of [AMBIGUOUS_PATH, NO_ROUTE, 0, 1, 2, 5]) expect(outcomes.get(kind) ?? 0).toBeGreaterThan(5);
});

it('explains of each route why it does not hold exactly where a plain look at it says so', () => {
  const keys = new Set<string>();
  fc.assert(
    fc.property(matchSpec, request, (match, shape) => {
      for (const reading of pathReadings(shape.path!)) {
        const mismatch = new MismatchFinder().find(match, makeRequest(shape), reading);
        expect(mismatch === null).toBe(matchHolds(match, makeRequest(shape), reading));
        if (mismatch === null) continue;
        keys.add(mismatch.key);
        // Without the key that is named, and those asked after it, the rest holds.
        const order = ['host', 'path', 'method', 'header', 'query', 'cookie', 'source'];
        const before = Object.fromEntries(order.slice(order.indexOf(mismatch.key)).map((key) => [key, null]));
        expect(matchHolds({ ...match, ...before }, makeRequest(shape), reading)).toBe(true);
      }
    }),
    { numRuns: 1000 },
  );
  expect(keys.size).toBe(7);
});
