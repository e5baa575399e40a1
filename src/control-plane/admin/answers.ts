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
export const configVersionsAnswer = z.object({
  /** Names the tier's line of versions; null: there is no store, or no tier has committed what runs. */
  history: z.string().nullable(),
  /** The tier's committed version; null: not known, or no store. */
  head: count.nullable(),
  /** Why the committed version does not run here; '': it does. */
  failure: z.string(),
  rollout: z.object({ version: count, phase: z.enum(['validate', 'canary']), by: z.string(), canaries: z.array(z.string()) }).nullable(),
  /** The last version published through this proxy that the tier did not take; null: none. */
  lastRefusal: z.object({ version: count, reason: z.string() }).nullable(),
  items: z.array(
    z.object({
      version: count,
      hash,
      /** Known of those only that ran here. */
      effectiveHash: hash.nullable(),
      loadedAt: time.nullable(),
      running: z.boolean(),
      /** `published`: in a rollout, or not taken by the tier. */
      state: z.enum(['committed', 'published']),
      publishedAt: time.nullable(),
      by: z.string().nullable(),
      parent: count.nullable(),
      rollbackOf: count.nullable(),
    }),
  ),
});
export type ConfigVersionsAnswer = z.infer<typeof configVersionsAnswer>;
export const publishAnswer = z.object({
  version: count,
  /** `canary`: some members run it, the tier decides later; `same`: the tier had these bytes already. */
  outcome: z.enum(['committed', 'canary', 'same']),
  notes: z.array(z.string()),
});
export const rollbackBody = z.strictObject({ version: z.number().int().positive() });
export const adoptAnswer = z.object({ history: z.string().nullable() });

export const workerAnswer = z.object({
  index: count,
  state: z.enum(['starting', 'running', 'down']),
  startedAt: time,
  restarts: count,
  utilization: z.number().min(0).max(1),
});

export const listenerAnswer = z.object({
  protocol: z.enum(['http', 'tcp', 'udp']),
  /** Address and port; the port is the real one where the config says 0. */
  binds: z.array(z.string()),
  connections: z.number().int(),
});

const rolePhase = z.enum(['none', 'withdrawing', 'admitted']);

export const poolAnswer = z.object({
  algorithm: z.string(),
  panic: z.boolean(),
  /** Of a role pool alone: whom it serves here, by the tier's record of that epoch or by its own probes; `isFenced`: its fence has stopped it. */
  role: z.object({ primary: z.string().nullable(), epoch: count, phase: rolePhase, by: z.enum(['tier', 'own probes']), isFenced: z.boolean() }).optional(),
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
  /** Whose keys seal the tickets of TLS sessions: `tier` lets a client resume at any member. `reason`: why they are not the tier's; '' without a tier. */
  tickets: z.object({ keys: z.enum(['own', 'tier']), reason: z.string() }),
  workers: z.array(workerAnswer),
  listeners: z.record(z.string(), listenerAnswer),
  pools: z.record(z.string(), poolAnswer),
});
export type StatusAnswer = z.infer<typeof statusAnswer>;

const trafficAnswer = z.object({ requests: count, failures: count, inFlight: z.number().int() });
export type TrafficAnswer = z.infer<typeof trafficAnswer>;

export const memberState = z.enum(['joining', 'ready', 'draining', 'failed']);

export const memberAnswer = z.object({
  id: z.string(),
  state: memberState,
  /** Why it is not ready, or ''. */
  reason: z.string(),
  /** An operator's word by which it drains, wherever it was said; null: none, or it was said to the member alone. */
  drain: z.object({ reason: z.string(), by: z.string(), at: time }).nullable(),
  zone: z.string(),
  addresses: z.array(z.string()),
  since: time,
  software: z.string(),
  config: z.object({ version: count, hash, effectiveHash: hash }).nullable(),
  /** null: it has not told yet. */
  usage: z.object({ cpu: z.number().nonnegative(), rssBytes: count, workers: count, connections: z.number().int(), busiestWorker: z.number() }).nullable(),
});
export type MemberAnswer = z.infer<typeof memberAnswer>;

export const tierAnswer = z.object({
  name: z.string(),
  controlPlane: z.enum(['embedded', 'connected', 'autonomous']),
  /** Why the member asked goes by itself; '' while it does not. Its answer is then as last known. */
  reason: z.string(),
  leader: z.string().nullable(),
  /** The committed version; null: none known to the store. */
  config: z.object({ version: count, hash, history: z.string() }).nullable(),
  /** The version on its way, since when in tier time, who published it, and who tries it on; phase null: a later release wrote it. */
  rollout: z.object({ version: count, startedMs: count, phase: z.enum(['validate', 'canary']).nullable(), by: z.string(), canaries: z.array(z.string()) }).nullable(),
  members: z.array(memberAnswer),
  /** Over the members that told; `backends` only of the pool asked for with pool=. */
  pools: z.record(z.string(), trafficAnswer.extend({ backends: z.record(z.string(), trafficAnswer).optional() })),
  /** Backends that an operator drains or disables; `drained`: every living member has heard of it and has nothing left there. */
  draining: z.array(
    z.object({
      pool: z.string(),
      address: z.string(),
      state: stateName,
      reason: z.string(),
      by: z.string(),
      at: time,
      drained: z.boolean(),
      /** Requests and connections in use, over the members heard. */
      inFlight: count,
      /** Members that still have some, and those not heard since the word was given. */
      busy: z.array(z.string()),
      unheard: z.array(z.string()),
    }),
  ),
  /** Whom the tier serves of each role pool; `waitsFor`: members that have yet to let go of the former, as the leader was told (elsewhere it is empty). */
  roles: z.array(z.object({ pool: z.string(), primary: z.string().nullable(), epoch: count, phase: rolePhase, waitsFor: z.array(z.string()) })),
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
export const drainAnswer = z.object({
  /** Whom it was about: `--node` of this proxy, or the member named. */
  member: z.string(),
  /** As that member is now; null: it is not in the tier at present, and will hear of it when it is. */
  state: z.enum([...proxyState.options, ...memberState.options]).nullable(),
  /** It does as it was told; false: not yet. */
  followed: z.boolean(),
});
export type DrainAnswer = z.infer<typeof drainAnswer>;
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
/** `member`: another than the proxy that is asked, by its id. */
export const drainBody = reasonBody.extend({ member: z.string().min(1).max(63).optional() });
