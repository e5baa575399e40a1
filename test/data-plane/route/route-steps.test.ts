import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { barePath, pathReadings, resolvePath } from '../../../src/data-plane/route/path-readings.ts';
import { compileRedirect, compileRewrite } from '../../../src/data-plane/route/route-steps.ts';
import type { RedirectSpec } from '../../../src/shared/snapshot.ts';
import { makeRequest, makeRoute, paths, type RequestShape } from '../../support/route-fixtures.ts';

function rewritten(match: string[] | null, change: { prefix?: string; path?: string }, path: string, query = ''): string | null {
  const rewrite = { path: change.path ?? null, prefix: change.prefix ?? null, host: null };
  const route = makeRoute({ path: match === null ? null : paths(...match) }, { rewrite });
  return compileRewrite(route)!.rewriteTarget(path, query);
}

describe('rewriting the prefix', () => {
  it.each<[string, string, string, string | null]>([
    ['/old', '/new', '/old/a', '/new/a'],
    ['/old', '/new', '/old', '/new'],
    ['/old', '/new', '/old/', '/new/'],
    ['/old', '/new/', '/old/a', '/new/a'],
    ['/old', '/new/', '/old', '/new'],
    ['/old/', '/new', '/old/a', '/new/a'],
    ['/old', '/', '/old/a', '/a'],
    ['/old', '/', '/old', '/'],
    ['/old', '/', '/old/', '/'],
    ['/', '/api', '/a', '/api/a'],
    ['/', '/api', '/', '/api/'],
    ['/old', '/old', '/old/a', null],
    ['/old', '/new', '*', null],
    // Bytes behind the prefix stay as sent.
    ['/old', '/new', '/old/a%2Fb/%7e//x%20', '/new/a%2Fb/%7e//x%20'],
    ['/old', '/new', '/old/.well-known', '/new/.well-known'],
    // No second slash at the start: it could be read as a host.
    ['/old', '/', '/old//a', '/a'],
    ['/old', '/', '/old///a//b', '/a//b'],
    // What would leave the new prefix is resolved first.
    ['/old', '/new', '/old/../old/a', '/new/a'],
    ['/old', '/in/tenant', '/old/%2e%2e/old/b', '/in/tenant/b'],
    ['/old', '/in/tenant', '/old/x/../../old/b', '/in/tenant/b'],
    ['/', '/in/tenant', '/../secret', '/in/tenant/secret'],
    ['/', '/in/tenant', '/..%5csecret', '/in/tenant/secret'],
    // Parameters pass, unless it could leave by them.
    ['/old', '/new', '/old/a;v=1/b;c', '/new/a;v=1/b;c'],
    ['/old', '/new', '/old/../old/a;v=1', '/new/a;v=1'],
    ['/', '/in/tenant', '/..;x/secret;y', '/in/tenant/secret'],
    ['/', '/in/tenant', '/..%3B/secret', '/in/tenant/secret'],
    // What stays below it need not be.
    ['/old', '/new', '/old/x/../y', '/new/x/../y'],
  ])('%s → %s: %s becomes %s', (prefix, replacement, path, expected) => {
    expect(rewritten([prefix], { prefix: replacement }, path)).toBe(expected);
  });

  it('replaces the longest of several prefixes', () => {
    expect(rewritten(['/a', '/a/b'], { prefix: '/n' }, '/a/b/c')).toBe('/n/c');
    expect(rewritten(['/a/b', '/a'], { prefix: '/n' }, '/a/bc')).toBe('/n/bc');
  });

  it('takes an exact path whole, and puts the prefix before a path that has none', () => {
    expect(rewritten(['=/a/b'], { prefix: '/n' }, '/a/b')).toBe('/n');
    expect(rewritten(['~/a.*'], { prefix: '/n' }, '/a/b')).toBe('/n/a/b');
    expect(rewritten(null, { prefix: '/n' }, '/a/b')).toBe('/n/a/b');
  });

  it('keeps the query', () => {
    expect(rewritten(['/old'], { prefix: '/new' }, '/old/a', 'x=%2F&y')).toBe('/new/a?x=%2F&y');
  });

  it('never lets a request out of the new prefix, for any path of the route', () => {
    const tail = fc.array(fc.constantFrom('/', '/..', '/.', '/%2e%2e', '%2F', '\\', '/old', '/a', '%', '%61', 'b', '..', ';', '..;', '%3b'), { maxLength: 9 }).map((pieces) => `/old/${pieces.join('')}`);
    fc.assert(
      fc.property(tail, (path) => {
        // A request comes here only if every reading of it has the prefix.
        fc.pre(pathReadings(path).every((reading) => reading === '/old' || reading.startsWith('/old/')));
        for (const replacement of ['/new', '/in/tenant']) {
          const target = rewritten(['/old'], { prefix: replacement }, path)!;
          for (const reading of pathReadings(target)) expect(`${reading}/`.startsWith(`${replacement}/`)).toBe(true);
          expect([barePath(path), barePath(resolvePath(path))].map((bare) => replacement + bare.slice('/old'.length))).toContain(barePath(target));
        }
        expect(rewritten(['/old'], { prefix: '/' }, path)).not.toMatch(/^\/[/\\]/);
      }),
      { numRuns: 1500 },
    );
  });
});

