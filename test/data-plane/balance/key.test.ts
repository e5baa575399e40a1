import { describe, expect, test } from 'vitest';
import { hash32 } from '../../../src/base/hash.ts';
import { hashKey } from '../../../src/data-plane/balance/key.ts';
import type { RouteQuery } from '../../../src/data-plane/route/route-query.ts';
import type { KeySpec } from '../../../src/shared/snapshot.ts';

function request(parts: { path?: string; query?: string; headers?: Record<string, string[]> } = {}): RouteQuery {
  return {
    method: 'GET',
    host: () => 'example.com',
    path: () => parts.path ?? '/',
    pathMayReadTwoWays: false,
    query: () => parts.query ?? '',
    header: (name) => parts.headers?.[name] ?? [],
    clientAddress: () => '192.0.2.7',
  };
}

const byClient = hash32('192.0.2.7');
const key = (kind: KeySpec['kind'], name = ''): KeySpec => ({ kind, name });

describe('the key', () => {
  test('client-ip', () => expect(hashKey(key('client-ip'), request())).toBe(byClient));
  test('path, without its query', () => expect(hashKey(key('path'), request({ path: '/a', query: 'x=1' }))).toBe(hash32('/a')));
  test('a header, its first value', () => {
    expect(hashKey(key('header', 'x-user'), request({ headers: { 'x-user': ['ann', 'bob'] } }))).toBe(hash32('ann'));
  });
  test('a cookie among others, in any of several fields', () => {
    const headers = { cookie: ['a=1; session=abc; b=2', 'session=later'] };
    expect(hashKey(key('cookie', 'session'), request({ headers }))).toBe(hash32('abc'));
    expect(hashKey(key('cookie', 'session'), request({ headers: { cookie: ['a=1', 'session=later'] } }))).toBe(hash32('later'));
    expect(hashKey(key('cookie', 'sess'), request({ headers })), 'names are whole').toBe(byClient);
  });
  test('a query parameter, decoded', () => {
    expect(hashKey(key('query', 'q'), request({ query: 'p=1&q=a%20b&q=c' }))).toBe(hash32('a b'));
  });
  test.each([key('header', 'x-user'), key('cookie', 'session'), key('query', 'q')])('the client address when the request lacks %o or has it empty', (spec) => {
    expect(hashKey(spec, request())).toBe(byClient);
    expect(hashKey(spec, request({ query: 'q=', headers: { 'x-user': [''], cookie: ['session='] } }))).toBe(byClient);
  });
  test('the same on every proxy, in every version', () => {
    expect([hash32(''), hash32('192.0.2.7'), hash32('2001:db8::1')]).toEqual([2872998923, 2792370494, 3849813818]);
  });
});
