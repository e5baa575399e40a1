/**
 * What each worker counted: pages of float64 cells with one writer (that
 * worker) and one reader (the main thread, at a scrape). No Atomics: an aligned
 * float64 is read and written whole on the platforms Node runs on, and a scrape
 * that misses the last microsecond is no error. The pages outlive a worker, so
 * a counter never falls when a worker is replaced; gauges are taken back with
 * `BackendTable` by the main thread.
 */
import { errorCodes } from '../base/errors.ts';
import { SharedRows, type SharedRowsMemory } from './shared-rows.ts';

/** Upper bounds in seconds of every duration histogram; the last bucket is +Inf. */
export const DURATION_BUCKETS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;
export const DURATION_BUCKETS = DURATION_BUCKETS_S.length + 1;

/** Index of the bucket a duration falls in. */
export function bucketOf(seconds: number): number {
  let i = 0;
  while (i < DURATION_BUCKETS_S.length && seconds > DURATION_BUCKETS_S[i]!) i++;
  return i;
}

/** Why a backend failed, as labels of `backend_failures_total`; order is the column order. */
export const BACKEND_FAILURES = ['refused', 'connect-timeout', 'connect-failed', 'lost', 'response-timeout', 'malformed', 'incomplete', 'stalled', 'tls'] as const;
export type BackendFailure = (typeof BACKEND_FAILURES)[number];

/** Methods counted by name; any other is `other`. */
export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'other'] as const;

/** Status codes a listener counts exactly: 100 … 599. */
const STATUS_MIN = 100;
const STATUS_COUNT = 500;

export const backendColumns = {
  codeClass: 0, // 0..4: 1xx … 5xx
  errors: 5, // attempts without an answer
  responseSecondsSum: 6,
  responseCount: 7,
  retries: 8,
  bytesToBackend: 9,
  bytesFromBackend: 10,
  inFlight: 11, // gauge: this worker's share
  connections: 12, // gauge: this worker's share, idle ones included
  connectionsIdle: 13, // gauge
  failures: 14, // one per BACKEND_FAILURES
  count: 14 + BACKEND_FAILURES.length,
} as const;

export const poolColumns = {
  responseBuckets: 0,
  responseSecondsSum: DURATION_BUCKETS,
  count: DURATION_BUCKETS + 1,
} as const;

export const routeColumns = {
  codeClass: 0, // 0..4: 1xx … 5xx
  errors: 5, // ended without an answer
  secondsSum: 6,
  secondsCount: 7,
  count: 8,
} as const;

/** Why a listener closed a client's connection before it came to anything; order is the column order. */
export const REFUSALS = ['limit', 'draining', 'no-route', 'no-backend', 'proxy-header', 'client-hello', 'tls'] as const;

/**
 * How TLS handshakes of clients ended, as labels of `tls_handshakes_total`;
 * order is the column order. The first two are those that came about; the
 * others say what was in the way, or who broke off.
 */
export const TLS_RESULTS = ['full', 'resumed', 'plain-text', 'no-tls', 'broken-hello', 'unknown-name', 'version', 'no-cipher', 'no-protocol', 'no-certificate', 'bad-certificate', 'client-alert', 'broken', 'gone', 'timeout', 'evicted'] as const;
export type TlsResult = (typeof TLS_RESULTS)[number];

/** Why a datagram was not passed on, as labels of `udp_dropped_total`; order is the column order. */
export const DROPS = ['no-route', 'no-backend', 'limit', 'draining', 'queue-full', 'too-large', 'unlisted-address', 'no-socket', 'send-failed'] as const;
export type Drop = (typeof DROPS)[number];

/** Error codes of HTTP/2 (RFC 9113 §7) in their order, as labels of `http2_refused_total`. */
export const HTTP2_ERRORS = [
  'no-error', 'protocol-error', 'internal-error', 'flow-control-error', 'settings-timeout', 'stream-closed', 'frame-size-error', 'refused-stream',
  'cancel', 'compression-error', 'connect-error', 'enhance-your-calm', 'inadequate-security', 'http-1-1-required',
] as const;

