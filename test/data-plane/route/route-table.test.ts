import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { AMBIGUOUS_PATH, NO_ROUTE } from '../../../src/data-plane/route/route-query.ts';
import { compileRoutes, compileRoutesSliced } from '../../../src/data-plane/route/route-table.ts';
import type { MatchSpec } from '../../../src/shared/snapshot.ts';
import { absent, field, hosts, makeRequest, makeRoute, paths, type RequestShape } from '../../support/route-fixtures.ts';

function tableOf(...matches: Partial<MatchSpec>[]) {
  return compileRoutes(matches.map((match) => makeRoute(match)));
}

function holds(match: Partial<MatchSpec>, shape: RequestShape): boolean {
  return tableOf(match).find(makeRequest(shape)) === 0;
}

describe('host', () => {
  it.each([
    ['a.test', 'a.test', true],
    ['a.test', 'b.test', false],
    ['a.test', 'x.a.test', false],
    ['a.test', '', false],
    ['*.a.test', 'x.a.test', true],
    ['*.a.test', 'x.y.a.test', true],
    ['*.a.test', 'a.test', false],
    ['*.a.test', '.a.test', false],
    ['*.a.test', 'xa.test', false],
    ['*.a.test', '', false],
    ['*.test', 'x.y.z.test', true],
    ['[::1]', '[::1]', true],
  ])('%s against "%s": %s', (pattern, host, expected) => {
    expect(holds({ host: hosts(pattern) }, { host })).toBe(expected);
  });

  it('takes one of a list, and the first route of several that fit', () => {
    const table = tableOf({ host: hosts('a.test', 'b.test') }, { host: hosts('*.test') }, { host: hosts('x.c.test') }, {});
    expect(table.find(makeRequest({ host: 'b.test' }))).toBe(0);
    expect(table.find(makeRequest({ host: 'x.c.test' }))).toBe(1);
    expect(table.find(makeRequest({ host: 'test' }))).toBe(3);
    expect(table.find(makeRequest({}))).toBe(3);
  });
});

describe('path', () => {
  it.each([
    ['/v1', '/v1', true],
    ['/v1', '/v1/', true],
    ['/v1', '/v1/a', true],
    ['/v1', '/v10', false],
    ['/v1', '/V1', false],
    ['/v1', '/', false],
    ['/v1/', '/v1', true],
    ['/', '/', true],
    ['/', '/anything/at/all', true],
    ['/', '*', false],
    ['=/v1', '/v1', true],
    ['=/v1', '/v1/', false],
    ['=/v1', '/v1/a', false],
    ['=/v1/', '/v1', false],
    ['~/v[0-9]+/.*', '/v12/x', true],
    ['~/v[0-9]+/.*', '/v12', false],
    ['~/v[0-9]+/.*', '/a/v12/x', false],
    ['~/a|/ab', '/ab', true],
    ['~(?i)/abc', '/ABC', true],
    ['~/ab?', '/a', true],
    ['~/ab*', '/a', true],
    ['~.*', '*', false],
  ])('%s against %s: %s', (pattern, path, expected) => {
    expect(holds({ path: paths(pattern) }, { path })).toBe(expected);
  });

  it('picks by the order of the file, not by length', () => {
    const table = tableOf({ path: paths('/a') }, { path: paths('/a/b') }, { path: paths('=/a/b/c') }, { path: paths('~/a/.*') });
    expect(table.find(makeRequest({ path: '/a/b/c' }))).toBe(0);
  });

  it('lets a later route have what conditions of an earlier one refuse', () => {
    const table = tableOf({ path: paths('/a'), method: ['PUT'] }, { path: paths('/a/b'), method: ['POST'] }, { path: paths('~/a/.*') }, {});
    expect(table.find(makeRequest({ path: '/a/b', method: 'PUT' }))).toBe(0);
    expect(table.find(makeRequest({ path: '/a/b', method: 'POST' }))).toBe(1);
    expect(table.find(makeRequest({ path: '/a/b' }))).toBe(2);
    expect(table.find(makeRequest({ path: '/a' }))).toBe(3);
  });

  it('gives the asterisk form to routes without path only', () => {
    const table = tableOf({ path: paths('/', '~.*', '=*') }, { method: ['OPTIONS'] });
    expect(table.find(makeRequest({ path: '*', method: 'OPTIONS' }))).toBe(1);
  });
});

