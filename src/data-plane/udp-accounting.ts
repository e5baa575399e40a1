/** What a session of udp leaves behind in this worker's counter pages and the access log. */
import type { ErrorCode } from '../base/errors.ts';
import { plainAddress } from '../net/address.ts';
import { blankEntry } from '../observe/access-format.ts';
import { countResponse, countRoute } from './accounting.ts';
import type { WorkerContext } from './live/worker-context.ts';
import type { UdpSession } from './relay/udp-session.ts';

/** The first answer came; how long that took is the backend's response time. */
export function countAnswered({ backend, pool, answerMs }: UdpSession): void {
  countResponse(backend, pool, answerMs / 1000);
}

/** The session is over. */
export function countSession(session: UdpSession, error: ErrorCode | null, context: WorkerContext): void {
  const durationMs = context.clock.monotonicMs() - session.startedMs;
  countRoute(session, error, durationMs / 1000);
  if (context.accessLog !== null) logSession(session, error, context, durationMs);
}

/** One entry serves all lines: `record` reads it at once. */
const entry = blankEntry();
entry.method = 'UDP';
entry.target = '-';
entry.httpVersion = 0;
entry.attempts = 1;

function logSession(session: UdpSession, error: ErrorCode | null, context: WorkerContext, durationMs: number): void {
  entry.time = context.clock.wallMs();
  entry.listener = session.live.spec.name;
  entry.route = session.routeName;
  entry.pool = session.pool.spec.name;
  entry.backend = session.backend.address;
  entry.client = plainAddress(session.address);
  entry.bytesIn = session.bytesIn;
  entry.bytesOut = session.bytesOut;
  entry.durationMs = durationMs;
  entry.backendMs = session.answerMs;
  entry.error = error ?? '';
  context.accessLog!.record(entry);
}
