/**
 * The tier's config in one member: which version it stands on, runs, checks
 * for a rollout, and puts back when the store has lost it. Store, else disk,
 * else file; what the store has committed is the truth while it answers, what
 * was committed last goes on while it does not.
 *
 * One turn at a time brings this member to what is right now; whatever may
 * change that (config, link, members, time) only asks for another turn. So
 * there is no order of events to get wrong. Depends on ports alone: a
 * simulation runs it in virtual time. Main thread; no request waits for it.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { BackOff } from '../../base/back-off.ts';
import type { Random } from '../../base/random.ts';
import type { Log } from '../../observe/log.ts';
import type { Membership } from '../membership/membership.ts';
import { StoreAway, type ConfigHead } from '../store/tier-store.ts';
import { APPLY_RETRY, isSpared, type ApplyFailure } from './apply-failure.ts';
import { refusalText, type ApplyOutcome, type ConfigApplier } from './config-applier.ts';
import { ConfigPublisher } from './config-publisher.ts';
import { ConfigRestorer } from './config-restorer.ts';
import { readConfig, type TierConfig } from './config-texts.ts';
import { sha256, VersionFetcher } from './fetch-version.ts';
import { headAction, type ConfigSource } from './head-action.ts';
import type { DiskState, RolloutDisk } from './last-known-good.ts';
import { RolloutLeader } from './rollout-leader.ts';
import { RolloutVoter } from './rollout-voter.ts';
import type { TierKey } from './tier-key.ts';
import { VersionRunner, type HeldVersion } from './version-runner.ts';

export interface TierRolloutOptions {
  readonly membership: Membership;
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: RolloutDisk;
  /** As read before the member joined. */
  readonly kept: DiskState;
  readonly applier: ConfigApplier;
  readonly key: TierKey | null;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  /** The tier's lease, from the running config. */
  readonly leaseMs: () => number;
  /** What runs, or whether this member is ready, may have changed. */
  readonly onChange: () => void;
  /** A version other than the one before runs, or was refused. */
  readonly onApplied: (outcome: ApplyOutcome, number: number) => void;
}

/** What a member stands on. */
export type Own = HeldVersion & { readonly source: ConfigSource };

const STORE_RETRY_MS = 1000;
/** How long an empty store has answered is known anew with each answer only. */
const EMPTY_LOOK_MS = 100;
const FILE_NUMBER = 1;

export class TierRollout {
  readonly publisher: ConfigPublisher;
  readonly #options: TierRolloutOptions;
  readonly #leader: RolloutLeader;
  readonly #runner: VersionRunner;
  readonly #voter: RolloutVoter;
  readonly #restorer: ConfigRestorer;
  /** What this member goes back to: the tier's committed version as far as it knows. */
  #own: Own | null = null;
  #failure: ApplyFailure | null = null;
  #retry = new BackOff(APPLY_RETRY);
  /** Monotonic time since which the store has no head, nor a member that could give it one; null: it has, or is not heard. */
  #emptySinceMs: number | null = null;
  #foreign = '';
  #settled = false;
  #started = false;
  #stopped = false;
  #turning = false;
  #turnAgain = false;
  #timer: { readonly timer: Timer; readonly atMs: number } | null = null;
  #firstWord: (() => void) | null = null;

