/**
 * The shapes of answers, once: TypeScript's types, openapi.json and the test
 * that holds real answers against it all come from these schemas. Times are
 * RFC 3339 in UTC; keys that do not apply are null, never absent.
 */
import { z } from 'zod';

const time = z.iso.datetime();
const count = z.number().int().nonnegative();
const hash = z.string().regex(/^[0-9a-f]{64}$/);

export const verdictName = z.enum(['unknown', 'up', 'down']);
export const stateName = z.enum(['ready', 'drain', 'disabled']);
export const proxyState = z.enum(['starting', 'ready', 'draining', 'stopping']);

export const problemAnswer = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  reasons: z.array(z.string()).optional(),
  problems: z
    .array(
      z.object({
        file: z.string(),
        line: z.number().int(),
        column: z.number().int(),
        severity: z.enum(['error', 'warning']),
        message: z.string(),
        expected: z.string().optional(),
        suggestion: z.string().optional(),
      }),
    )
    .optional(),
});

export const healthAnswer = z.object({ status: z.literal('ok') });
export const readyAnswer = z.object({ ready: z.literal(true), reasons: z.array(z.string()).max(0) });

export const backendAnswer = z.object({
  address: z.string(),
  verdict: verdictName,
  /** The stricter of the file's and the operator's. */
  state: stateName,
  ejected: z.boolean(),
  /** Since when the verdict is what it is. */
  since: time,
  reason: z.string(),
  weight: count,
  priority: count,
  inFlight: z.number().int(),
  requests: count,
  failures: count,
  /** Moving average of the time to the head of an answer; null: none yet. */
  latencyMs: z.number().nonnegative().nullable(),
});
export type BackendAnswer = z.infer<typeof backendAnswer>;

export const pooledBackendAnswer = backendAnswer.extend({ pool: z.string() });
export const backendPageAnswer = z.object({ items: z.array(pooledBackendAnswer), next: z.string().nullable() });

const configAnswer = z.object({ version: count, hash, effectiveHash: hash, loadedAt: time });
export const configVersionsAnswer = z.object({ items: z.array(configAnswer.extend({ running: z.boolean() })) });

export const workerAnswer = z.object({
  index: count,
  state: z.enum(['starting', 'running', 'down']),
  startedAt: time,
  restarts: count,
  utilization: z.number().min(0).max(1),
});

export const listenerAnswer = z.object({
  protocol: z.literal('http'),
  /** Address and port; the port is the real one where the config says 0. */
  binds: z.array(z.string()),
  connections: z.number().int(),
});

export const poolAnswer = z.object({
  algorithm: z.string(),
  panic: z.boolean(),
  /** Over all its backends; `usable`: ready, weight above 0, up, not ejected. */
  counts: z.object({ total: count, usable: count, up: count, down: count, unknown: count, ejected: count, drain: count, disabled: count }),
  requests: count,
  failures: count,
  inFlight: z.number().int(),
  /** Absent with `?backends=none`. */
  backends: z.array(backendAnswer).optional(),
});
export type PoolAnswer = z.infer<typeof poolAnswer>;

export const statusAnswer = z.object({
  node: z.string(),
  state: proxyState,
  reasons: z.array(z.string()),
  version: z.string(),
  startedAt: time,
  /** null until the first one is loaded. */
  config: configAnswer.nullable(),
  controlPlane: z.enum(['embedded', 'connected', 'autonomous']),
  workers: z.array(workerAnswer),
  listeners: z.record(z.string(), listenerAnswer),
  pools: z.record(z.string(), poolAnswer),
});
export type StatusAnswer = z.infer<typeof statusAnswer>;

export const tierAnswer = z.object({
  name: z.string(),
  controlPlane: z.enum(['embedded', 'connected', 'autonomous']),
  leader: z.string().nullable(),
  members: z.array(
    z.object({
      id: z.string(),
      state: z.enum(['joining', 'ready', 'draining', 'failed']),
      addresses: z.array(z.string()),
      since: time,
      software: z.string(),
      config: configAnswer.nullable(),
    }),
  ),
  /** Those that are not plainly up; `seenBy`: which member saw what. */
  verdicts: z.array(
    z.object({
      pool: z.string(),
      address: z.string(),
      verdict: verdictName,
      ejected: z.boolean(),
      since: time,
      seenBy: z.array(z.object({ member: z.string(), verdict: verdictName, reason: z.string(), at: time })),
    }),
  ),
});
export type TierAnswer = z.infer<typeof tierAnswer>;

export const stateChangeAnswer = pooledBackendAnswer;
export const proxyCommandAnswer = z.object({ state: proxyState });
export const reloadAnswer = z.object({ version: count, changed: z.boolean(), warnings: problemAnswer.shape.problems.unwrap() });

export const stateChangeBody = z
  .strictObject({
    state: stateName.optional(),
    /** null: back to the file's. */
    weight: z.number().int().min(0).max(1000).nullable().optional(),
    reason: z.string().max(500).optional(),
  })
  .refine((body) => body.state !== undefined || body.weight !== undefined, 'state or weight is needed');

export const reasonBody = z.strictObject({ reason: z.string().max(500).optional() });
