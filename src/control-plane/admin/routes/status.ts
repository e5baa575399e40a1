/** Everything an operator asks first, in one answer. */
import { z } from 'zod';
import { JSON_TYPE, type AdminRoute } from '../admin-route.ts';
import { statusAnswer } from '../answers.ts';
import { CallProblem } from '../problem.ts';
import { statusText } from '../status-text.ts';

const query = z.strictObject({ pool: z.string().min(1).optional(), backends: z.enum(['all', 'none']).default('all') });

export const status: AdminRoute = {
  method: 'GET',
  path: '/api/v1/status',
  access: 'read',
  summary: 'This proxy: its state, config, workers, listeners and pools; pool= shows one pool, backends=none leaves backends out.',
  query,
  answer: { contentType: JSON_TYPE, schema: statusAnswer },
  handle(call) {
    const { pool = null, backends } = call.query as z.infer<typeof query>;
    const known = call.context.running()?.snapshot.pools.some(({ name }) => name === pool) ?? false;
    if (pool !== null && !known) throw new CallProblem(404, `There is no pool "${pool}".`);
    return { kind: 'chunks', contentType: JSON_TYPE, chunks: statusText(call.context, { pool, backends: backends === 'all' }) };
  },
};
