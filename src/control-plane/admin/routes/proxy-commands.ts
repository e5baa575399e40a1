/** Commands to this proxy as a whole. */
import type { z } from 'zod';
import type { AdminContext, CommandOutcome } from '../admin-context.ts';
import { JSON_TYPE, jsonReply, type AdminRoute } from '../admin-route.ts';
import { proxyCommandAnswer, reasonBody, reloadAnswer } from '../answers.ts';
import { outcomeProblem } from '../outcome-problem.ts';
import { CallProblem } from '../problem.ts';

const body = { kind: 'json', schema: reasonBody, bytesMax: 64 * 1024 } as const;

function command(path: string, summary: string, run: (context: AdminContext, reason: string) => Promise<CommandOutcome>): AdminRoute {
  return {
    method: 'POST',
    path,
    access: 'write',
    summary,
    body,
    answer: { contentType: JSON_TYPE, schema: proxyCommandAnswer },
    problems: [409],
    async handle(call) {
      const { reason = '' } = call.body as z.infer<typeof reasonBody>;
      const outcome = await run(call.context, reason);
      if (outcome.kind !== 'done') throw outcomeProblem(outcome);
      return jsonReply({ state: call.context.state() });
    },
  };
}

export const drain = command('/api/v1/drain', 'readyz turns 503 and answers say Connection: close; accepting goes on.', (context, reason) => context.drain(reason));

export const undrain = command('/api/v1/undrain', 'Takes a drain back.', (context, reason) => context.undrain(reason));

export const reload: AdminRoute = {
  method: 'POST',
  path: '/api/v1/reload',
  access: 'write',
  summary: 'Reads the config file again, as on HUP: whole or not at all.',
  body,
  answer: { contentType: JSON_TYPE, schema: reloadAnswer },
  problems: [422],
  async handle({ context }) {
    const outcome = await context.reload();
    if (outcome.kind === 'refused') throw new CallProblem(422, outcome.text, { members: { problems: outcome.problems } });
    const { version, changed, warnings } = outcome;
    return jsonReply({ version, changed, warnings });
  },
};
