import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { RouteCover } from '../../src/config/route-cover.ts';
import { compileRoutes } from '../../src/data-plane/route/route-table.ts';
import type { MatchSpec } from '../../src/shared/snapshot.ts';
import { anyMatch, hosts, makeRequest, makeRoute, paths } from '../support/route-fixtures.ts';

/** For each match the earlier one that covers it, or -1. */
function covered(...matches: Partial<MatchSpec>[]): number[] {
  const cover = new RouteCover();
  return matches.map((match, index) => cover.add(index, { ...anyMatch, ...match }));
}

describe('an unreachable route', () => {
  it('stands after one that takes every request', () => {
    expect(covered({ path: paths('/a') }, {}, { path: paths('/b') }, { method: ['GET'] }, {})).toEqual([-1, -1, 1, 1, 1]);
  });

  it('has the same match as an earlier one, whatever its keys', () => {
    expect(covered({ method: ['GET'] }, { method: ['PUT'] }, { method: ['GET'] })).toEqual([-1, -1, 0]);
  });

  it('has a narrower host and path', () => {
    expect(covered({ host: hosts('*.x'), path: paths('/a') }, { host: hosts('b.x'), path: paths('/a/b') }, { host: hosts('x'), path: paths('/a') }, { host: hosts('b.x'), path: paths('/ab') })).toEqual([-1, 0, -1, -1]);
  });

  it('needs all of its hosts and paths taken', () => {
    expect(covered({ path: paths('/a') }, { path: paths('/b') }, { path: paths('/a/1', '/b/1') }, { path: paths('/a/1', '/c') })).toEqual([-1, -1, 0, -1]);
  });

  it('is not one that / does not take: OPTIONS * has no path', () => {
    expect(covered({ path: paths('/') }, {})).toEqual([-1, -1]);
  });
});

const hostSet = fc.option(fc.subarray(['a.x', 'x', '*.x', 'b.a.x', '*.a.x'], { minLength: 1 }).map((list) => hosts(...list)), { nil: null });
const pathSet = fc.option(fc.subarray(['/', '/a', '/a/b', '=/a', '=/', '~/a.*', '/b'], { minLength: 1 }).map((list) => paths(...list)), { nil: null });
const matches = fc.record({ host: hostSet, path: pathSet, method: fc.option(fc.constant(['GET']), { nil: null, freq: 3 }) });
const requests = fc.record({ host: fc.constantFrom('', 'x', 'a.x', 'b.a.x', 'c.b.a.x', 'y'), path: fc.constantFrom('/', '/a', '/a/', '/a/b', '/a/b/c', '/ab', '/b', '/c', '*'), method: fc.constantFrom('GET', 'PUT', 'OPTIONS') });

test('no request ever reaches a route that is called unreachable', () => {
  fc.assert(
    fc.property(fc.array(matches, { minLength: 2, maxLength: 6 }), fc.array(requests, { minLength: 20, maxLength: 40 }), (written, asked) => {
      const found = covered(...written);
      const table = compileRoutes(written.map((match) => makeRoute(match)));
      for (const request of asked) {
        const route = table.find(makeRequest(request));
        if (route >= 0) expect(found[route]).toBe(-1);
      }
    }),
    { numRuns: 300 },
  );
});
