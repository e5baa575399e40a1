/** The page Prometheus scrapes. */
import { z } from 'zod';
import { METRICS_CONTENT_TYPE } from '../../../observe/metrics.ts';
import type { AdminRoute } from '../admin-route.ts';

const query = z.strictObject({ backends: z.enum(['all', 'none']).default('all') });

export const metrics: AdminRoute = {
  method: 'GET',
  path: '/metrics',
  access: 'read',
  summary: 'Prometheus text, all workers summed; backends=none leaves the families of single backends out.',
  query,
  answer: { contentType: METRICS_CONTENT_TYPE },
  handle(call) {
    const { backends } = call.query as z.infer<typeof query>;
    return { kind: 'chunks', contentType: METRICS_CONTENT_TYPE, chunks: call.metrics.render({ backends: backends === 'all' }) };
  },
};
