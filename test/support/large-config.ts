/** A config as large as the largest tier we promise: each backend one line, each route two. */
export interface LargeConfigShape {
  readonly backends: number;
  readonly routes: number;
  /** Backends are spread over this many pools. Default 100. */
  readonly pools?: number;
  /** Routes are spread over this many hosts; each has a path of its own. Default 2000. */
  readonly hosts?: number;
  /** Default: an address in 10.0.0.0/8. */
  readonly address?: (backend: number) => string;
  /** Stands first in the file. Default: none. */
  readonly head?: string;
}

/** Valid YAML text; the same for the same shape. Route `i` leads to pool `i % pools`, whose backends are those with the same remainder. */
export function largeConfig(shape: LargeConfigShape): string {
  const { pools = 100, hosts = 2000, address = tenNet } = shape;
  const lines = [...(shape.head === undefined ? [] : [shape.head]), 'listeners:', '  web:', '    bind: "127.0.0.1:0"', '    routes:'];
  for (let i = 0; i < shape.routes; i++) {
    lines.push(`      - match: { host: "h${i % hosts}.example.com", path: /tenant/${i} }`, `        pool: pool-${i % pools}`);
  }
  lines.push('pools:');
  for (let pool = 0; pool < pools; pool++) {
    lines.push(`  pool-${pool}:`, '    backends:');
    for (let i = pool; i < shape.backends; i += pools) {
      lines.push(i % 2 === 0 ? `      - ${address(i)}` : `      - { address: "${address(i)}", weight: ${(i % 9) + 1} }`);
    }
  }
  return lines.join('\n') + '\n';
}

function tenNet(backend: number): string {
  return `10.${backend >> 16}.${(backend >> 8) & 255}.${backend & 255}:8080`;
}
