/** What happens, as it happens. */
import { z } from 'zod';
import type { AdminRoute } from '../admin-route.ts';
import { STREAMS_MAX } from '../sse.ts';
import { CallProblem } from '../problem.ts';

const query = z.strictObject({ lastEventId: z.string().max(100).optional(), scope: z.enum(['tier', 'proxy']).default('tier') });

export const events: AdminRoute = {
  method: 'GET',
  path: '/api/v1/events',
  access: 'read',
  summary: 'Server-sent events, resumed by Last-Event-ID (or lastEventId=); 0 asks for all that is held. With a store those of the tier, the same from any member; scope=proxy: those of this proxy, as without a store.',
  query,
  answer: { contentType: 'text/event-stream' },
  problems: [503],
  handle({ context, streams, tierStreams, query: asked, lastEventId }) {
    const { lastEventId: asQuery = null, scope } = asked as z.infer<typeof query>;
    if (streams.size + tierStreams.size >= STREAMS_MAX) throw new CallProblem(503, `There are ${STREAMS_MAX} readers of events already.`);
    // The header is what a reader that reconnects sends; it then is newer than what its address says.
    const lastId = lastEventId ?? asQuery;
    const hasStore = (context.running()?.snapshot.tier.store ?? 'none') !== 'none';
    const source = hasStore && scope === 'tier' ? tierStreams : streams;
    return { kind: 'takeover', contentType: 'text/event-stream', run: (response) => source.start(response, lastId) };
  },
};
