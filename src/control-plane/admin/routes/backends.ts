/**
 * Backends by page, in the order of pool and address. A cursor names the last
 * one shown, so a page goes on right behind it whatever a reload did meanwhile:
 * what was there throughout is shown exactly once.
 */
import { z } from 'zod';
import { yieldToLoop } from '../../../base/clock.ts';
import type { RunningConfig } from '../../../observe/metrics-source.ts';
import type { AdminContext } from '../admin-context.ts';
import { JSON_TYPE, jsonReply, type AdminRoute } from '../admin-route.ts';
import { backendPageAnswer, stateName, verdictName, type BackendAnswer } from '../answers.ts';
import { backendView, compareText, ROWS_PER_TURN, sortedBackends, type Placed } from '../backend-views.ts';
import { CallProblem } from '../problem.ts';

const query = z.strictObject({
  pool: z.string().min(1).optional(),
  verdict: verdictName.optional(),
  state: stateName.optional(),
  limit: z.string().regex(/^[1-9][0-9]{0,3}$/, 'a number from 1 to 1000').transform(Number).refine((limit) => limit <= 1000, 'a number from 1 to 1000').default(100),
  cursor: z.string().max(2000).optional(),
});
type Query = z.infer<typeof query>;

export const backends: AdminRoute = {
  method: 'GET',
  path: '/api/v1/backends',
  access: 'read',
  summary: 'Backends by page, ordered by pool and address; `next` is the cursor of the next page, null on the last.',
  query,
  answer: { contentType: JSON_TYPE, schema: backendPageAnswer },
  async handle(call) {
    const asked = call.query as Query;
    const config = call.context.running();
    return jsonReply(config === null ? { items: [], next: null } : await page(call.context, config, asked));
  },
};

async function page(context: AdminContext, config: RunningConfig, asked: Query): Promise<{ items: (BackendAnswer & { pool: string })[]; next: string | null }> {
  const sorted = await sortedBackends(config);
  const items: (BackendAnswer & { pool: string })[] = [];
  let last: Placed | null = null;
  for (let i = startOf(sorted, asked); i < sorted.length; i++) {
    const placed = sorted[i]!;
    if (asked.pool !== undefined && placed.pool.name !== asked.pool) break;
    if (holds(context, placed, asked)) {
      if (items.length === asked.limit) return { items, next: cursorOf(last!) };
      items.push({ pool: placed.pool.name, ...backendView(context, placed) });
      last = placed;
    }
    if (i % ROWS_PER_TURN === ROWS_PER_TURN - 1) await yieldToLoop();
  }
  return { items, next: null };
}

function holds(context: AdminContext, { row }: Placed, { verdict, state }: Query): boolean {
  const cells = context.table.backend(row);
  return (verdict === undefined || cells.verdict === verdict) && (state === undefined || cells.state === state);
}

/** Index of the first one to look at: behind the cursor, and not before the pool asked for. */
function startOf(sorted: readonly Placed[], { pool, cursor }: Query): number {
  const behind = cursor === undefined ? null : parseCursor(cursor);
  const isBefore = ({ pool: { name }, backend }: Placed): boolean => {
    if (pool !== undefined && compareText(name, pool) < 0) return true;
    if (behind === null) return false;
    return (compareText(name, behind[0]) || compareText(backend.address, behind[1])) <= 0;
  };
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(sorted[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}

const cursorShape = z.tuple([z.string(), z.string()]);

function cursorOf({ pool, backend }: Placed): string {
  return Buffer.from(JSON.stringify([pool.name, backend.address]), 'utf8').toString('base64url');
}

function parseCursor(text: string): [string, string] {
  try {
    return cursorShape.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
  } catch {
    throw new CallProblem(400, 'The cursor is not one that a page gave out.');
  }
}