describe('rewriting the path', () => {
  it('replaces all of it and keeps the query', () => {
    expect(rewritten(['/a'], { path: '/b' }, '/a/x/../y', 'q=1')).toBe('/b?q=1');
    expect(rewritten(['/a'], { path: '/b' }, '/b', 'q=1')).toBeNull();
    expect(rewritten(['/a'], { path: '/b' }, '*')).toBeNull();
  });

  it('is no step without path and prefix', () => {
    expect(compileRewrite(makeRoute({}))).toBeNull();
    expect(compileRewrite(makeRoute({}, { rewrite: { path: null, prefix: null, host: 'x' } }))).toBeNull();
  });
});

function location(parts: Partial<RedirectSpec>, shape: RequestShape & { scheme?: string; hostAsSent?: string } = {}): string {
  const spec: RedirectSpec = { kind: 'redirect', status: 308, to: null, scheme: null, host: null, port: null, path: null, prefix: null, ...parts };
  const redirect = compileRedirect(makeRoute({ path: paths('/old') }, { action: spec }), spec);
  expect(redirect.status).toBe(308);
  return redirect.location(makeRequest({ path: '/old/a', query: 'q=1', ...shape }), shape.scheme ?? 'http', shape.hostAsSent ?? 'a.test:8080');
}

describe('redirecting', () => {
  it.each<[string, Partial<RedirectSpec>, string]>([
    ['prefix', { prefix: '/new' }, '/new/a?q=1'],
    ['prefix to the root', { prefix: '/' }, '/a?q=1'],
    ['path', { path: '/x' }, '/x?q=1'],
    ['scheme: its own port', { scheme: 'https' }, 'https://a.test/old/a?q=1'],
    ['scheme that is the same: the port stays', { scheme: 'http' }, 'http://a.test:8080/old/a?q=1'],
    ['scheme and port', { scheme: 'https', port: 8443 }, 'https://a.test:8443/old/a?q=1'],
    ['the default port is not written', { scheme: 'https', port: 443 }, 'https://a.test/old/a?q=1'],
    ['host: without the port of another', { host: 'b.test' }, 'http://b.test/old/a?q=1'],
    ['host and port', { host: 'b.test', port: 81 }, 'http://b.test:81/old/a?q=1'],
    ['port', { port: 81 }, 'http://a.test:81/old/a?q=1'],
    ['port 80', { port: 80 }, 'http://a.test/old/a?q=1'],
    ['all of it', { scheme: 'https', host: '[::1]', port: 1, prefix: '/new' }, 'https://[::1]:1/new/a?q=1'],
    ['to', { to: 'https://b.test' }, 'https://b.test?q=1'],
    ['to, with a query', { to: 'https://b.test/x?y=2' }, 'https://b.test/x?y=2&q=1'],
    ['to, with a fragment', { to: 'https://b.test/x#top' }, 'https://b.test/x?q=1#top'],
  ])('%s', (_name, parts, expected) => {
    expect(location(parts)).toBe(expected);
  });

  it('keeps an IPv6 host and its port', () => {
    expect(location({ scheme: 'http' }, { hostAsSent: '[::1]:8080' })).toBe('http://[::1]:8080/old/a?q=1');
    expect(location({ scheme: 'https' }, { hostAsSent: '[::1]:8080' })).toBe('https://[::1]/old/a?q=1');
  });

  it('adds no question mark without query', () => {
    expect(location({ prefix: '/new' }, { query: '' })).toBe('/new/a');
  });

  it('is relative where the request names no host that could stand in a URL', () => {
    for (const hostAsSent of ['', 'a b', 'a/b', 'x@b', 'a\r\nb', '[x]']) expect(location({ scheme: 'https' }, { hostAsSent })).toBe('/old/a?q=1');
  });

  it('never leads to a host that the path names', () => {
    expect(location({ prefix: '/' }, { path: '/old//evil.test' })).toBe('/evil.test?q=1');
    expect(location({ prefix: '/' }, { path: '/old/\\evil.test' })).toBe('/evil.test?q=1');
    expect(location({ scheme: 'https' }, { path: '/\\evil.test', hostAsSent: '' })).toBe('/%5Cevil.test?q=1');
    expect(location({ scheme: 'https' }, { path: '//evil.test', hostAsSent: '' })).toBe('/evil.test?q=1');
    expect(location({ scheme: 'https' }, { path: '//evil.test' })).toBe('https://a.test//evil.test?q=1');
  });

  it('cannot be split, whatever the request holds', () => {
    const bytes = fc.array(fc.nat(255).map((code) => String.fromCharCode(code)), { maxLength: 20 }).map((list) => list.join(''));
    fc.assert(
      fc.property(bytes, bytes, bytes, (tail, query, hostAsSent) => {
        for (const parts of [{ prefix: '/' }, { scheme: 'https' }, { to: 'https://b.test/' }, { path: '/x' }]) {
          const value = location(parts, { path: `/old/${tail}`, query, hostAsSent });
          expect(value).toMatch(/^[\x21-\x7e]+$/);
          const from = new URL('http://a.test/old/a');
          if (!('to' in parts) && !value.startsWith('https://')) expect(new URL(value, from).host).toBe('a.test');
        }
      }),
      { numRuns: 1000 },
    );
  });
});
