/** `retry` of a route: after which failures a request is sent again, how often, and how much of that a pool has to bear. */
import { z } from 'zod';
import { RETRY_CAUSES, type RetryCause } from '../../shared/snapshot.ts';
import { GRPC_STATUSES } from '../../shared/grpc-status.ts';
import { nearest } from '../nearest.ts';
import { duration, oneOrMany, share, whole } from './leaves.ts';
import { Fault, leaf } from './notes.ts';
import { broken } from './rules.ts';

export const STATUS_MIN = 400;
const STATUS_MAX = 599;
const ATTEMPTS_MAX = 10;

/** A status of HTTP as a number; of gRPC as its name; what comes before any answer as the word for it. */
export type RetryCondition = number | string;

const grpcNames = Object.keys(GRPC_STATUSES);
const words: readonly string[] = [...RETRY_CAUSES, ...grpcNames];
const expected = `${RETRY_CAUSES.join(', ')}, a status from ${STATUS_MIN} to ${STATUS_MAX}, or a status of gRPC such as unavailable`;

const condition = leaf<string | number, RetryCondition>(z.union([z.enum(words), z.int().min(STATUS_MIN).max(STATUS_MAX)]), ['string', 'number'], expected, (value) => {
  if (typeof value === 'number') return Number.isInteger(value) && value >= STATUS_MIN && value <= STATUS_MAX ? value : new Fault('is no status of a failure');
  return words.includes(value) ? value : new Fault('is not known here', { suggestion: nearest(value, words) });
});

export const retry = z
  .strictObject({
    attempts: whole(2, ATTEMPTS_MAX).prefault(2).describe('How often a request is sent at most, the first time among them.'),
    when: oneOrMany(condition, expected)
      .prefault(['connect-failure', 'refused-stream', 'unavailable', 503])
      .describe('After what it is sent again: statuses of HTTP (of idempotent methods, and of gRPC), statuses of gRPC in an answer without a message, `connect-failure`, `refused-stream`, `connection-lost`, `response-timeout`.'),
    budget: share().prefault('20%').describe('Share of the requests of this route that may be sent again; 3 a second in each worker always may.'),
    perTry: duration({ zero: true }).prefault(0).describe('From the request sent to the head of the answer, of each attempt; beside `response-timeout` in `when`. 0: as timeouts.response.'),
  })
  .check((context) => {
    const { perTry, when } = context.value;
    if (typeof perTry === 'number' && perTry > 0 && Array.isArray(when) && !when.includes('response-timeout')) {
      broken(context, ['perTry'], 'ends attempts that are not sent again', { expected: 'response-timeout in when; or timeouts.response for the request as a whole' });
    }
  });

/** The causes among the conditions. */
export function causesOf(when: readonly RetryCondition[]): RetryCause[] {
  return RETRY_CAUSES.filter((cause) => when.includes(cause));
}
