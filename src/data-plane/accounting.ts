/** What an exchange leaves behind in this worker's counter pages and the access log. */
import { errorIndex, errorSpecs, type ErrorCode } from '../base/errors.ts';
import { METHOD } from './parse/request-head.ts';
import { BACKEND_FAILURES, backendColumns, bucketOf, listenerColumns, METHODS, poolColumns, requestCell, routeColumns, type BackendFailure } from '../shared/counter-pages.ts';
import { blankEntry } from '../observe/access-format.ts';
import type { Backend } from './connect/backend.ts';
import type { Exchange } from './exchange.ts';
import type { LiveListener } from './live/live-listener.ts';
import type { LivePool } from './live/live-pool.ts';
import type { WorkerContext } from './live/worker-context.ts';
import type { FailureKind } from './balance/ejection.ts';

/** The label a failed attempt counts under; other codes are no failure of the backend. */
const failureLabel: Partial<Record<ErrorCode, BackendFailure>> = {
  'connect-refused': 'refused',
  'connect-timeout': 'connect-timeout',
  'connect-failed': 'connect-failed',
  'backend-tls-failed': 'tls',
  'connection-lost': 'lost',
  'response-timeout': 'response-timeout',
  'response-malformed': 'malformed',
  'response-head-too-large': 'malformed',
  'response-incomplete': 'incomplete',
  'response-stalled': 'stalled',
};

/** What passive ejection makes of it. */
const ejectionKind: Record<BackendFailure, FailureKind> = {
  refused: 'refused',
  'connect-timeout': 'timeout',
  'connect-failed': 'reset',
  tls: 'reset',
  lost: 'reset',
  'response-timeout': 'timeout',
  malformed: 'malformed',
  incomplete: 'reset',
  stalled: 'timeout',
};

/** An attempt goes out: the backend is busier by one. */
export function countStart(backend: Backend): void {
  backend.row.addInFlight(1);
  backend.counters[backend.base + backendColumns.inFlight]!++;
}

/** An attempt is over, however it ended. */
export function countEnd(backend: Backend): void {
  backend.row.addInFlight(-1);
  backend.counters[backend.base + backendColumns.inFlight]!--;
}

/** The head of an answer came `seconds` after the attempt began. */
export function countAnswer(exchange: Exchange, seconds: number): void {
  const backend = exchange.backend!;
  const pool = exchange.pool!;
  const cells = backend.counters;
  cells[backend.base + backendColumns.codeClass + Math.floor(exchange.status / 100) - 1]!++;
  countResponse(backend, pool, seconds);
}

/** The backend answered after `seconds`: of http the head, of tcp the connect, of udp the first datagram. */
export function countResponse(backend: Backend, pool: LivePool, seconds: number): void {
  backend.counters[backend.base + backendColumns.responseSecondsSum]! += seconds;
  backend.counters[backend.base + backendColumns.responseCount]!++;
  pool.counters[pool.base + poolColumns.responseBuckets + bucketOf(seconds)]!++;
  pool.counters[pool.base + poolColumns.responseSecondsSum]! += seconds;
}

/** What a route took, as a connection or a session keeps it. */
export interface Routed {
  /** Null: no route took it. */
  readonly routeCounters: Float64Array | null;
  readonly routeBase: number;
}

/** A tcp connection, or a session of udp, is over: they have no status to be counted by. */
export function countRoute({ routeCounters, routeBase }: Routed, error: ErrorCode | null, seconds: number): void {
  if (routeCounters === null) return;
  if (error !== null) routeCounters[routeBase + routeColumns.errors]!++;
  routeCounters[routeBase + routeColumns.secondsSum]! += seconds;
  routeCounters[routeBase + routeColumns.secondsCount]!++;
}

/** A failed attempt: counts it and tells passive ejection. */
export function countFailure(exchange: Exchange, code: ErrorCode, nowMs: number): void {
  const backend = exchange.backend!;
  if (!exchange.hasAnswered) backend.counters[backend.base + backendColumns.errors]!++;
  countAttemptFailure(exchange.pool, backend, exchange.backendIndex, code, nowMs);
}

