/** What a tcp connection leaves behind in this worker's counter pages and the access log. */
import { bucketOf, listenerColumns } from '../shared/counter-pages.ts';
import { blankEntry } from '../observe/access-format.ts';
import { countResponse, countRoute } from './accounting.ts';
import type { WorkerContext } from './live/worker-context.ts';
import type { TcpSession } from './tcp-session.ts';

/** A backend took the connection; how long that took is its response time. */
export function countConnected(session: TcpSession): void {
  countResponse(session.backend!, session.pool!, session.connectMs / 1000);
}

/** The connection is over. */
export function countSession(session: TcpSession, context: WorkerContext): void {
  const durationMs = context.clock.monotonicMs() - session.startedMs;
  const { counters, base } = session.listener.live;
  const seconds = durationMs / 1000;
  countRoute(session, session.error, seconds);
  if (session.backend !== null) {
    counters[base + listenerColumns.tcpSecondsBuckets + bucketOf(seconds)]!++;
    counters[base + listenerColumns.tcpSecondsSum]! += seconds;
  }
  if (context.accessLog !== null) logSession(session, context, durationMs);
}

/** One entry serves all lines: `record` reads it at once. */
const entry = blankEntry();
entry.method = 'TCP';
entry.target = '-';
entry.httpVersion = 0;

function logSession(session: TcpSession, context: WorkerContext, durationMs: number): void {
  entry.time = context.clock.wallMs();
  entry.listener = session.listener.name;
  entry.route = session.routeName;
  entry.pool = session.poolName;
  entry.backend = session.backend?.address ?? '';
  entry.client = session.clientAddress;
  entry.host = session.hello?.serverName ?? '';
  entry.requestId = session.uniqueId;
  entry.bytesIn = session.bytesIn;
  entry.bytesOut = session.bytesOut;
  entry.durationMs = durationMs;
  entry.backendMs = session.connectMs === 0 ? -1 : session.connectMs;
  entry.attempts = session.attempts;
  entry.error = session.error ?? '';
  context.accessLog!.record(entry);
}
