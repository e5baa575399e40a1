/**
 * The texts that rollouts leave in the store: JSON, made and read here alone.
 * What does not parse is missing, never an error: a store may hold anything.
 * Keys of a later release are passed over.
 */
import { z } from 'zod';
import type { ConfigHead, ConfigState } from '../store/tier-store.ts';

const number = z.int().nonnegative();
const time = z.number().nonnegative();
const sha = z.string().regex(/^[0-9a-f]{64}$/);
/** What people wrote, or a member said of an error: never longer than an answer of the store can bear. */
const words = z.string().transform((text) => text.slice(0, 2000));

const versionSchema = z.object({
  /** Who published it: a member's id, and what else is known. */
  by: words,
  /** Wall time. */
  atMs: time,
  /** Number of the head it followed; null: it was the first. */
  parent: number.nullable(),
  /** It has the content of that version. */
  rollbackOf: number.nullable().default(null),
  /** See tier-key.ts; null: no key was in use. */
  hmac: z.string().nullable().default(null),
});
export type VersionText = z.infer<typeof versionSchema>;

const headSchema = z.object({
  /** Wall time of the commit. */
  atMs: time,
  /** Tier time of the commit; 0: not known (restored). */
  committedMs: time.default(0),
  /** Head before it, to which a commit that fails goes back; null: none, or this is such a return. */
  previous: number.nullable().default(null),
  /** What an operator should know of how it was committed. */
  notes: z.array(words).default([]),
});
export type HeadText = z.infer<typeof headSchema>;

const canarySchema = z.object({
  /** Share of the ready members, 0 to 1. */
  share: z.number().positive().max(1),
  forMs: z.int().positive(),
});
export type Canary = z.infer<typeof canarySchema>;

const rolloutFields = {
  sha,
  history: z.string(),
  by: words,
  parent: number.nullable(),
  canary: canarySchema.nullable().default(null),
  /** A return to a version that ran: committed without asking, since the present one serves nobody. */
  forced: z.boolean().default(false),
};
const rolloutSchema = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('validate'), ...rolloutFields }),
  z.object({
    phase: z.literal('canary'),
    ...rolloutFields,
    members: z.array(z.object({ id: z.string(), incarnation: z.string() })),
    /** All of them run it: from then on it is watched. */
    running: z.boolean(),
    /** Tier time until which they have to run it or, running, are watched. */
    untilMs: time,
  }),
]);
export type RolloutText = z.infer<typeof rolloutSchema>;
export type CanaryText = Extract<RolloutText, { phase: 'canary' }>;

const voteSchema = z.object({
  /** `checked`, `refused`: a dry run; `runs`, `failed`: it was to run it; `aborted`: the leader's word on why it ended the rollout. */
  kind: z.enum(['checked', 'refused', 'runs', 'failed', 'aborted']),
  sha,
  reason: words.default(''),
});
export type VoteText = z.infer<typeof voteSchema>;

export const readVersion = reader(versionSchema);
export const readHead = reader(headSchema);
export const readRollout = reader(rolloutSchema);
export const readVote = reader(voteSchema);

export function writeText(value: VersionText | HeadText | RolloutText | VoteText): string {
  return JSON.stringify(value);
}

/** The config as the store has it, read. */
export interface TierConfig {
  readonly head: (Omit<ConfigHead, 'text'> & { readonly text: HeadText }) | null;
  readonly rollout: { readonly number: number; readonly step: number; readonly startedMs: number; readonly text: RolloutText } | null;
}

const UNKNOWN_HEAD: HeadText = { atMs: 0, committedMs: 0, previous: null, notes: [] };

/** A head whose text cannot be read is one all the same: its number and sha stand beside it. */
export function readConfig({ head, rollout }: ConfigState): TierConfig {
  const text = rollout === null ? null : readRollout(rollout.text);
  return {
    head: head === null ? null : { ...head, text: readHead(head.text) ?? UNKNOWN_HEAD },
    rollout: rollout === null || text === null ? null : { ...rollout, text },
  };
}

function reader<Schema extends z.ZodType>(schema: Schema): (text: string) => z.output<Schema> | null {
  return (text) => {
    try {
      return schema.safeParse(JSON.parse(text)).data ?? null;
    } catch {
      return null;
    }
  };
}
