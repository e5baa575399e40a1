/** The operator's hand on one backend: take it out, put it back, weigh it. */
import type { z } from 'zod';
import type { RunningConfig } from '../../../observe/metrics-source.ts';
import type { BackendState } from '../../../shared/snapshot.ts';
import type { BackendStateChange } from '../admin-context.ts';
import { JSON_TYPE, jsonReply, type AdminRoute } from '../admin-route.ts';
import { stateChangeAnswer, stateChangeBody } from '../answers.ts';
import { backendView, firstBackends, type Placed } from '../backend-views.ts';
import { outcomeProblem } from '../outcome-problem.ts';
import { CallProblem } from '../problem.ts';

const strictness: Record<BackendState, number> = { ready: 0, drain: 1, disabled: 2 };

export const backendState: AdminRoute = {
  method: 'POST',
  path: '/api/v1/pools/{pool}/backends/{address}/state',
  access: 'write',
  summary: 'Sets a backend’s state and weight; weight null: the file’s. It holds until set to ready, also over restarts.',
  body: { kind: 'json', schema: stateChangeBody, bytesMax: 64 * 1024 },
  answer: { contentType: JSON_TYPE, schema: stateChangeAnswer },
  problems: [409, 503],
  async handle({ context, params, body }) {
    const config = context.running();
    if (config === null) throw new CallProblem(503, 'No config is loaded yet.');
    const placed = find(config, params['pool']!, params['address']!);
    const change = body as z.infer<typeof stateChangeBody>;
    refuseIfFileIsStricter(placed, change.state);
    const outcome = await context.setBackendState(placed.pool.name, placed.backend.address, withoutUndefined(change));
    if (outcome.kind !== 'done') throw outcomeProblem(outcome);
    return jsonReply({ pool: placed.pool.name, ...backendView(context, placed) });
  },
};

function find(config: RunningConfig, poolName: string, address: string): Placed {
  const poolIndex = config.snapshot.pools.findIndex(({ name }) => name === poolName);
  const pool = config.snapshot.pools[poolIndex];
  if (pool === undefined) throw new CallProblem(404, `There is no pool "${poolName}".`);
  const index = pool.backends.findIndex((backend) => backend.address === address);
  const backend = pool.backends[index];
  if (backend === undefined) throw new CallProblem(404, `The pool "${poolName}" has no backend "${address}".`);
  return { pool, backend, row: config.rows.backends[firstBackends(config)[poolIndex]! + index]! };
}

/** The stricter of file and operator holds: what the file keeps out is let in there, not here. */
function refuseIfFileIsStricter({ backend }: Placed, asked: BackendState | undefined): void {
  if (asked === undefined || strictness[backend.state] <= strictness[asked]) return;
  throw new CallProblem(409, `The config file says state: ${backend.state} for ${backend.address}; it is lifted there.`);
}

function withoutUndefined({ state, weight, reason }: z.infer<typeof stateChangeBody>): BackendStateChange {
  return { ...(state !== undefined && { state }), ...(weight !== undefined && { weight }), ...(reason !== undefined && { reason }) };
}
