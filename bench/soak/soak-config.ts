/** The proxy's config in turn N of the soak: each differs from the one before in what a reload may change. */

const algorithms = ['round-robin', 'least-connections', 'power-of-two', 'random', 'ring-hash'];

export function soakConfig(origins: readonly number[], turn: number): string {
  const backends = origins.map((port, i) => `{ address: "127.0.0.1:${port}", weight: ${1 + ((turn + i) % 3)} }`);
  // Now and then one leaves the config, and comes back with the next.
  const kept = turn % 5 === 4 ? backends.slice(1) : backends;
  const routes = Array.from({ length: turn % 4 }, (_, i) => `      - { match: { path: /moved-${i} }, redirect: { path: /size/1 } }\n`).join('');
  const extra = turn % 7 === 6 ? '  extra: { bind: "127.0.0.1:0", pool: web }\n' : '';
  return `# turn ${turn}
listeners:
  web:
    bind: "127.0.0.1:0"
    limits: { headerSize: ${turn % 2 === 0 ? 32 : 16}KiB }
    timeouts: { header: 2s, body: 3s, send: 3s, idle: 4s, tunnel: 3s }
    routes:
${routes}      - { pool: web, timeouts: { response: ${5 + (turn % 3)}s } }
${extra}pools:
  web:
    algorithm: ${algorithms[turn % algorithms.length]}
    backends: [${kept.join(', ')}]
    health: { type: tcp, interval: 500ms, fall: 1, rise: 1 }
    connections: { idle: ${2 + (turn % 2)}s }
admin: { bind: "127.0.0.1:0" }
drain: { delay: 0, timeout: 5s, removed: 6s }
`;
}
