/**
 * The leader's part in a rollout: looks at what members said, decides
 * (next-step.ts), and takes the step in the store, which does nothing for
 * anyone who does not lead. It keeps no state of its own: any leader goes on.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../observe/log.ts';
import { parseBeside } from '../membership/beside.ts';
import type { Membership } from '../membership/membership.ts';
import { StoreAway } from '../store/tier-store.ts';
import { readConfig, readVote, writeText, type HeadText, type RolloutText, type TierConfig, type VoteText } from './config-texts.ts';
import type { ErrorCount } from './error-gate.ts';
import { VersionFetcher } from './fetch-version.ts';
import { COMMIT_WATCHED_MS, nextStep, type NextStep } from './next-step.ts';
import { publishVersion } from './publish-version.ts';
import type { TierKey } from './tier-key.ts';

const LOOK_EVERY_MS = 200;
/** Ids asked of the store in one step. */
const ASKED_MAX = 500;

export interface RolloutLeaderOptions {
  readonly membership: Membership;
  readonly clock: Clock;
  readonly key: TierKey | null;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  readonly leaseMs: () => number;
}

export class RolloutLeader {
  readonly #options: RolloutLeaderOptions;
  readonly #fetcher: VersionFetcher;
  #timer: Timer | null = null;
  #looking = false;

  constructor(options: RolloutLeaderOptions) {
    this.#options = options;
    this.#fetcher = new VersionFetcher(options.membership.store, options.key);
  }

  /** Config, members or leader may have changed. */
  poke(): void {
    const isDue = this.#isDue();
    if (isDue && this.#timer === null) this.#timer = this.#options.clock.every(LOOK_EVERY_MS, () => this.poke());
    if (!isDue) return this.stop();
    if (this.#looking) return;
    this.#looking = true;
    void this.#look().finally(() => (this.#looking = false));
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** There is something to decide, and this member leads. */
  #isDue(): boolean {
    const { leads, config, state } = this.#options.membership;
    if (!leads || config === null || state.phase === 'autonomous') return false;
    if (config.rollout !== null) return true;
    const { head } = readConfig(config);
    const sinceMs = this.#options.membership.tierMs() - (head?.text.committedMs ?? 0);
    return head !== null && head.text.previous !== null && head.text.committedMs > 0 && sinceMs >= 0 && sinceMs <= COMMIT_WATCHED_MS;
  }

  async #look(): Promise<void> {
    const { membership, leaseMs, log } = this.#options;
    const state = membership.config!;
    const config = readConfig(state);
    try {
      if (state.rollout !== null && config.rollout === null) return await this.#endUnreadable(state.rollout.number, state.rollout.step);
      const number = config.rollout?.number ?? config.head?.number;
      if (number === undefined) return;
      const votes = await this.#votes(number);
      const errorCounts = config.rollout?.text.phase === 'canary' ? await this.#errorCounts(number) : new Map<string, ErrorCount>();
      const step = nextStep({ config, votes, members: membership.members, errorCounts, tierMs: membership.tierMs(), leaseMs: leaseMs() });
      if (step.kind !== 'wait') await this.#take(config, step);
    } catch (error) {
      // Whoever leads when the store answers again looks anew.
      if (!(error instanceof StoreAway)) log.error('a step of the rollout failed', { err: error });
    }
  }

  async #votes(number: number): Promise<Map<string, VoteText>> {
    const votes = new Map<string, VoteText>();
    for (const [id, text] of await this.#options.membership.store.votes(number)) {
      const vote = readVote(text);
      if (vote !== null) votes.set(id, vote);
    }
    return votes;
  }

  async #errorCounts(number: number): Promise<Map<string, ErrorCount>> {
    const { store, members } = this.#options.membership;
    const ids = [...members.keys()];
    const counts = new Map<string, ErrorCount>();
    for (let i = 0; i < ids.length; i += ASKED_MAX) {
      for (const [id, text] of await store.beside(ids.slice(i, i + ASKED_MAX))) {
        const { rollout } = parseBeside(text);
        if (rollout?.[0] === number) counts.set(id, { requests: rollout[1], errors: rollout[2] });
      }
    }
    return counts;
  }

  async #take(config: TierConfig, next: Exclude<NextStep, { kind: 'wait' }>): Promise<void> {
    const { membership, log } = this.#options;
    if (next.kind === 'roll-back') {
      log.error('the config cannot be run by most members: rolled back', { version: config.head!.number, to: next.to, reason: next.reason });
      return this.#rollBack(config.head!, next.to);
    }
    const { number, step, text } = config.rollout!;
    if (next.kind === 'abort') {
      log.warn('the rollout is aborted', { version: number, reason: next.reason });
      // Its end leaves no text in the store, but votes stay until the next rollout: there the publisher finds why.
      await membership.store.vote({ ...membership.caller(), number, text: writeText({ kind: 'aborted', sha: text.sha, reason: next.reason }) });
    }
    const rollout = next.kind === 'canary' ? writeText(next.rollout) : null;
    const headText = next.kind === 'commit' ? writeText(this.#headOf(config, text, next.notes)) : null;
    const answer = await membership.store.step({ ...membership.caller(), number, expectedStep: step, rollout, headText });
    if (answer === 'done' && next.kind !== 'abort') log.info(next.kind === 'commit' ? 'the config is committed' : next.rollout.running ? 'the canary is watched' : 'a canary takes the config', { version: number });
    membership.hurry();
  }

  #headOf({ head }: TierConfig, text: RolloutText, notes: readonly string[]): HeadText {
    const { membership, clock } = this.#options;
    // A return is not returned from: it ran before.
    return { atMs: clock.wallMs(), committedMs: membership.tierMs(), previous: text.forced ? null : (head?.number ?? null), notes: [...notes] };
  }

  async #rollBack(head: NonNullable<TierConfig['head']>, to: number): Promise<void> {
    const { membership, log } = this.#options;
    const former = await this.#fetcher.fetch({ history: head.history, number: to, sha: null });
    if (former.kind !== 'fetched') return log.error('the config cannot be rolled back', { reason: former.reason });
    await publishVersion(this.#options, { head, bytes: former.version.bytes, by: membership.id, rollbackOf: to, canary: null, forced: true, used: head.number });
    membership.hurry();
  }

  /** What nobody can read nobody can go on with. */
  async #endUnreadable(number: number, step: number): Promise<void> {
    const { membership, log } = this.#options;
    log.warn('a rollout that cannot be read is ended', { version: number });
    await membership.store.step({ ...membership.caller(), number, expectedStep: step, rollout: null, headText: null });
    membership.hurry();
  }
}
