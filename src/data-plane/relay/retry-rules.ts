/** Where a request may be sent again: exactly there, never elsewhere (CONFIG: "Passed on"). */
import { errorSpecs, type ErrorCode } from '../../base/errors.ts';
import { METHOD } from '../parse/request-head.ts';
import type { Exchange } from '../exchange.ts';

/** A connect that failed is tried on two more connections. */
const CONNECTS_MAX = 3;
/** A request that was lost without an answer is sent once more. */
const SENDS_MAX = 2;

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