  constructor(options: TierRolloutOptions) {
    const { membership, clock, random, key, log, kept, leaseMs, applier } = options;
    this.#options = options;
    const runner = new VersionRunner(clock, applier, (outcome, number) => options.onApplied(outcome, number));
    this.#runner = runner;
    this.#voter = new RolloutVoter({
      membership, clock, random, leaseMs, runner,
      fetcher: new VersionFetcher(membership.store, key),
      answers: () => applier.answers(),
      lookAgain: (delayMs) => this.#lookAgain(delayMs),
    });
    this.#restorer = new ConfigRestorer({ membership, clock, random, key, runner, log });
    this.#leader = new RolloutLeader({ membership, clock, key, log, leaseMs });
    this.publisher = new ConfigPublisher({ membership, clock, key, leaseMs, dryRun: (bytes) => runner.dryRun(bytes) });
    if (kept.committed !== null) this.#own = { ...kept.committed, source: 'disk' };
  }

  /** History of the config it has committed, for a join; null: none. */
  get history(): string | null {
    return this.#own?.history ?? null;
  }

  /** What it goes back to, and what runs; the same but for a canary, or a version that cannot be run. */
  get own(): Own | null {
    return this.#own;
  }

  get current(): HeldVersion | null {
    return this.#runner.current;
  }

  get failure(): ApplyFailure | null {
    return this.#failure;
  }

  /** What runs was not committed by any tier this member knows of. */
  get isUnconfirmed(): boolean {
    return this.#own !== null && this.#own.history === null;
  }

  /**
   * Brings the first config to run: the store's if it is had within a lease,
   * else the disk's, else `file`. Refused: nothing runs.
   */
  async start(file: Uint8Array | null): Promise<ApplyOutcome> {
    await this.#heard();
    const word = await this.#storesWord();
    let outcome = word;
    if (outcome === null || outcome.kind === 'refused') {
      if (this.#own === null && file !== null && (outcome === null || this.#failure?.reason.startsWith('wrong key') === true)) this.#own = this.#fileVersion(file);
      if (this.#own !== null) outcome = await this.#runner.run(this.#own);
    }
    this.#started = true;
    if (outcome === null) return { kind: 'refused', text: 'neither the store, nor the disk, nor the file has a config that can be run', problems: [] };
    if (outcome.kind === 'done') this.poke();
    return outcome;
  }

  /** For `MembershipEvents`: config, link or members changed. */
  poke(): void {
    this.#firstWord?.();
    this.publisher.poke();
    if (!this.#started || this.#stopped) return;
    this.#leader.poke();
    this.#turnAgain = true;
    if (!this.#turning) void this.#turns();
  }

  /** What runs, with secrets read anew. */
  reapply(): Promise<ApplyOutcome> {
    const outcome = this.#runner.askReapply();
    this.poke();
    return outcome;
  }

  /** The file was edited while no tier has committed anything: it is what this member stands on. */
  async replaceUnconfirmed(file: Uint8Array): Promise<ApplyOutcome> {
    this.#own = this.#fileVersion(file);
    const outcome = await this.#runner.run(this.#own);
    this.poke();
    return outcome;
  }

  /** Leaves its own history behind: the tier's, whatever it is, is taken. */
  async adopt(): Promise<void> {
    const { disk, membership } = this.#options;
    if (this.#own !== null) this.#own = { ...this.#own, history: null, source: 'file' };
    this.#foreign = '';
    await disk.writeCommitted(null);
    membership.rejoin();
    this.poke();
  }

  /** Why this member should not be given traffic as far as its config goes; empty: it should. */
  notReadyReasons(): readonly string[] {
    const failure = this.#failure;
    if (failure !== null && (failure.out || !this.#settled)) return [`config version ${failure.number} cannot be run: ${failure.reason}`];
    if (this.#settled) return [];
    return [this.#restorer.unfit === '' ? "starting: the tier's committed config does not run yet" : `the tier has no committed config: ${this.#restorer.unfit}`];
  }

  /** Its part of what stands beside the record: the version's number, answers and failures since the canary began. */
  watchedAnswers(): [number, number, number] | undefined {
    return this.#voter.watchedAnswers();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.timer.cancel();
    this.#leader.stop();
    this.#runner.stop();
  }

  /** Until the store's word on the config is there, or it has had a lease to come. */
  async #heard(): Promise<void> {
    const { clock, leaseMs } = this.#options;
    if (this.#word() !== null) return;
    await new Promise<void>((resolve) => {
      const timer = clock.after(leaseMs(), resolve);
      this.#firstWord = () => {
        if (this.#word() === null && this.#options.membership.state.phase !== 'autonomous') return;
        timer.cancel();
        resolve();
      };
      this.#firstWord();
    });
    this.#firstWord = null;
  }

  /** At start: the head is run, if there is one that is ours. null: the store has no word. */
  async #storesWord(): Promise<ApplyOutcome | null> {
    const head = this.#word()?.head ?? null;
    if (head === null) return null;
    const own = this.#own;
    if (own !== null && headAction(own, head, 0, 0).kind !== 'take') return null;
    try {
      await this.#take(head, true);
    } catch (error) {
      if (!(error instanceof StoreAway)) throw error;
      return null;
    }
    if (this.#runner.current !== null) return { kind: 'done', changed: true, warnings: [] };
    return this.#failure === null ? null : { kind: 'refused', text: this.#failure.reason, problems: [] };
  }

  /** The config as the store that answers has it; null: it does not answer. */
  #word(): TierConfig | null {
    const { state, config } = this.#options.membership;
    const answers = state.phase === 'connected' || state.phase === 'settling';
    return answers && config !== null ? readConfig(config) : null;
  }

  async #turns(): Promise<void> {
    this.#turning = true;
    while (this.#turnAgain && !this.#stopped) {
      this.#turnAgain = false;
      this.#timer?.timer.cancel();
      this.#timer = null;
      try {
        await this.#turn();
      } catch (error) {
        if (!(error instanceof StoreAway)) this.#options.log.error('a turn of the rollout failed', { err: error });
        this.#lookAgain(STORE_RETRY_MS);
      }
      this.#options.onChange();
    }
    // In the very step that found nothing left to do: who asks after it begins anew.
    this.#turning = false;
  }

  async #turn(): Promise<void> {
    const word = this.#word();
    this.#voter.watch(word);
    if (word === null) {
      this.#emptySinceMs = null;
      if (this.#options.membership.state.phase === 'autonomous') this.#settled = true;
      await this.#goBack();
    } else if (await this.#followHead(word)) {
      await this.#voter.follow(word);
      // Who joins in the middle of a rollout is counted as ready only once it has said what it thinks of it.
      if (this.#failure === null && this.#voter.hasSpoken(word)) this.#settled = true;
    }
    this.#voter.watch(this.#word());
    await this.#runner.reapplyAsked();
  }

  /** True if this member stands where the store's head is, as far as it can. */
  async #followHead(word: TierConfig): Promise<boolean> {
    const { membership, clock, leaseMs, log } = this.#options;
    const { head } = word;
    const own = this.#own;
    this.#emptySinceMs = head === null && !this.#othersKnowBetter ? (this.#emptySinceMs ?? clock.monotonicMs()) : null;
    if (own === null) {
      if (head !== null) await this.#take(head, false);
      return head !== null;
    }
    const action = headAction(own, head, this.#emptyForMs(), leaseMs());
    switch (action.kind) {
      case 'take':
        if (action.fork) log.error('config fork: the store has another config under the same number, and its own is taken', { version: head!.number, sha: head!.sha });
        this.#foreign = '';
        if (!this.#voter.isCanary(word)) await this.#take(head!, false);
        return true;
      case 'restore':
        await this.#restore(own);
        return false;
      case 'wait':
        this.#lookAgain(Math.max(EMPTY_LOOK_MS, action.forMs));
        return false;
      case 'foreign':
        if (this.#foreign !== head!.history) {
          this.#foreign = head!.history;
          log.error("the store's config has another history: `weir adopt` takes it", { history: head!.history });
          membership.rejoin();
        }
        return false;
    }
  }

  /** Somebody here has committed a config of this tier, and will put it back: a file must not come before it. */
  get #othersKnowBetter(): boolean {
    const { membership } = this.#options;
    return this.#own?.source === 'file' && [...membership.members.values()].some(({ id, record }) => id !== membership.id && record.history !== '');
  }

  /** A store that stood still was empty for nobody: those who know better could not say so meanwhile. */
  #emptyForMs(): number {
    const { membership, clock } = this.#options;
    return this.#emptySinceMs === null ? 0 : Math.min(clock.monotonicMs() - this.#emptySinceMs, membership.steadyMs);
  }

  /** The head becomes what this member stands on, once it runs. */
  async #take(head: ConfigHeadRead, starting: boolean): Promise<void> {
    const own = this.#own;
    const failure = this.#failure;
    const isOwn = own !== null && own.history === head.history && own.number === head.number && own.sha === head.sha;
    if (failure?.number === head.number && failure.sha === head.sha) {
      if (failure.out && !isSpared(this.#options.membership.members.values())) this.#stepIn(failure);
      const waitMs = failure.retryAtMs - this.#options.clock.monotonicMs();
      if (waitMs > 0) return this.#lookAgain(waitMs);
    }
    let next: HeldVersion = own!;
    if (!isOwn) {
      const fetched = await this.#voter.fetch(head);
      if (fetched.kind !== 'fetched') return this.#failed(head, fetched.reason, false, starting);
      next = fetched.version;
    }
    const outcome = await this.#runner.run(next);
    if (outcome.kind === 'refused') return this.#failed(head, refusalText(outcome), true, starting);
    const hadFailed = this.#failure !== null;
    this.#failure = null;
    this.#retry = new BackOff(APPLY_RETRY);
    if (isOwn && own.source === 'store') return;
    this.#own = { ...next, source: 'store' };
    if (!isOwn) await this.#options.disk.writeCommitted({ ...next, history: head.history });
    if (hadFailed) await this.#voter.runsAfterAll(head.number, head.sha);
  }

  async #failed({ number, sha }: Pick<ConfigHead, 'number' | 'sha'>, reason: string, mayLeave: boolean, starting: boolean): Promise<void> {
    const { membership, clock, log } = this.#options;
    const isNew = this.#failure?.number !== number || this.#failure.sha !== sha;
    if (isNew) this.#retry = new BackOff(APPLY_RETRY);
    const waitMs = this.#retry.failed(0);
    const wasOut = !isNew && this.#failure!.out;
    const isSaid = !isNew && this.#failure!.isSaid;
    const willSay = mayLeave && !starting;
    this.#failure = { number, sha, reason, out: wasOut, isSaid: isSaid || willSay, retryAtMs: clock.monotonicMs() + waitMs };
    if (isNew) log.error('the committed config cannot be run here', { version: number, reason });
    this.#lookAgain(waitMs);
    // What nobody signed is no word of the tier's: it takes no member out.
    if (!willSay) return;
    if (!isSaid) await this.#voter.say(number, sha, 'failed', reason);
    if (wasOut) return;
    if (await membership.store.stepOut(membership.caller())) {
      this.#failure = { ...this.#failure, out: true };
      log.warn('out of rotation until the committed config can be run', { version: number });
    } else this.#settled = true;
  }

  /** Those that could run the head are gone: a former config serves better than none, and a tier without a ready member has no leader who could mend it. */
  #stepIn(failure: ApplyFailure): void {
    this.#failure = { ...failure, out: false };
    this.#settled = true;
    this.#options.log.warn('in rotation again, on a former config: too few others are ready', { version: failure.number });
  }

  /** A canary's version, or one no longer committed, gives way to the member's own. */
  async #goBack(): Promise<void> {
    const own = this.#own;
    if (own === null || this.#runner.runs(own)) return;
    this.#options.log.warn('going back to the committed config', { version: own.number });
    await this.#runner.run(own);
  }

  async #restore(own: Own): Promise<void> {
    const restored = await this.#restorer.restore(own);
    if (this.#restorer.unfit !== '') return;
    this.#lookAgain(STORE_RETRY_MS);
    if (restored === null) return;
    this.#own = { ...restored, source: 'store' };
    await this.#options.disk.writeCommitted(restored);
  }

  #fileVersion(bytes: Uint8Array): Own {
    return { history: null, number: FILE_NUMBER, sha: sha256(bytes), version: '', bytes, source: 'file' };
  }

  #lookAgain(delayMs: number): void {
    const { clock } = this.#options;
    const atMs = clock.monotonicMs() + Math.max(1, delayMs);
    if (this.#timer !== null && this.#timer.atMs <= atMs) return;
    this.#timer?.timer.cancel();
    const timer = clock.after(Math.max(1, delayMs), () => {
      this.#timer = null;
      this.poke();
    });
    this.#timer = { timer, atMs };
  }
}

type ConfigHeadRead = NonNullable<TierConfig['head']>;