describe('two readings', () => {
  const table = tableOf({ path: paths('/admin') }, { path: paths('/public') }, { path: paths('/') });
  it.each([
    ['/public/%2e%2e/admin', AMBIGUOUS_PATH],
    ['/public/../admin', AMBIGUOUS_PATH],
    ['/public/..%2Fadmin', AMBIGUOUS_PATH],
    ['/public\\..\\admin', AMBIGUOUS_PATH],
    ['//admin', AMBIGUOUS_PATH],
    ['/%61dmin', AMBIGUOUS_PATH],
    ['/public//../admin', AMBIGUOUS_PATH],
    ['/x/../admin//../y', AMBIGUOUS_PATH],
    ['/public/..;/admin', AMBIGUOUS_PATH],
    ['/admin;x/../public', AMBIGUOUS_PATH],
    ['/admin;x', AMBIGUOUS_PATH],
    ['/public%3Bx', AMBIGUOUS_PATH],
    ['/public/a;x=1;y/b', 1],
    ['/admin/..;/admin', 0],
    ['/other;x/a', 2],
    ['/public//a', 1],
    ['/public/a%2Fb', 1],
    ['/public/%7Euser', 1],
    ['/admin/x/../y', 0],
    ['/public/.well-known', 1],
    ['/other/%zz', 2],
  ])('%s leads to %s', (path, expected) => {
    expect(table.find(makeRequest({ path }))).toBe(expected);
  });

  it('counts "no route" as a different one', () => {
    expect(tableOf({ path: paths('/a') }).find(makeRequest({ path: '/a/../b' }))).toBe(AMBIGUOUS_PATH);
    expect(tableOf({ path: paths('/b') }).find(makeRequest({ path: '/a/../b' }))).toBe(AMBIGUOUS_PATH);
    expect(tableOf({ path: paths('/c') }).find(makeRequest({ path: '/a/../b' }))).toBe(NO_ROUTE);
  });

  it('does not matter where no route asks for the path', () => {
    expect(tableOf({ host: hosts('a.test') }, {}).find(makeRequest({ path: '/a/../b', host: 'a.test' }))).toBe(0);
  });
});

describe('conditions', () => {
  const header = (...values: string[]) => ({ headers: values.map((value) => ['x-a', value] as const) });
  it.each<[string, Partial<MatchSpec>, RequestShape, boolean]>([
    ['method', { method: ['GET', 'HEAD'] }, { method: 'HEAD' }, true],
    ['method: case counts', { method: ['GET'] }, { method: 'get' }, false],
    ['header', { header: [field('x-a', '1')] }, header('1'), true],
    ['header: other value', { header: [field('x-a', '1')] }, header('2'), false],
    ['header: one of a list', { header: [field('x-a', '1', '2')] }, header('2'), true],
    ['header: one of the repeated', { header: [field('x-a', '2')] }, header('1', '2'), true],
    ['header: commas are not taken apart', { header: [field('x-a', '2')] }, header('1, 2'), false],
    ['header: regex, whole value', { header: [field('x-a', '~[0-9]+')] }, header('12'), true],
    ['header: regex, part of it', { header: [field('x-a', '~[0-9]+')] }, header('12a'), false],
    ['header: present', { header: [field('x-a')] }, header(''), true],
    ['header: not present', { header: [field('x-a')] }, {}, false],
    ['header: absent', { header: [absent('x-a')] }, {}, true],
    ['header: not absent', { header: [absent('x-a')] }, header(''), false],
    ['header: all of several names', { header: [field('x-a', '1'), field('x-b')] }, header('1'), false],
    ['header: bytes are UTF-8', { header: [field('x-a', 'é')] }, header('\xc3\xa9'), true],
    ['query', { query: [field('q', '1')] }, { query: 'p=0&q=1' }, true],
    ['query: names keep their case', { query: [field('q', '1')] }, { query: 'Q=1' }, false],
    ['query: decoded', { query: [field('a b', 'é/')] }, { query: 'a+b=%C3%A9%2f' }, true],
    ['query: repeated', { query: [field('q', '2')] }, { query: 'q=1&q=2&q=3' }, true],
    ['query: name without value', { query: [field('q')] }, { query: 'a=1&q' }, true],
    ['query: absent', { query: [absent('q')] }, { query: 'qq=1' }, true],
    ['cookie', { cookie: [field('c', '1')] }, { headers: [['cookie', 'b=0; c=1']] }, true],
    ['cookie: in a second field', { cookie: [field('c', '1')] }, { headers: [['cookie', 'b=0'], ['cookie', 'c=1']] }, true],
    ['cookie: as sent', { cookie: [field('c', '%31')] }, { headers: [['cookie', 'c=%31']] }, true],
    ['cookie: other', { cookie: [field('c', '1')] }, { headers: [['cookie', 'xc=1']] }, false],
    ['source', { source: ['10.0.0.0/8', 'fd00::/8'] }, { client: '10.9.8.7' }, true],
    ['source: v6', { source: ['10.0.0.0/8', 'fd00::/8'] }, { client: 'fd00::1' }, true],
    ['source: outside', { source: ['10.0.0.0/8', 'fd00::/8'] }, { client: '11.0.0.1' }, false],
    ['all keys must hold', { method: ['GET'], source: ['10.0.0.0/8'] }, { client: '11.0.0.1' }, false],
  ])('%s', (_name, match, shape, expected) => {
    expect(holds(match, shape)).toBe(expected);
  });

  it('keep nothing of the request before', () => {
    const table = tableOf({ header: [field('x-a', '1')], query: [field('q', '1')], cookie: [field('c', '1')], source: ['10.0.0.1'] });
    const full: RequestShape = { headers: [['x-a', '1'], ['cookie', 'c=1']], query: 'q=1', client: '10.0.0.1' };
    expect(table.find(makeRequest(full))).toBe(0);
    expect(table.find(makeRequest({ ...full, headers: [['x-a', '1']] }))).toBe(NO_ROUTE);
    expect(table.find(makeRequest({ ...full, headers: [['cookie', 'c=1']] }))).toBe(NO_ROUTE);
    expect(table.find(makeRequest({ ...full, query: '' }))).toBe(NO_ROUTE);
    expect(table.find(makeRequest({ ...full, client: '10.0.0.2' }))).toBe(NO_ROUTE);
  });
});

