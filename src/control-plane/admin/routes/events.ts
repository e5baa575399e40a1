/** What happens, as it happens. */
import { z } from 'zod';
import type { AdminRoute } from '../admin-route.ts';
import { STREAMS_MAX } from '../event-streams.ts';
import { CallProblem } from '../problem.ts';

const query = z.strictObject({ lastEventId: z.string().max(100).optional() });

export const events: AdminRoute = {
  method: 'GET',
  path: '/api/v1/events',
  access: 'read',
  summary: 'Server-sent events, resumed by Last-Event-ID (or lastEventId=); 0 asks for all that is held.',
  query,
  answer: { contentType: 'text/event-stream' },
  problems: [503],
  handle({ streams, query: asked, lastEventId }) {
    if (streams.full) throw new CallProblem(503, `There are ${STREAMS_MAX} readers of events already.`);
    // The header is what a reader that reconnects sends; it then is newer than what its address says.
    const lastId = lastEventId ?? (asked as z.infer<typeof query>).lastEventId ?? null;
    return { kind: 'takeover', contentType: 'text/event-stream', run: (response) => streams.start(response, lastId) };
  },
};
