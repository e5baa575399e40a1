/**
 * The config: what runs, what ran, and with a store publishing another to the
 * tier. Without one the file rules, and whatever would publish is a 409.
 */
import { z } from 'zod';
import { durationMs, DURATION_PATTERN } from '../../../base/duration.ts';
import { failureText, problemsOf, type PublishOutcome } from '../../rollout/config-publisher.ts';
import type { ConfigDesk } from '../../rollout/config-desk.ts';
import type { Canary } from '../../rollout/config-texts.ts';
import { StoreAway } from '../../store/tier-store.ts';
import type { AdminContext } from '../admin-context.ts';
import { JSON_TYPE, jsonReply, type AdminRoute, type Reply } from '../admin-route.ts';
import { adoptAnswer, configVersionsAnswer, publishAnswer, reasonBody, rollbackBody, type ConfigVersionsAnswer } from '../answers.ts';
import { maskedText } from '../mask-secrets.ts';
import { CallProblem, type ProblemStatus } from '../problem.ts';

const YAML_TYPE = 'application/yaml';
const CONFIG_BYTES_MAX = 16 * 1024 * 1024;
const CANARY_FOR_DEFAULT = '1m';
const CANARY_FOR_MS_MAX = 86_400_000;

const versionNumber = z.string().regex(/^[1-9][0-9]{0,14}$/, 'a version is a whole number from 1').transform(Number);

export const getConfig: AdminRoute = {
  method: 'GET',
  path: '/api/v1/config',
  access: 'read',
  summary: 'The running config as written, or that of version=, its ETag the version; tokens and passwords in it are replaced.',
  query: z.strictObject({ version: versionNumber.optional() }),
  answer: { contentType: YAML_TYPE },
  problems: [503],
  async handle({ context, query }) {
    const config = context.running();
    if (config === null) throw new CallProblem(503, 'No config is loaded yet.');
    const { version = config.snapshot.number } = query as { version?: number };
    const text = version === config.snapshot.number ? context.configText() : await olderText(context, version);
    const { token, readToken } = config.snapshot.admin;
    const secrets = [token, readToken].filter((secret) => secret !== null);
    return { kind: 'chunks', contentType: YAML_TYPE, headers: { etag: `"${version}"` }, chunks: maskedText(text, secrets) };
  },
};

async function olderText(context: AdminContext, version: number): Promise<string> {
  const desk = context.configDesk();
  if (desk === null) throw new CallProblem(404, 'Without a store only the running version is kept.');
  const bytes = await orUnavailable(desk.bytes(version));
  if (bytes === null) throw new CallProblem(404, `There is no version ${version}.`);
  return Buffer.from(bytes).toString('utf8');
}

export const getConfigVersions: AdminRoute = {
  method: 'GET',
  path: '/api/v1/config/versions',
  access: 'read',
  summary: 'Versions, newest first: those of the tier, or those that ran here; and the rollout under way.',
  answer: { contentType: JSON_TYPE, schema: configVersionsAnswer },
  problems: [503],
  async handle({ context }) {
    const desk = context.configDesk();
    return jsonReply(desk === null ? ownVersions(context) : await tierVersions(context, desk));
  },
};

function ownVersions(context: AdminContext): ConfigVersionsAnswer {
  const running = context.running()?.snapshot.number;
  const items = context.configVersions().map(({ version, hash, effectiveHash, loadedAtMs }) => {
    const unknown = { publishedAt: null, by: null, parent: null, rollbackOf: null };
    return { version, hash, effectiveHash, loadedAt: new Date(loadedAtMs).toISOString(), running: version === running, state: 'committed' as const, ...unknown };
  });
  return { history: null, head: null, failure: '', rollout: null, lastRefusal: null, items };
}

async function tierVersions(context: AdminContext, desk: ConfigDesk): Promise<ConfigVersionsAnswer> {
  const { history, head, rollout, failure, lastRefusal: refusal } = desk.standing();
  const running = context.running()?.snapshot;
  const loaded = new Map(context.configVersions().map((version) => [`${version.version} ${version.hash}`, version]));
  const items = (await orUnavailable(desk.versions())).map(({ number, sha, by, atMs, parent, rollbackOf, state }) => {
    const own = loaded.get(`${number} ${sha}`);
    return {
      version: number,
      hash: sha,
      effectiveHash: own?.effectiveHash ?? null,
      loadedAt: own === undefined ? null : new Date(own.loadedAtMs).toISOString(),
      running: running?.number === number && running.sha === sha,
      state,
      publishedAt: atMs === 0 ? null : new Date(atMs).toISOString(),
      by: by === '' ? null : by,
      parent,
      rollbackOf,
    };
  });
  const under = rollout === null ? null : { version: rollout.number, phase: rollout.phase, by: rollout.by, canaries: [...rollout.canaries] };
  const lastRefusal = refusal === null ? null : { version: refusal.number, reason: refusal.reason };
  return { history, head, failure, rollout: under, lastRefusal, items };
}

