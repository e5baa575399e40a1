/** What a bug of ours leaves behind that was caught at a client's connection: it costs that connection, not the worker. The caller closes it. */
import { countRefusedRequest } from '../accounting.ts';
import type { LiveListener } from '../live/live-listener.ts';
import type { WorkerContext } from '../live/worker-context.ts';

export function tellBug(live: LiveListener, context: WorkerContext, error: unknown): void {
  context.log('error', 'a bug: the connection was closed', { listener: live.spec.name, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  countRefusedRequest(live, 'internal');
}
