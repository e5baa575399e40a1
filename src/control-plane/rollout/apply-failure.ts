/**
 * A committed version that this member cannot run: why, and whether the member
 * is out of rotation for it. It goes on with the version it had, and tries
 * again; it is out only while the tier can spare it. Held by tier-rollout.ts.
 */
import type { Member } from '../membership/membership.ts';

/** Why the committed version does not run here. */
export interface ApplyFailure {
  readonly number: number;
  readonly sha: string;
  readonly reason: string;
  /** The store granted that this member leaves rotation. */
  readonly out: boolean;
  /** The tier was told. */
  readonly isSaid: boolean;
  readonly retryAtMs: number;
}

export const APPLY_RETRY = { firstMs: 1000, mostMs: 30_000, provenMs: 60_000 };

/** As the store grants it: of those that are ready or failed at least half are ready. */
export function isSpared(members: Iterable<Member>): boolean {
  let readyMore = 0;
  for (const { state } of members) readyMore += state === 'ready' ? 1 : state === 'failed' ? -1 : 0;
  return readyMore >= 0;
}
