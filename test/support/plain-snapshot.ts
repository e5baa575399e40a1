/** Snapshots for tests that need one without reading a file. */
import type { BackendSpec, ListenerSpec, PoolSpec, Snapshot } from '../../src/shared/snapshot.ts';

export function plainListener(name: string, port = 0, host: string | null = '127.0.0.1', routes: readonly string[] = []): ListenerSpec {
  return {
    name,
    protocol: 'http',
    proxyProtocol: 'off',
    tls: null,
    binds: [{ text: `${host ?? ''}:${port}`, host, port }],
    trustedProxies: [],
    via: false,
    forwarded: false,
    http2: true,
    limits: { connections: 100, headerBytesMax: 32768, headerCountMax: 128, bodyBytesMax: 0, responsesMax: 0, handshakesMax: 1000, streamsMax: 100, resetsMax: 200, controlFramesMax: 2000 },
    timeouts: { headerMs: 10_000, bodyMs: 30_000, sendMs: 60_000, idleMs: 60_000, tunnelMs: 3_600_000 },
    routes: routes.map((route) => ({
      name: route,
      match: { host: null, path: null, method: null, header: null, query: null, cookie: null, source: null, sni: null, alpn: null },
      action: { kind: 'respond', status: 200, body: '', contentType: 'text/plain' },
      rewrite: null,
      requestHeaders: null,
      responseHeaders: null,
      timeouts: { responseMs: 60_000, idleMs: 300_000, totalMs: 0 },
      rateLimit: null,
      retry: null,
    })),
  };
}

export function plainBackend(address: string): BackendSpec {
  const [host, port] = address.split(':');
  return { address, host: host!, port: Number(port), named: false, weight: 1, priority: 0, state: 'ready' };
}

export function plainPool(name: string, addresses: readonly string[]): PoolSpec {
  return {
    name,
    algorithm: { name: 'round-robin', module: null, options: {}, key: { kind: 'client-ip', name: '' } },
    protocol: 'http1',
    proxyProtocol: 'off',
    tls: null,
    onDown: 'keep',
    fence: false,
    backends: addresses.map(plainBackend),
    health: [],
    outlier: null,
    panicShare: 0.5,
    connections: { perBackend: 0, connectTimeoutMs: 2000, idleMs: 4000 },
  };
}

export function plainSnapshot(parts: Partial<Snapshot> = {}): Snapshot {
  return {
    number: 1,
    sha: 'a',
    effectiveSha: 'a',
    listeners: [],
    pools: [],
    tier: { name: 'default', store: 'none', heartbeatMs: 1000, leaseMs: 3000, probers: 3 },
    drain: { delayMs: 0, timeoutMs: 5000, removedMs: 60_000 },
    admin: { bind: { text: '127.0.0.1:0', host: '127.0.0.1', port: 0 }, token: null, readToken: null },
    log: { level: 'info', format: 'json', access: { format: 'off', to: 'stdout' } },
    ...parts,
  };
}
