import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { MatchSpec } from '../../../src/shared/snapshot.ts';
import { problemsOf, routeOf, withRoute } from '../../support/load-whole.ts';

function matchOf(match: string): MatchSpec {
  return routeOf(`match: { ${match} }, pool: web`).match;
}

describe('match', () => {
  it.each([
    ['A.Example.COM.', { kind: 'exact', value: 'a.example.com' }],
    ['"*.B.example"', { kind: 'suffix', value: 'b.example' }],
    ['192.0.2.1', { kind: 'exact', value: '192.0.2.1' }],
    ['"::1"', { kind: 'exact', value: '[::1]' }],
    ['"[2001:DB8::1]"', { kind: 'exact', value: '[2001:db8::1]' }],
    ['a_b.internal', { kind: 'exact', value: 'a_b.internal' }],
  ])('host %s', (host, pattern) => {
    expect(matchOf(`host: ${host}`).host).toEqual([pattern]);
  });

  it.each([
    ['/v1', { kind: 'prefix', value: '/v1' }],
    ['/v1/', { kind: 'prefix', value: '/v1' }],
    ['/', { kind: 'prefix', value: '' }],
    ['{ exact: /v1/ }', { kind: 'exact', value: '/v1/' }],
    ['{ exact: / }', { kind: 'exact', value: '/' }],
    ['{ regex: "/v[0-9]+/.*" }', { kind: 'regex', value: '/v[0-9]+/.*' }],
  ])('path %s', (path, pattern) => {
    expect(matchOf(`path: ${path}`).path).toEqual([pattern]);
  });

  it.each([
    ['"1"', [{ name: 'x-a', values: [{ kind: 'exact', value: '1' }], present: true }]],
    ['[a, { regex: b+ }]', [{ name: 'x-a', values: [{ kind: 'exact', value: 'a' }, { kind: 'regex', value: 'b+' }], present: true }]],
    ['{ regex: a.* }', [{ name: 'x-a', values: [{ kind: 'regex', value: 'a.*' }], present: true }]],
    ['{ present: true }', [{ name: 'x-a', values: null, present: true }]],
    ['{ present: false }', [{ name: 'x-a', values: null, present: false }]],
  ])('header, query and cookie %s', (rule, patterns) => {
    const match = matchOf(`header: { X-A: ${rule} }, query: { x-a: ${rule} }, cookie: { x-a: ${rule} }`);
    expect([match.header, match.query, match.cookie]).toEqual([patterns, patterns, patterns]);
  });

  it('keeps the case of query parameters and cookies', () => {
    expect(matchOf('query: { Aa: b }').query?.[0]?.name).toBe('Aa');
    expect(matchOf('cookie: { Aa: b }').cookie?.[0]?.name).toBe('Aa');
  });

  it('takes a value or a list for host, path, method and source', () => {
    expect(matchOf('host: [a, b], path: [/a, { exact: /b }], method: [GET, PURGE], source: [10.0.0.1/8, "::1"]')).toEqual({
      host: [{ kind: 'exact', value: 'a' }, { kind: 'exact', value: 'b' }],
      path: [{ kind: 'prefix', value: '/a' }, { kind: 'exact', value: '/b' }],
      method: ['GET', 'PURGE'],
      header: null,
      query: null,
      cookie: null,
      source: ['10.0.0.0/8', '::1/128'],
      sni: null,
      alpn: null,
    });
    expect(matchOf('method: GET, source: 10.0.0.0/8')).toMatchObject({ method: ['GET'], source: ['10.0.0.0/8'] });
  });

  it('shows where in a list the fault stands', () => {
    expect(problemsOf(withRoute('match: { path: [/a, { regex: "(" }] }, pool: web'))).toEqual(['error: listeners.web.routes[0].match.path[1].regex: `(` is not an RE2 expression: missing closing ): `(`']);
  });

  test('whatever stands in a key is a pattern or one problem, never an exception', () => {
    const keys = fc.constantFrom('host', 'path', 'method', 'source', 'header', 'query', 'cookie');
    fc.assert(
      fc.property(keys, fc.jsonValue({ maxDepth: 2 }), (key, value) => {
        const text = withRoute(`match: { ${JSON.stringify(key)}: ${JSON.stringify(value)} }, pool: web`);
        expect(Array.isArray(problemsOf(text))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
