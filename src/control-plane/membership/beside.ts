/**
 * What a member leaves beside its record in the store at each heartbeat: usage,
 * software, config and counts. It has no epoch and wakes nobody; it is read
 * when somebody asks for it. Members of another release may leave more or
 * less, so every part can be missing.
 */
import { z } from 'zod';

const count = z.number().int().nonnegative();
/** Requests, failed requests, requests in flight. */
const traffic = z.tuple([count, count, z.number().int()]);
export type Traffic = z.infer<typeof traffic>;

const besideSchema = z.object({
  usage: z
    .object({
      /** Of one CPU, over the last seconds: 1.5 is one and a half. */
      cpu: z.number().nonnegative(),
      rssBytes: count,
      workers: count,
      connections: z.number().int(),
      /** Busiest worker's share of the last seconds, 0 to 1. */
      busiest: z.number(),
    })
    .optional(),
  software: z.string().optional(),
  /** null: none runs. `effectiveSha` after `${}` and `file:`, which members may differ in. */
  config: z.object({ number: count, sha: z.string(), effectiveSha: z.string() }).nullable().optional(),
  /** While a canary is watched: the version's number, and answers and failures as below since it began for this member. */
  rollout: z.tuple([count, count, count]).optional(),
  /** Answers to clients since the process started: all, and those of status 5xx of ours or a backend's. */
  answers: z.tuple([count, count]).optional(),
  pools: z.record(z.string(), traffic).optional(),
  /** In-flight requests of backends that take nothing new, by operator key; and the newest operator stamp this member has taken, by key. */
  draining: z.record(z.string(), z.object({ inFlight: z.number().int(), stampMs: z.number() })).optional(),
  /** Of the pools that somebody watches: by pool, then address. */
  watched: z.record(z.string(), z.record(z.string(), traffic)).optional(),
});
export type Beside = z.infer<typeof besideSchema>;

export function besideText(beside: Beside): string {
  return JSON.stringify(beside);
}

/** What cannot be read is missing. */
export function parseBeside(text: string | undefined): Beside {
  if (text === undefined) return {};
  try {
    const parsed = besideSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : {};
  } catch {
    return {};
  }
}
