/** Puts a new version into the store and starts its rollout, in one step of the store; numbered above all that were seen. */
import type { Clock } from '../../base/clock.ts';
import type { Membership } from '../membership/membership.ts';
import type { ConfigHead, PublishAnswer } from '../store/tier-store.ts';
import { writeText, type Canary, type RolloutText, type VersionText } from './config-texts.ts';
import { sha256 } from './fetch-version.ts';
import type { TierKey } from './tier-key.ts';

export interface VersionDraft {
  /** What it follows: if the store's head is another by then, nothing is published. */
  readonly head: Pick<ConfigHead, 'history' | 'number' | 'sha'>;
  readonly bytes: Uint8Array;
  readonly by: string;
  readonly rollbackOf: number | null;
  readonly canary: Canary | null;
  readonly forced: boolean;
  /** Highest number known to have been used. */
  readonly used: number;
}

/** Others may take numbers meanwhile, but each time one of them succeeded. */
const NUMBER_TRIES = 5;

/** Rejects with StoreAway. */
export async function publishVersion(tier: { readonly membership: Membership; readonly clock: Clock; readonly key: TierKey | null }, draft: VersionDraft): Promise<PublishAnswer> {
  const { membership, clock, key } = tier;
  const { head, bytes, by, rollbackOf, canary, forced } = draft;
  const sha = sha256(bytes);
  const rollout: RolloutText = { phase: 'validate', sha, history: head.history, by, parent: head.number, canary, forced };
  let used = draft.used;
  for (let tries = 1; ; tries++) {
    const number = used + 1;
    const hmac = key?.signConfig(head.history, number, bytes) ?? null;
    const version: VersionText = { by, atMs: clock.wallMs(), parent: head.number, rollbackOf, hmac };
    const answer = await membership.store.publish({
      ...membership.caller(),
      history: head.history,
      parentSha: head.sha,
      number,
      sha,
      version: writeText(version),
      rollout: writeText(rollout),
      bytes,
    });
    if (answer.kind !== 'number' || tries === NUMBER_TRIES) return answer;
    used = Math.max(used, answer.used);
  }
}
