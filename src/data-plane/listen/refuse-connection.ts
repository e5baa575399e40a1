/** What a connection leaves behind that its listener closes for what came in front of it, or did not. The caller closes it. */
import { listenerColumns, REFUSALS } from '../../shared/counter-pages.ts';
import type { LiveListener } from '../live/live-listener.ts';
import type { WorkerContext } from '../live/worker-context.ts';

export function refuseConnection(live: LiveListener, context: WorkerContext, reason: (typeof REFUSALS)[number], client: string, detail: string): void {
  live.counters[live.base + listenerColumns.refused + REFUSALS.indexOf(reason)]!++;
  // Whoever is refused chooses how often: no louder than this.
  context.log('debug', 'a connection was refused', { listener: live.spec.name, reason, client, detail });
}
