import { describe, expect, it } from 'vitest';
import { routeLabels } from '../../src/config/route-labels.ts';
import type { MatchSpec } from '../../src/shared/snapshot.ts';

const none: MatchSpec = { host: null, path: null, method: null, header: null, query: null, cookie: null, source: null, sni: null, alpn: null };
const path = (...values: string[]): MatchSpec => ({ ...none, path: values.map((value) => ({ kind: 'prefix', value })) });
const unnamed = (match: MatchSpec) => ({ name: null, match });

describe('the label of a route', () => {
  it('is its name, or its host and path', () => {
    const both: MatchSpec = { ...path('/v1'), host: [{ kind: 'suffix', value: 'example.com' }] };
    const labels = routeLabels([{ name: 'api', match: none }, unnamed(both), unnamed(path('')), unnamed(none), unnamed(path('/a', '/b', '/c'))]);
    expect(labels).toEqual(['api', '*.example.com/v1', '/', '*', '/a+2']);
  });

  it('is unique, and never takes the name of another', () => {
    expect(routeLabels([unnamed(path('/a')), unnamed(path('/a')), { name: '/a#3', match: none }, unnamed(path('/a')), { name: '/b', match: none }, unnamed(path('/b'))])).toEqual(['/a', '/a#2', '/a#3', '/a#4', '/b', '/b#2']);
  });

  it('is found fast where thousands are alike', () => {
    const labels = routeLabels(Array.from({ length: 20_000 }, () => unnamed(none)));
    expect(new Set(labels).size).toBe(20_000);
    expect(labels.at(-1)).toBe('*#20000');
  });
});
