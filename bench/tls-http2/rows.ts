/** The rows of the table: what clients do, over which protocols, and how much of the better peer's cost it may be. */
import type { FrontName } from './fronts.ts';

/** Requests by h2load: it counts what failed, and the bytes of bodies. */
export interface Requests {
  readonly tool: 'h2load';
  /** What clients speak. */
  readonly http: 1 | 2;
  readonly path: string;
  readonly count: number;
  readonly connections: number;
  readonly streams: number;
  /** What else a request says. */
  readonly fields: readonly string[];
  /** A call of gRPC with a small message. */
  readonly isCall: boolean;
}

/** Connections with one request each, by a client that looks at each handshake. */
export interface Handshakes {
  readonly tool: 'handshakes';
  readonly count: number;
  /** Of them before the first is counted: the runtime compiles what each connection runs once only after thousands. */
  readonly warmUp: number;
  readonly resumes: boolean;
}

/** Connections that had one answer each and then stay. */
export interface Held {
  readonly tool: 'hold';
  readonly http: 1 | 2;
  readonly count: number;
}

export interface Row {
  readonly name: string;
  readonly work: string;
  readonly unit: 'µs/request' | 'µs/connection' | 'KiB/connection';
  /** Infinity: no aim, it is told for what it is worth. */
  readonly atMost: number;
  /** Held against this one, whichever is the better. */
  readonly against?: string;
  readonly front: FrontName;
  readonly load: Requests | Handshakes | Held;
}

export const IDLE_CONNECTIONS = 4000;

/** As a browser says them, beside what the client says by itself. */
const browserFields = [
  'accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8', 'accept-language: en-GB,en;q=0.9,de;q=0.8', 'accept-encoding: gzip, deflate, br, zstd',
  'cookie: session=8d2f0b6e4c1a; theme=dark; consent=1', 'referer: http://shop.example/list?page=3', 'sec-fetch-dest: document', 'sec-fetch-mode: navigate', 'sec-fetch-site: same-origin',
  'upgrade-insecure-requests: 1', 'cache-control: max-age=0',
];
/** As a client of gRPC says them. */
const callFields = ['content-type: application/grpc', 'te: trailers', 'user-agent: grpc-c++/1.51.1 grpc-c/29.0.0 (linux; chttp2)', 'grpc-accept-encoding: identity, deflate, gzip', 'grpc-timeout: 5S'];

const many: Requests = { tool: 'h2load', http: 2, path: '/small', count: 20_000, connections: 16, streams: 16, fields: [], isCall: false };
const single: Requests = { ...many, connections: 64, streams: 1 };

function row(name: string, work: string, atMost: number, front: FrontName, load: Row['load'], more: Partial<Row> = {}): Row {
  const unit = load.tool === 'h2load' ? 'µs/request' : load.tool === 'hold' ? 'KiB/connection' : 'µs/connection';
  return { name, work, unit, atMost, front, load, ...more };
}

export const rows: readonly Row[] = [
  row('browser', 'HTTP/2, 16 × 16, fields as a browser says them', 0.75, 'clear', { ...many, path: '/browser', fields: browserFields }),
  row('one-stream', 'HTTP/2, 64 × 1', 0.95, 'clear', single),
  row('answer-64k', 'HTTP/2, 16 × 16, answers of 64 KiB', 0.9, 'clear', { ...many, path: '/64k', count: 6000 }),
  row('small', 'HTTP/2, 16 × 16, few fields', Infinity, 'clear', { ...many, count: 30_000 }),
  row('tls-browser', 'HTTP/2 over TLS, 16 × 16, fields as a browser says them', 0.75, 'tls', { ...many, path: '/browser', fields: browserFields }),
  row('tls-small', 'HTTP/1.1 over TLS, small answers, 64 connections', 1.1, 'tls', { ...single, http: 1 }),
  row('tls-64k', 'HTTP/1.1 over TLS, answers of 64 KiB, 16 connections', 0.95, 'tls', { ...single, http: 1, path: '/64k', connections: 16, count: 5000 }),
  row('handshake', 'full handshakes, a request each', 1.3, 'tls', { tool: 'handshakes', count: 1000, warmUp: 18_000, resumes: false }),
  row('resumed', 'resumed handshakes, a request each', 1.3, 'tls', { tool: 'handshakes', count: 1200, warmUp: 18_000, resumes: true }),
  row('grpc', 'unary calls of gRPC, 16 × 16', 0.75, 'grpc', { ...many, path: '/bench.Echo/Say', fields: callFields, isCall: true }, { against: 'nginx' }),
  row('h2c-backends', 'HTTP/1.1 over a pool of HTTP/2, against the same over HTTP/1.1', 0.9, 'over-http2', { ...single, http: 1, path: '/' }),
  row('idle-http2', `idle connections of HTTP/2, ${IDLE_CONNECTIONS} of them`, 1.3, 'clear', { tool: 'hold', http: 2, count: IDLE_CONNECTIONS }),
  row('idle-tls', `idle connections of HTTP/1.1 over TLS, ${IDLE_CONNECTIONS} of them`, 1.3, 'tls', { tool: 'hold', http: 1, count: IDLE_CONNECTIONS }),
  row('idle-tls-http2', `idle connections of HTTP/2 over TLS, ${IDLE_CONNECTIONS} of them`, 1.3, 'tls', { tool: 'hold', http: 2, count: IDLE_CONNECTIONS }),
];

export function findRow(name: string): Row {
  const found = rows.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no row "${name}"; there are: ${rows.map((each) => each.name).join(', ')}`);
  return found;
}
