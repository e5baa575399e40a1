/** Listeners of tcp and udp, as the data plane gets them. What is refused there stands in test/golden/config/layer4-wrong.yaml. */
import { describe, expect, it } from 'vitest';
import { listenerOf, poolOf, problemsOf, snapshotOf, withListener } from '../../support/load-whole.ts';

describe('a tcp listener', () => {
  it('has the documented defaults', () => {
    expect(listenerOf('protocol: tcp')).toMatchObject({
      protocol: 'tcp',
      trustedProxies: [],
      proxyProtocol: 'off',
      limits: { connections: 20_000 },
      timeouts: { headerMs: 10_000, idleMs: 3_600_000 },
    });
  });

  it('takes a PROXY header from those it trusts, as http does', () => {
    for (const protocol of ['tcp', 'http']) {
      for (const proxyProtocol of ['accept', 'require'] as const) {
        expect(listenerOf(`protocol: ${protocol}, proxyProtocol: ${proxyProtocol}, trustedProxies: [10.0.0.1/8]`)).toMatchObject({ proxyProtocol, trustedProxies: ['10.0.0.0/8'] });
      }
    }
  });

  it('routes by what a TLS client says', () => {
    const { match, action } = listenerOf('protocol: tcp, routes: [{ match: { sni: [A.example.com., "*.B.example"], alpn: h2, source: 10.0.0.0/8 }, pool: web }]').routes[0]!;
    expect(match).toEqual({
      sni: [{ kind: 'exact', value: 'a.example.com' }, { kind: 'suffix', value: 'b.example' }],
      alpn: ['h2'],
      source: ['10.0.0.0/8'],
      host: null, path: null, method: null, header: null, query: null, cookie: null,
    });
    expect(action).toEqual({ kind: 'pool', pool: 'web' });
  });

  it('takes sni as routes after those written out and before pool, the most exact name first', () => {
    const text = `listeners: { web: { bind: ":443", protocol: tcp, pool: rest, sni: { "*.c": wide, "*.b.c": narrow, A.c: exact }, routes: [{ match: { source: "::1" }, pool: own }] } }
pools: { own: &p { backends: ["a:1"] }, exact: *p, narrow: *p, wide: *p, rest: *p }`;
    const { routes } = snapshotOf(text).listeners[0]!;
    expect(routes.map(({ name, match, action }) => [name, match.sni, (action as { pool: string }).pool])).toEqual([
      ['*', null, 'own'],
      ['a.c', [{ kind: 'exact', value: 'a.c' }], 'exact'],
      ['*.b.c', [{ kind: 'suffix', value: 'b.c' }], 'narrow'],
      ['*.c', [{ kind: 'suffix', value: 'c' }], 'wide'],
      ['*#2', null, 'rest'],
    ]);
  });
});

describe('a udp listener', () => {
  it('has the documented defaults', () => {
    expect(listenerOf('protocol: udp')).toMatchObject({ protocol: 'udp', trustedProxies: [], proxyProtocol: 'off', limits: { connections: 20_000, responsesMax: 0 }, timeouts: { idleMs: 30_000 } });
  });

  it('may forget a session after one answer', () => {
    expect(listenerOf('protocol: udp, limits: { responses: 1 }').limits.responsesMax).toBe(1);
  });

  it('may have the port of a tcp listener, and of the admin interface', () => {
    expect(problemsOf('listeners: { a: { bind: ":9900", protocol: udp, pool: web } }\npools: { web: { backends: ["a:1"] } }')).toEqual([]);
    expect(problemsOf('listeners: { a: { bind: ":53", protocol: udp, pool: web }, b: { bind: ":53", protocol: tcp, pool: web } }\npools: { web: { backends: ["a:1"] } }')).toEqual([]);
  });
});

describe('open files', () => {
  it('are two for a connection of tcp, one for a session of udp', () => {
    expect(problemsOf(withListener('protocol: tcp, limits: { connections: 50 }'), { descriptorsMax: 99 })).toEqual(['warning: listeners.web.limits.connections: connections of the listeners may need 100 open files, and this process may have 99']);
    expect(problemsOf(withListener('protocol: udp, limits: { connections: 50 }'), { descriptorsMax: 99 })).toEqual([]);
  });
});

describe('a pool', () => {
  it('sends the PROXY header and closes what its backends lost', () => {
    expect(poolOf('proxyProtocol: v1, onDown: close')).toMatchObject({ proxyProtocol: 'v1', onDown: 'close', fence: false });
  });
});
