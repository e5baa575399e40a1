import { describe, expect, it } from 'vitest';
import { listenerOf, problemsOf, snapshotOf, withListener } from '../../support/load-whole.ts';

describe('a listener', () => {
  it('has the documented defaults', () => {
    expect(listenerOf('')).toMatchObject({
      name: 'web',
      protocol: 'http',
      trustedProxies: [],
      via: false,
      forwarded: false,
      limits: { connections: 20_000, headerBytesMax: 32 * 1024, headerCountMax: 128, bodyBytesMax: 0 },
      timeouts: { headerMs: 10_000, bodyMs: 30_000, sendMs: 60_000, idleMs: 60_000, tunnelMs: 3_600_000 },
    });
  });

  it.each([
    ['":8080"', [{ text: ':8080', host: null, port: 8080 }]],
    ['"0.0.0.0:8080"', [{ text: '0.0.0.0:8080', host: '0.0.0.0', port: 8080 }]],
    ['"[::1]:0"', [{ text: '[::1]:0', host: '::1', port: 0 }]],
    ['"[0:0::1]:65535"', [{ text: '[0:0::1]:65535', host: '::1', port: 65_535 }]],
    ['[":1", "127.0.0.1:2"]', [{ text: ':1', host: null, port: 1 }, { text: '127.0.0.1:2', host: '127.0.0.1', port: 2 }]],
  ])('binds to %s', (bind, binds) => {
    expect(listenerOf(`bind: ${bind}`).binds).toEqual(binds);
  });

  it('needs a bind', () => {
    expect(problemsOf('listeners: { web: { pool: web } }\npools: { web: { backends: [a:80] } }')).toEqual(['error: listeners.web: `bind` is missing']);
  });

  it('takes each limit, and 0 for none', () => {
    expect(listenerOf('limits: { connections: 0, headerSize: 64KiB, headerCount: 5, bodySize: 1MB }').limits).toEqual({ connections: 0, headerBytesMax: 65_536, headerCountMax: 5, bodyBytesMax: 1_000_000, responsesMax: 0, handshakesMax: 1000, streamsMax: 100, resetsMax: 200, controlFramesMax: 2000 });
  });

  it.each(['headerSize: 0', 'headerSize: 2MiB', 'headerCount: 0', 'connections: -1', 'bodySize: -1B'])('refuses the limit %s', (limit) => {
    expect(problemsOf(withListener(`limits: { ${limit} }`))).toHaveLength(1);
  });

  it('takes each timeout, and 0 for none', () => {
    expect(listenerOf('timeouts: { header: 0, body: 1.5s, send: 2m, idle: 1h, tunnel: 1d }').timeouts).toEqual({ headerMs: 0, bodyMs: 1500, sendMs: 120_000, idleMs: 3_600_000, tunnelMs: 86_400_000 });
  });

  it('rounds a timeout up to the next 100 ms, and says so', () => {
    expect(listenerOf('timeouts: { header: 10ms, body: 101ms }').timeouts).toMatchObject({ headerMs: 100, bodyMs: 200 });
    expect(problemsOf(withListener('timeouts: { body: 101ms }'))).toEqual(['warning: listeners.web.timeouts.body: `101ms` is taken as 200ms']);
  });

  it('clears the bits of a trusted network beyond its prefix', () => {
    expect(listenerOf('trustedProxies: [10.1.2.3/8, 192.0.2.1, "fd00::1/8", "::1"]').trustedProxies).toEqual(['10.0.0.0/8', '192.0.2.1/32', 'fd00::/8', '::1/128']);
  });

  it('takes false for off', () => {
    expect(listenerOf('protocol: http, proxyProtocol: false, via: true, forwarded: true')).toMatchObject({ proxyProtocol: 'off', via: true, forwarded: true });
  });

  it('may have a name that objects have already', () => {
    const snapshot = snapshotOf('listeners: { __proto__: { bind: ":1", pool: constructor } }\npools: { constructor: { backends: [a:80] } }');
    expect(snapshot.listeners.map(({ name }) => name)).toEqual(['__proto__']);
    expect(snapshot.pools.map(({ name }) => name)).toEqual(['constructor']);
  });

  it('turns its pool into a last route with every default', () => {
    const { routes } = listenerOf('routes: [{ match: { path: /a }, respond: {} }]');
    expect(routes[1]).toEqual({
      name: '*',
      match: { host: null, path: null, method: null, header: null, query: null, cookie: null, source: null, sni: null, alpn: null },
      action: { kind: 'pool', pool: 'web' },
      rewrite: null,
      requestHeaders: null,
      responseHeaders: null,
      timeouts: { responseMs: 60_000, idleMs: 300_000, totalMs: 0 },
      rateLimit: null,
      retry: null,
    });
  });
});
