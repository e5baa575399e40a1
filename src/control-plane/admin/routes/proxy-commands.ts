/**
 * Commands to this proxy as a whole; drain and undrain also to another member
 * of its tier, which hears of them through the store.
 */
import type { z } from 'zod';
import type { MemberOrder } from '../../member-orders.ts';
import type { AdminContext, CommandOutcome } from '../admin-context.ts';
import { JSON_TYPE, jsonReply, type AdminRoute } from '../admin-route.ts';
import { pause } from '../../../base/clock.ts';
import { drainAnswer, drainBody, reasonBody, reloadAnswer, type DrainAnswer } from '../answers.ts';
import { outcomeProblem } from '../outcome-problem.ts';
import { CallProblem } from '../problem.ts';
import { controlPlaneOf } from '../tier-view.ts';

const BODY_BYTES_MAX = 64 * 1024;
/** A heartbeat or two is what a member needs to hear of a word and to say that it follows it. */
const FOLLOW_WAIT_MS = 3000;
const FOLLOW_LOOK_MS = 50;

function command(path: string, summary: string, order: MemberOrder['state'], run: (context: AdminContext, reason: string) => Promise<CommandOutcome>): AdminRoute {
  return {
    method: 'POST',
    path,
    access: 'write',
    summary,
    body: { kind: 'json', schema: drainBody, bytesMax: BODY_BYTES_MAX },
    answer: { contentType: JSON_TYPE, schema: drainAnswer },
    problems: [409],
    async handle({ context, body }) {
      const { reason = '', member } = body as z.infer<typeof drainBody>;
      if (member !== undefined) return jsonReply(await orderMember(context, member, order, reason));
      const outcome = await run(context, reason);
      if (outcome.kind !== 'done') throw outcomeProblem(outcome);
      return jsonReply({ member: context.node, state: context.state(), followed: true } satisfies DrainAnswer);
    },
  };
}

/** A member that is away may be told too, if it has been told before: so it can be let in again before it starts. */
async function orderMember(context: AdminContext, member: string, order: MemberOrder['state'], reason: string): Promise<DrainAnswer> {
  const { clock } = context;
  const orders = context.memberOrders();
  const membership = context.membership();
  if (orders === null || membership === null) throw new CallProblem(409, 'There is no store (tier.store), so this proxy has no way to another; ask that one itself.');
  if (!membership.members.has(member) && orders.get(member) === null) throw new CallProblem(404, `There is no member "${member}" in the tier.`);
  const { controlPlane, reason: why } = controlPlaneOf(context.running(), membership);
  if (controlPlane === 'autonomous') throw new CallProblem(409, `The store is away (${why}), so this proxy cannot reach another; ask that one itself.`);
  orders.set(member, order, reason);
  const untilMs = clock.monotonicMs() + FOLLOW_WAIT_MS;
  while (true) {
    const state = membership.members.get(member)?.state ?? null;
    const followed = state !== null && (state === 'draining') === (order === 'drain');
    if (followed || state === null || clock.monotonicMs() >= untilMs) return { member, state, followed };
    await pause(clock, FOLLOW_LOOK_MS);
  }
}

export const drain = command('/api/v1/drain', 'readyz turns 503 and answers say Connection: close; accepting goes on. With member, another of the tier does so, also after a restart, until undrain.', 'drain', (context, reason) => context.drain(reason));

export const undrain = command('/api/v1/undrain', 'Takes a drain back, whoever was asked for it.', 'ready', (context, reason) => context.undrain(reason));

export const reload: AdminRoute = {
  method: 'POST',
  path: '/api/v1/reload',
  access: 'write',
  summary: 'Reads the config file again, as on HUP: whole or not at all.',
  body: { kind: 'json', schema: reasonBody, bytesMax: BODY_BYTES_MAX },
  answer: { contentType: JSON_TYPE, schema: reloadAnswer },
  problems: [422],
  async handle({ context }) {
    const outcome = await context.reload();
    if (outcome.kind === 'refused') throw new CallProblem(422, outcome.text, { members: { problems: outcome.problems } });
    const { version, changed, warnings } = outcome;
    return jsonReply({ version, changed, warnings });
  },
};
