/** The tier as this member sees it. Without a store it is a tier of one, in the same shape. */
import { yieldToLoop } from '../../../base/clock.ts';
import type { ProxyState } from '../../../observe/event-log.ts';
import type { AdminContext } from '../admin-context.ts';
import { JSON_TYPE, type AdminRoute } from '../admin-route.ts';
import { tierAnswer, type TierAnswer } from '../answers.ts';
import { ROWS_PER_TURN, sortedBackends, type Placed } from '../backend-views.ts';
import { configView } from '../status-text.ts';

const memberStates: Record<ProxyState, TierAnswer['members'][number]['state']> = {
  starting: 'joining',
  ready: 'ready',
  draining: 'draining',
  stopping: 'draining',
};

export const tier: AdminRoute = {
  method: 'GET',
  path: '/api/v1/tier',
  access: 'read',
  summary: 'The same from any member: members, leader, versions, and each verdict that is not up with who saw what.',
  answer: { contentType: JSON_TYPE, schema: tierAnswer },
  handle: ({ context }) => ({ kind: 'chunks', contentType: JSON_TYPE, chunks: tierText(context) }),
};

async function* tierText(context: AdminContext): AsyncGenerator<string, void> {
  const config = context.running();
  const head: Omit<TierAnswer, 'verdicts'> = {
    name: config?.snapshot.tier.name ?? 'default',
    controlPlane: 'embedded',
    leader: context.node,
    members: [
      {
        id: context.node,
        state: memberStates[context.state()],
        addresses: [...context.addresses],
        since: new Date(context.startedAtMs).toISOString(),
        software: context.version,
        config: configView(config),
      },
    ],
  };
  let text = `${JSON.stringify(head).slice(0, -1)},"verdicts":[`;
  let separator = '';
  for (const [i, placed] of (config === null ? [] : await sortedBackends(config)).entries()) {
    const row = verdictRow(context, placed);
    if (row !== null) {
      text += separator + JSON.stringify(row);
      separator = ',';
    }
    if (i % ROWS_PER_TURN !== ROWS_PER_TURN - 1) continue;
    yield text;
    text = '';
    await yieldToLoop();
  }
  yield `${text}]}\n`;
}

function verdictRow(context: AdminContext, { pool, backend, row }: Placed): TierAnswer['verdicts'][number] | null {
  const { verdict, ejected } = context.table.backend(row);
  if (verdict === 'up' && !ejected) return null;
  const note = context.backendNote(row);
  const since = new Date(note.sinceMs).toISOString();
  return { pool: pool.name, address: backend.address, verdict, ejected, since, seenBy: [{ member: context.node, verdict, reason: note.reason, at: since }] };
}
