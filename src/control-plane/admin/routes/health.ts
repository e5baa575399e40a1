/** Whether this process lives, and whether it should get traffic: for orchestrators and what stands in front. */
import type { AdminContext } from '../admin-context.ts';
import { JSON_TYPE, jsonReply, type AdminRoute } from '../admin-route.ts';
import { healthAnswer, readyAnswer } from '../answers.ts';
import { CallProblem } from '../problem.ts';

/** A worker that has not turned for so long is stuck; if all are, only a restart helps. */
const STUCK_AFTER_MS = 5000;

export const healthz: AdminRoute = {
  method: 'GET',
  path: '/healthz',
  access: 'none',
  summary: '503 when no worker’s loop has turned for 5 s.',
  answer: { contentType: JSON_TYPE, schema: healthAnswer },
  problems: [503],
  handle({ context }) {
    if (isStuck(context)) throw new CallProblem(503, `No worker’s loop has turned for ${STUCK_AFTER_MS / 1000} s.`);
    return jsonReply({ status: 'ok' });
  },
};

/** Before the first worker is started there is nothing to be stuck: a slow start is readyz's matter. */
function isStuck(context: AdminContext): boolean {
  const workers = context.workers();
  if (workers.length === 0) return context.state() !== 'starting';
  return workers.every((worker) => worker.silentMs > STUCK_AFTER_MS);
}

export const readyz: AdminRoute = {
  method: 'GET',
  path: '/readyz',
  access: 'none',
  summary: '503 with reasons: starting, draining, no worker, not on the committed config; never because backends are down.',
  answer: { contentType: JSON_TYPE, schema: readyAnswer },
  problems: [503],
  handle({ context }) {
    const reasons = context.notReadyReasons();
    if (reasons.length > 0) throw new CallProblem(503, `This proxy is not ready: ${reasons.join('; ')}.`, { members: { reasons } });
    return jsonReply({ ready: true, reasons: [] });
  },
};