describe('what is asked of a request', () => {
  it('is nothing if one route takes all', () => {
    const request = makeRequest({ path: '/a/../b' });
    expect(tableOf({}).find(request)).toBe(0);
    expect(request.asked).toEqual([]);
  });

  it('is nothing more once an earlier route holds', () => {
    const request = makeRequest({ host: 'a.test' });
    expect(tableOf({}, { host: hosts('a.test') }, { path: paths('/') }).find(request)).toBe(0);
    expect(request.asked).toEqual([]);
  });

  it('is each thing once, whatever the number of routes', () => {
    const matches = Array.from({ length: 50 }, (_, i) => ({
      host: hosts('*.test'), path: paths('/a'), header: [field('x-a', `${i}`)], query: [field('q', `${i}`)], cookie: [field('c', '1')], source: ['10.0.0.0/8'],
    }));
    const request = makeRequest({ host: 'a.test', path: '/a', query: 'q=49', client: '10.0.0.1', headers: [['x-a', '49'], ['cookie', 'c=1']] });
    expect(tableOf(...matches).find(request)).toBe(49);
    expect(request.asked.toSorted()).toEqual(['client', 'header cookie', 'header x-a', 'host', 'path', 'query']);
  });
});

describe('a hostile request', () => {
  // Several times what any limit on heads lets through: what costs the square of it would not end within the test's time.
  const LONG = 200_000;
  const table = tableOf(
    { host: hosts('*.b.a.a.test'), path: paths('/a/a/a/b') },
    { path: paths('/a/a/a/a/b', '=/b', '~/(a|b)*/c') },
    { header: [field('x-a', '1')], query: [field('q', '1')], cookie: [field('c', '1')] },
    { cookie: [field('d', '1')] },
  );
  it.each<[string, RequestShape]>([
    ['many labels', { host: `${'a.'.repeat(LONG)}test`, path: '/a/a' }],
    ['many segments', { path: '/a'.repeat(LONG) }],
    ['many empty segments', { path: '/'.repeat(LONG) }],
    ['many dot segments', { path: `${'/a'.repeat(LONG)}${'/..'.repeat(LONG)}` }],
    ['many escapes', { path: `/${'%61%2F'.repeat(LONG)}` }],
    ['many parameters of segments', { path: '/..;a=b/%3b;'.repeat(LONG) }],
    ['many stray percent signs', { path: `/${'%%2'.repeat(LONG)}` }],
    ['many cookies', { headers: [['x-a', '1'], ['cookie', 'c=1; '.repeat(LONG)]], query: 'q=1' }],
    ['many cookie fields', { headers: Array.from({ length: LONG }, () => ['cookie', 'd=2'] as const) }],
    ['many parameters', { headers: [['x-a', '1']], query: 'q&'.repeat(LONG) }],
  ])('with %s costs its length', (_name, shape) => {
    expect(table.find(makeRequest(shape))).toBeLessThan(4);
  });
});

describe('compiling in slices', () => {
  it('gives the same table, and lets the loop turn meanwhile', async () => {
    const routes = Array.from({ length: 20_000 }, (_, i) => makeRoute({ host: hosts(`h${i}.test`), path: paths(`~/a${i}/[0-9]+`) }));
    let turns = 0;
    let running = true;
    const turn = (): void => {
      turns++;
      if (running) setImmediate(turn);
    };
    setImmediate(turn);
    const table = await compileRoutesSliced(routes, systemClock);
    running = false;
    expect(turns).toBeGreaterThan(5);
    expect(table.find(makeRequest({ host: 'h19999.test', path: '/a19999/7' }))).toBe(19_999);
    expect(table.find(makeRequest({ host: 'h19999.test', path: '/a19998/7' }))).toBe(NO_ROUTE);
  });
});