const publishQuery = z.strictObject({
  canary: z.string().regex(/^[0-9]+(\.[0-9]+)?%$/, 'a share such as 20%').optional(),
  for: z.string().regex(DURATION_PATTERN, 'a duration such as 1m').optional(),
});

export const postConfig: AdminRoute = {
  method: 'POST',
  path: '/api/v1/config',
  access: 'write',
  summary: 'Publishes a config to the tier: whole or not at all. If-Match: the version it follows (412 if the tier has gone on); canary=20% tries it on so many for=1m first. Without a store: 409, since the file rules.',
  query: publishQuery,
  body: { kind: 'config', schema: z.string(), bytesMax: CONFIG_BYTES_MAX },
  answer: { contentType: JSON_TYPE, schema: publishAnswer },
  problems: [404, 409, 412, 422, 503],
  async handle(call) {
    const desk = deskOf(call.context);
    const canary = canaryOf(call.query as z.infer<typeof publishQuery>);
    const bytes = Buffer.from(call.body as string, 'utf8');
    return publishReply(await desk.publish({ bytes, parent: parentOf(call.ifMatch), canary, by: call.context.node }));
  },
};

export const rollbackConfig: AdminRoute = {
  method: 'POST',
  path: '/api/v1/config/rollback',
  access: 'write',
  summary: 'Publishes the content of an earlier version as a new one.',
  body: { kind: 'json', schema: rollbackBody, bytesMax: 1024 },
  answer: { contentType: JSON_TYPE, schema: publishAnswer },
  problems: [404, 409, 412, 422, 503],
  async handle({ context, body }) {
    const { version } = body as z.infer<typeof rollbackBody>;
    return publishReply(await deskOf(context).rollBack(version, context.node));
  },
};

export const adoptConfig: AdminRoute = {
  method: 'POST',
  path: '/api/v1/config/adopt',
  access: 'write',
  summary: 'Leaves this proxy’s own line of versions and takes the tier’s, whatever it is.',
  body: { kind: 'json', schema: reasonBody, bytesMax: 64 * 1024 },
  answer: { contentType: JSON_TYPE, schema: adoptAnswer },
  problems: [409],
  async handle({ context }) {
    const desk = deskOf(context);
    await desk.adopt();
    return jsonReply({ history: desk.standing().history });
  },
};

function deskOf(context: AdminContext): ConfigDesk {
  const desk = context.configDesk();
  if (desk === null) throw new CallProblem(409, 'This proxy has no store, so its config is the file: edit that, and reload.');
  return desk;
}

/** `"5"`, as the ETag of GET has it; a bare 5 is meant the same. */
function parentOf(ifMatch: string | null): number | null {
  if (ifMatch === null || ifMatch.trim() === '*') return null;
  const version = /^"?([1-9][0-9]{0,14})"?$/.exec(ifMatch.trim());
  if (version === null) throw new CallProblem(400, 'If-Match is the version that the config follows, as the ETag of GET /api/v1/config tells it.');
  return Number(version[1]);
}

function canaryOf({ canary, for: forText }: z.infer<typeof publishQuery>): Canary | null {
  if (canary === undefined) {
    if (forText !== undefined) throw new CallProblem(400, 'for= goes with canary=.');
    return null;
  }
  const share = Number(canary.slice(0, -1)) / 100;
  const forMs = durationMs(forText ?? CANARY_FOR_DEFAULT) ?? 0;
  if (share <= 0 || share > 1) throw new CallProblem(400, 'canary= is more than 0% and at most 100%.');
  if (forMs < 1 || forMs > CANARY_FOR_MS_MAX) throw new CallProblem(400, 'for= is a duration of at most 1d.');
  return { share, forMs };
}

const statuses: Readonly<Record<Exclude<PublishOutcome['kind'], 'committed' | 'canary' | 'same'>, ProblemStatus>> = {
  stale: 412,
  busy: 409,
  refused: 422,
  aborted: 422,
  'no-such-version': 404,
  away: 503,
};

function publishReply(outcome: PublishOutcome): Reply {
  if (outcome.kind === 'committed' || outcome.kind === 'canary' || outcome.kind === 'same') {
    return jsonReply({ version: outcome.number, outcome: outcome.kind, notes: outcome.kind === 'committed' ? outcome.notes : [] });
  }
  const problems = problemsOf(outcome);
  const text = failureText(outcome)!;
  throw new CallProblem(statuses[outcome.kind], `${text.charAt(0).toUpperCase()}${text.slice(1)}.`, problems.length > 0 ? { members: { problems } } : {});
}

async function orUnavailable<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof StoreAway) throw new CallProblem(503, `The store is away: ${error.message}.`);
    throw error;
  }
}
