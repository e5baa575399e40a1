/** The tier as one system, the same from any member. Without a store it is a tier of one, in the same shape. */
import { z } from 'zod';
import { JSON_TYPE, type AdminRoute } from '../admin-route.ts';
import { tierAnswer } from '../answers.ts';
import { CallProblem } from '../problem.ts';
import { tierText } from '../tier-view.ts';

const query = z.strictObject({ pool: z.string().min(1).optional() });

export const tier: AdminRoute = {
  method: 'GET',
  path: '/api/v1/tier',
  access: 'read',
  summary: 'The same from any member: members with their usage, leader, versions, traffic of each pool (of its backends with pool=), and each verdict that is not up with who saw what.',
  query,
  answer: { contentType: JSON_TYPE, schema: tierAnswer },
  handle(call) {
    const { pool = null } = call.query as z.infer<typeof query>;
    const known = call.context.running()?.snapshot.pools.some(({ name }) => name === pool) ?? false;
    if (pool !== null && !known) throw new CallProblem(404, `There is no pool "${pool}".`);
    return { kind: 'chunks', contentType: JSON_TYPE, chunks: tierText(call.context, pool) };
  },
};