const REQUESTS_AT = DURATION_BUCKETS + 1;
const AFTER_REFUSED = REQUESTS_AT + METHODS.length * STATUS_COUNT + errorCodes.length + 2 + REFUSALS.length;
const AFTER_DROPPED = AFTER_REFUSED + 5 + DURATION_BUCKETS + DROPS.length;
export const listenerColumns = {
  durationBuckets: 0,
  durationSecondsSum: DURATION_BUCKETS,
  /** method-major: METHODS.length × STATUS_COUNT cells */
  requests: REQUESTS_AT,
  errors: REQUESTS_AT + METHODS.length * STATUS_COUNT, // one per errorCodes
  connections: REQUESTS_AT + METHODS.length * STATUS_COUNT + errorCodes.length, // gauge: this worker's share
  connectionsTotal: REQUESTS_AT + METHODS.length * STATUS_COUNT + errorCodes.length + 1,
  refused: REQUESTS_AT + METHODS.length * STATUS_COUNT + errorCodes.length + 2, // one per REFUSALS
  bytesIn: AFTER_REFUSED,
  bytesOut: AFTER_REFUSED + 1,
  tcpSecondsBuckets: AFTER_REFUSED + 2,
  tcpSecondsSum: AFTER_REFUSED + 2 + DURATION_BUCKETS,
  datagramsIn: AFTER_REFUSED + 3 + DURATION_BUCKETS,
  datagramsOut: AFTER_REFUSED + 4 + DURATION_BUCKETS,
  dropped: AFTER_REFUSED + 5 + DURATION_BUCKETS, // one per DROPS
  http2Connections: AFTER_DROPPED,
  http2Refused: AFTER_DROPPED + 1, // one per HTTP2_ERRORS
  tlsHandshakes: AFTER_DROPPED + 1 + HTTP2_ERRORS.length, // one per TLS_RESULTS
  count: AFTER_DROPPED + 1 + HTTP2_ERRORS.length + TLS_RESULTS.length,
} as const;

/** Cell of a listener's request counter, relative to its row. */
export function requestCell(methodIndex: number, status: number): number {
  return listenerColumns.requests + methodIndex * STATUS_COUNT + (status - STATUS_MIN);
}

/** A listener's row is 32 KiB, so its pages hold few. */
const LISTENERS_PER_PAGE = 16;

export const requestStatuses = { min: STATUS_MIN, count: STATUS_COUNT } as const;

export interface CounterPagesMemory {
  readonly backends: SharedRowsMemory;
  readonly pools: SharedRowsMemory;
  readonly routes: SharedRowsMemory;
  readonly listeners: SharedRowsMemory;
}

export interface RowCounts {
  readonly backends: number;
  readonly pools: number;
  readonly routes: number;
  readonly listeners: number;
}

/** One worker's counters. Row numbers are those of BackendTable for backends, pools and listeners; routes have their own. */
export class CounterPages {
  readonly backends = SharedRows.float64(backendColumns.count);
  readonly pools = SharedRows.float64(poolColumns.count);
  readonly routes = SharedRows.float64(routeColumns.count);
  readonly listeners = SharedRows.float64(listenerColumns.count, LISTENERS_PER_PAGE);

  ensure(rows: RowCounts): void {
    this.backends.ensure(rows.backends);
    this.pools.ensure(rows.pools);
    this.routes.ensure(rows.routes);
    this.listeners.ensure(rows.listeners);
  }

  memory(): CounterPagesMemory {
    return { backends: this.backends.memory(), pools: this.pools.memory(), routes: this.routes.memory(), listeners: this.listeners.memory() };
  }

  adopt(memory: CounterPagesMemory): void {
    this.backends.adopt(memory.backends);
    this.pools.adopt(memory.pools);
    this.routes.adopt(memory.routes);
    this.listeners.adopt(memory.listeners);
  }
}
