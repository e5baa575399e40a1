/**
 * Puts a committed config back into a store that has lost it, or a file into
 * one that never had any: then the file is the first version of a new history.
 * When it is time for that, and whether at all, the caller knows (head-action.ts).
 */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Log } from '../../observe/log.ts';
import type { Membership } from '../membership/membership.ts';
import { refusalText } from './config-applier.ts';
import { writeText, type HeadText, type VersionText } from './config-texts.ts';
import type { CommittedConfig } from './last-known-good.ts';
import type { TierKey } from './tier-key.ts';
import type { HeldVersion, VersionRunner } from './version-runner.ts';

export interface ConfigRestorerOptions {
  readonly membership: Membership;
  readonly clock: Clock;
  readonly random: Random;
  readonly key: TierKey | null;
  readonly runner: VersionRunner;
  readonly log: Pick<Log, 'info' | 'error'>;
}

export class ConfigRestorer {
  readonly #options: ConfigRestorerOptions;
  #unfit: { readonly sha: string; readonly reason: string } | null = null;

  constructor(options: ConfigRestorerOptions) {
    this.#options = options;
  }

  /** Why the file cannot become the tier's config; '': it can, as far as is known. */
  get unfit(): string {
    return this.#unfit?.reason ?? '';
  }

  /** null: the store has something better, or the file is not fit. Rejects with StoreAway. */
  async restore(own: HeldVersion): Promise<CommittedConfig | null> {
    const { membership, clock, key, log } = this.#options;
    if (own.history === null && !(await this.#isFit(own))) return null;
    const history = own.history ?? this.#newHistory();
    const { number, sha, bytes } = own;
    const hmac = key?.signConfig(history, number, bytes) ?? null;
    const fresh: VersionText = { by: membership.id, atMs: clock.wallMs(), parent: null, rollbackOf: null, hmac };
    const version = own.history === null || hmac !== null ? writeText(fresh) : own.version;
    const head: HeadText = { atMs: clock.wallMs(), committedMs: 0, previous: null, notes: [] };
    const answer = await membership.store.restore({ ...membership.caller(), history, number, sha, headText: writeText(head), version, bytes, isFirst: own.history === null });
    membership.hurry();
    if (answer !== 'restored') return null;
    log.info(own.history === null ? "the file has become the tier's first config" : 'the committed config is put back into the store', { version: number });
    return { history, number, sha, version, bytes };
  }

  /** A file that could not be published cannot come in by this door either. */
  async #isFit({ sha, bytes }: HeldVersion): Promise<boolean> {
    if (this.#unfit?.sha === sha) return false;
    const refusal = await this.#options.runner.dryRun(bytes);
    this.#unfit = refusal === null ? null : { sha, reason: refusalText(refusal) };
    if (refusal !== null) this.#options.log.error("the file cannot become the tier's config", { reason: this.unfit });
    return refusal === null;
  }

  #newHistory(): string {
    const { random } = this.#options;
    return Array.from({ length: 4 }, () => random.below(2 ** 32).toString(16).padStart(8, '0')).join('');
  }
}
