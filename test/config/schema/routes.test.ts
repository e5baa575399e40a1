import { describe, expect, it } from 'vitest';
import { problemsOf, routeOf, withRoute } from '../../support/load-whole.ts';

describe('a route', () => {
  it('has the documented defaults', () => {
    expect(routeOf('pool: web')).toMatchObject({ rewrite: null, requestHeaders: null, responseHeaders: null, timeouts: { responseMs: 60_000, idleMs: 300_000, totalMs: 0 } });
  });

  it('responds with 200 and nothing by default', () => {
    expect(routeOf('respond: {}').action).toEqual({ kind: 'respond', status: 200, body: '', contentType: 'text/plain; charset=utf-8' });
    expect(routeOf('respond: { status: 404, body: no }').action).toMatchObject({ status: 404, body: 'no' });
  });

  const redirect = { kind: 'redirect', status: 302, to: null, scheme: null, host: null, port: null, path: null, prefix: null };
  it.each([
    ['to: "https://www.example.com/a?b#c"', { ...redirect, to: 'https://www.example.com/a?b#c' }],
    ['scheme: https, status: 301', { ...redirect, scheme: 'https', status: 301 }],
    ['host: b.example, port: 8443, status: 303', { ...redirect, host: 'b.example', port: 8443, status: 303 }],
    ['path: /x, status: 307', { ...redirect, path: '/x', status: 307 }],
    ['prefix: /new/, status: 308', { ...redirect, prefix: '/new', status: 308 }],
    ['prefix: /', { ...redirect, prefix: '' }],
  ])('redirects by %s', (keys, action) => {
    expect(routeOf(`match: { path: /a }, redirect: { ${keys} }`).action).toEqual(action);
  });

  it.each([
    ['{ prefix: /, host: web.internal }', { prefix: '', path: null, host: 'web.internal' }],
    ['{ path: /x }', { prefix: null, path: '/x', host: null }],
    ['{ host: "[::1]:8080" }', { prefix: null, path: null, host: '[::1]:8080' }],
  ])('rewrites by %s', (rewrite, expected) => {
    expect(routeOf(`match: { path: /a }, pool: web, rewrite: ${rewrite}`).rewrite).toEqual(expected);
  });

  it('edits headers, with names as written', () => {
    const route = routeOf('pool: web, requestHeaders: { remove: [X-A], set: { X-B: b }, add: { X-C: "" } }, responseHeaders: { set: { Host: h } }');
    expect(route.requestHeaders).toEqual({ remove: ['X-A'], set: [['X-B', 'b']], add: [['X-C', '']] });
    expect(route.responseHeaders).toEqual({ remove: [], set: [['Host', 'h']], add: [] });
  });

  it('has no edits where a map holds none', () => {
    expect(routeOf('pool: web, requestHeaders: { remove: [], set: {}, add: {} }').requestHeaders).toBeNull();
  });

  it('rounds its timeouts up to 100 ms', () => {
    expect(routeOf('pool: web, timeouts: { response: 1ms, idle: 0, total: 1250ms }').timeouts).toEqual({ responseMs: 100, idleMs: 0, totalMs: 1300 });
  });

  it.each([
    ['pool: web, respond: {}', '`respond` stands beside'],
    ['match: { path: /a }', 'has none of pool, redirect, respond'],
  ])('has exactly one action: %s', (keys) => {
    expect(problemsOf(withRoute(keys))).toHaveLength(1);
  });

  it.each([
    'redirect: { to: "https://a.example/", path: /x }',
    'redirect: { path: /x, prefix: /y }',
    'pool: web, rewrite: { path: /x, prefix: /y }',
    'respond: { status: 304, body: x }',
    'respond: { status: 101 }',
    'redirect: { status: 302 }',
    'respond: {}, rewrite: { host: a }',
    'match: { path: { regex: /a } }, redirect: { prefix: /b }',
    'redirect: { to: /relative }',
    'redirect: { host: "a.example:80" }',
    'pool: web, rewrite: { path: "/a?b" }',
    'pool: web, rewrite: { host: "a/b" }',
  ])('refuses %s', (keys) => {
    expect(problemsOf(withRoute(keys))).toEqual([expect.stringMatching(/^error: /)]);
  });

  it('keeps line breaks out of every header, which could split a message', () => {
    for (const value of ['"a\\r\\nb: c"', '"a\\nb"', '"a\\0b"']) {
      expect(problemsOf(withRoute(`pool: web, requestHeaders: { set: { x-a: ${value} } }`))).toHaveLength(1);
      expect(problemsOf(withRoute(`pool: web, responseHeaders: { add: { x-a: ${value} } }`))).toHaveLength(1);
      expect(problemsOf(withRoute(`pool: web, rewrite: { host: ${value} }`))).toHaveLength(1);
      expect(problemsOf(withRoute(`redirect: { to: ${value} }`))).toHaveLength(1);
    }
  });

  it.each(['connection', 'Content-Length', 'TRANSFER-ENCODING', 'te', 'trailer', 'upgrade', 'keep-alive', 'proxy-connection', 'host'])('does not edit %s of a request', (name) => {
    expect(problemsOf(withRoute(`pool: web, requestHeaders: { remove: [${name}] }`))).toHaveLength(1);
    expect(problemsOf(withRoute(`pool: web, requestHeaders: { set: { ${name}: x } }`))).toHaveLength(1);
  });
});