/** The same of any attempt on a backend, whatever its protocol. `pool` null: it is counted, and passive ejection hears nothing of it. */
export function countAttemptFailure(pool: LivePool | null, backend: Backend, backendIndex: number, code: ErrorCode, nowMs: number): void {
  const label = failureLabel[code];
  if (label === undefined) return;
  backend.counters[backend.base + backendColumns.failures + BACKEND_FAILURES.indexOf(label)]!++;
  pool?.balancer.ejection.onFailure(backendIndex, ejectionKind[label], nowMs);
}

/** The exchange is over: one line in each of the listener's and the route's counters, and in the access log. */
export function countExchange(exchange: Exchange, context: WorkerContext, nowMs: number): void {
  const { listener, route, status } = exchange;
  const seconds = (nowMs - exchange.startedMs) / 1000;
  const cells = listener.counters;
  const base = listener.base;
  if (status >= 100) cells[base + requestCell(exchange.method, status)]!++;
  cells[base + listenerColumns.durationBuckets + bucketOf(seconds)]!++;
  cells[base + listenerColumns.durationSecondsSum]! += seconds;
  if (exchange.error !== null) cells[base + listenerColumns.errors + errorIndex[exchange.error]]!++;
  if (route !== null) {
    const column = status >= 100 ? routeColumns.codeClass + Math.floor(status / 100) - 1 : routeColumns.errors;
    route.counters[route.base + column]!++;
    route.counters[route.base + routeColumns.secondsSum]! += seconds;
    route.counters[route.base + routeColumns.secondsCount]!++;
  }
  if (context.accessLog !== null) logExchange(exchange, context, seconds * 1000);
}

/** A failure that never became an exchange (no whole head came). */
export function countEarlyError(exchange: Exchange, code: ErrorCode): void {
  const { listener } = exchange;
  listener.counters[listener.base + listenerColumns.errors + errorIndex[code]]!++;
  const { status } = errorSpecs[code];
  if (status !== 0) listener.counters[listener.base + requestCell(exchange.method, status)]!++;
}

/** The same of what has no exchange at all, and got no answer. */
export function countRefusedRequest({ counters, base }: LiveListener, code: ErrorCode): void {
  counters[base + listenerColumns.errors + errorIndex[code]]!++;
}

/** Its line in the access log, with nothing of the request before it on this connection. */
export function logEarlyError(exchange: Exchange, code: ErrorCode, context: WorkerContext): void {
  if (context.accessLog === null) return;
  const { ownBytes } = exchange;
  exchange.reset();
  exchange.ownBytes = ownBytes;
  exchange.noted?.forget();
  exchange.clientAddress = exchange.peerAddress;
  exchange.status = errorSpecs[code].status;
  exchange.error = code;
  logExchange(exchange, context, 0);
}

/** One entry serves all lines: `record` reads it at once. */
const entry = blankEntry();

function logExchange(exchange: Exchange, context: WorkerContext, durationMs: number): void {
  const { noted } = exchange;
  const isKnown = noted !== null && noted.isKnown;
  entry.time = context.clock.wallMs();
  entry.listener = exchange.listener.spec.name;
  entry.route = exchange.route?.spec.name ?? '';
  entry.pool = exchange.pool?.spec.name ?? '';
  entry.backend = exchange.backend?.address ?? '';
  entry.client = exchange.clientAddress;
  entry.method = !isKnown ? '-' : exchange.method === METHOD.other ? noted.method : METHODS[exchange.method]!;
  entry.target = isKnown ? noted.target : '-';
  entry.httpVersion = exchange.isHttp2 ? 20 : isKnown && noted.minorVersion === 0 ? 10 : 11;
  entry.host = isKnown ? noted.host : '';
  entry.status = exchange.status;
  entry.bytesIn = exchange.requestBodyBytes;
  entry.bytesOut = exchange.answerBytes + exchange.ownBytes;
  entry.durationMs = durationMs;
  entry.backendMs = exchange.backendMs === 0 ? -1 : exchange.backendMs;
  entry.attempts = exchange.attempts;
  entry.error = exchange.error ?? '';
  entry.requestId = exchange.requestId;
  entry.referer = isKnown ? noted.referer : '';
  entry.userAgent = isKnown ? noted.userAgent : '';
  context.accessLog!.record(entry);
}
