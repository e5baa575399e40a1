/**
 * A member's part in a rollout: tries the version, says what came of it, runs
 * it while it is a canary, and counts what it answers meanwhile.
 */
import { pause, type Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Membership } from '../membership/membership.ts';
import { refusalText, type Answers } from './config-applier.ts';
import { writeText, type TierConfig, type VoteText } from './config-texts.ts';
import type { FetchedVersion, VersionFetcher, VersionName } from './fetch-version.ts';
import type { VersionRunner } from './version-runner.ts';

export interface RolloutVoterOptions {
  readonly membership: Membership;
  readonly clock: Clock;
  readonly random: Random;
  readonly fetcher: VersionFetcher;
  readonly runner: VersionRunner;
  readonly answers: () => Answers;
  readonly leaseMs: () => number;
  /** This member has to look again after so long. */
  readonly lookAgain: (delayMs: number) => void;
}

/** Members spread their fetches of one version over so much, times N. */
const FETCH_SPREAD_MS_PER_MEMBER = 1;
const MISSING_RETRY_MS = 1000;

type Said = { readonly number: number; readonly sha: string; readonly kind: VoteText['kind']; readonly incarnation: string };

export class RolloutVoter {
  readonly #options: RolloutVoterOptions;
  #said: Said | null = null;
  #watched: { readonly number: number; readonly from: Answers } | null = null;

  constructor(options: RolloutVoterOptions) {
    this.#options = options;
  }

  /** Rejects with StoreAway. */
  async follow(word: TierConfig): Promise<void> {
    const { runner, lookAgain } = this.#options;
    const { rollout } = word;
    if (rollout === null || rollout.text.forced) return;
    const { number, text } = rollout;
    const isCanary = this.isCanary(word);
    if (this.#hasSaid(number, text.sha, isCanary)) return;
    const fetched = await this.fetch({ history: text.history, number, sha: text.sha });
    if (fetched.kind === 'missing') return lookAgain(MISSING_RETRY_MS);
    if (fetched.kind === 'wrong-key') return this.say(number, text.sha, 'refused', fetched.reason);
    if (isCanary) {
      const outcome = await runner.run(fetched.version);
      return outcome.kind === 'done' ? this.say(number, text.sha, 'runs', '') : this.say(number, text.sha, 'failed', refusalText(outcome));
    }
    const refusal = await runner.dryRun(fetched.version.bytes);
    return refusal === null ? this.say(number, text.sha, 'checked', '') : this.say(number, text.sha, 'refused', refusalText(refusal));
  }

  /** There is nothing under way that this member has not spoken on. */
  hasSpoken(word: TierConfig): boolean {
    const { rollout } = word;
    return rollout === null || rollout.text.forced || this.#hasSaid(rollout.number, rollout.text.sha, this.isCanary(word));
  }

  /** This member is to run the rollout's version; a lease past the end of its time without a decision it is no longer. */
  isCanary({ rollout }: TierConfig): boolean {
    const { membership, leaseMs, lookAgain } = this.#options;
    if (rollout?.text.phase !== 'canary') return false;
    const isNamed = rollout.text.members.some(({ id, incarnation }) => id === membership.id && incarnation === membership.incarnation);
    const leftMs = rollout.text.untilMs + leaseMs() - membership.tierMs();
    if (isNamed && leftMs > 0) lookAgain(leftMs);
    return isNamed && leftMs > 0;
  }

  async say(number: number, sha: string, kind: VoteText['kind'], reason: string): Promise<void> {
    const { membership } = this.#options;
    const { incarnation } = membership;
    await membership.store.vote({ ...membership.caller(), number, text: writeText({ kind, sha, reason }) });
    this.#said = { number, sha, kind, incarnation };
  }

  /** A failure to run a version is over. */
  async runsAfterAll(number: number, sha: string): Promise<void> {
    if (this.#said?.kind === 'failed' && this.#said.number === number && this.#said.sha === sha) await this.say(number, sha, 'runs', '');
  }

  /** All members want the same bytes at the same moment. Rejects with StoreAway. */
  async fetch(name: VersionName): Promise<FetchedVersion> {
    const { membership, clock, random, fetcher } = this.#options;
    const spreadMs = random.next() * FETCH_SPREAD_MS_PER_MEMBER * (membership.readyCount - 1);
    if (spreadMs >= 1) await pause(clock, spreadMs);
    return fetcher.fetch(name);
  }

  /** Counts from the moment this member hears that all canaries run it. */
  watch(word: TierConfig | null): void {
    const rollout = word?.rollout ?? null;
    if (rollout?.text.phase !== 'canary' || !rollout.text.running) this.#watched = null;
    else if (this.#watched?.number !== rollout.number) this.#watched = { number: rollout.number, from: this.#options.answers() };
  }

  /** The version's number, answers and failures since `watch` began to count; undefined: there is no canary. */
  watchedAnswers(): [number, number, number] | undefined {
    if (this.#watched === null) return undefined;
    const { number, from } = this.#watched;
    const { requests, errors } = this.#options.answers();
    return [number, Math.max(0, requests - from.requests), Math.max(0, errors - from.errors)];
  }

  #hasSaid(number: number, sha: string, asCanary: boolean): boolean {
    const said = this.#said;
    if (said === null || said.number !== number || said.sha !== sha || said.incarnation !== this.#options.membership.incarnation) return false;
    return !asCanary || said.kind === 'runs' || said.kind === 'failed';
  }
}
