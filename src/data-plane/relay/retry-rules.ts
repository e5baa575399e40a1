/**
 * Where a request may be sent again: exactly there, never elsewhere. Some always
 * is (CONFIG: "Passed on"); what else, a route says with `retry`. Called with
 * requests that are still wholly held, before a byte of an answer went on.
 */
import { errorSpecs, type ErrorCode } from '../../base/errors.ts';
import type { RetryCause } from '../../shared/snapshot.ts';
import type { Exchange } from '../exchange.ts';
import type { LiveRetry } from '../live/live-retry.ts';
import { METHOD, RequestHead } from '../parse/request-head.ts';
import type { ResponseHead } from '../parse/response-head.ts';
import { grpcStatusOf, isGrpcCall, pushbackMs } from './grpc-call.ts';

/** A connect that failed is tried on two more connections. */
const CONNECTS_MAX = 3;
/** A request that was lost without an answer is sent once more. */
const SENDS_MAX = 2;
const STATUS_OK = 200;

/** For a head that is read again. */
const scratchHead = new RequestHead();

export function mayBeSentAgain(exchange: Exchange, code: ErrorCode): boolean {
  if (exchange.hasAnswered) return false;
  switch (errorSpecs[code].retry) {
    case 'connect':
      return exchange.attempts < CONNECTS_MAX;
    case 'idempotent':
      return exchange.attempts < SENDS_MAX && !exchange.hasBody && (exchange.method === METHOD.get || exchange.method === METHOD.head || exchange.method === METHOD.options);
    case 'no':
      return false;
  }
}

const causeByCode: Partial<Record<ErrorCode, RetryCause>> = {
  'connect-refused': 'connect-failure',
  'connect-timeout': 'connect-failure',
  'connect-failed': 'connect-failure',
  'backend-tls-failed': 'connect-failure',
  'stream-refused': 'refused-stream',
  'connection-lost': 'connection-lost',
  'response-timeout': 'response-timeout',
};

/** The route asks for another attempt after this failure. */
export function failureAsksAgain(exchange: Exchange, retry: LiveRetry, code: ErrorCode): boolean {
  if (exchange.hasAnswered || exchange.attempts >= retry.attemptsMax) return false;
  const cause = causeByCode[code];
  if (cause === undefined || !retry.causes.has(cause)) return false;
  return errorSpecs[code].retry === 'connect' || mayBeRepeated(exchange);
}

/** The backend may have looked at the attempt that failed so. */
export function wasAttempted(code: ErrorCode): boolean {
  return errorSpecs[code].retry !== 'connect';
}

/** Its backend is told of the attempts before. */
export function countsAttempts(exchange: Exchange): boolean {
  return isGrpcCall(exchange, scratchHead);
}

/** In how many ms the route asks for another attempt after this answer; -1: it does not. `isBare`: the answer ends with its head. */
export function answerAsksAgain(exchange: Exchange, retry: LiveRetry, head: ResponseHead, isBare: boolean): number {
  if (exchange.attempts >= retry.attemptsMax) return -1;
  // Only an answer without a message: behind one the call is what the backend made of it.
  const isGrpc = head.status === STATUS_OK && isBare && retry.grpcStatuses.size > 0;
  if (isGrpc ? !retry.grpcStatuses.has(grpcStatusOf(head)) : !retry.statuses.has(head.status)) return -1;
  if (isGrpc) return isGrpcCall(exchange, scratchHead) ? pushbackMs(head) : -1;
  return mayBeRepeated(exchange) ? pushbackMs(head) : -1;
}

/** Idempotent by its method (RFC 9110 §9.2.2), or a call of gRPC, of which the route says it. */
function mayBeRepeated(exchange: Exchange): boolean {
  switch (exchange.method) {
    case METHOD.get:
    case METHOD.head:
    case METHOD.options:
    case METHOD.put:
    case METHOD.delete:
      return true;
    default:
      return isGrpcCall(exchange, scratchHead);
  }
}
