/**
 * Publishing by this member, for an operator or for its own file: tried here
 * first, put into the store if its parent is still the head, and followed until
 * the tier has taken it, refused it, or gives it to a canary. Refusals are data.
 */
import type { Problem } from '../../config/problems.ts';
import type { Clock } from '../../base/clock.ts';
import { parseBeside } from '../membership/beside.ts';
import type { Membership } from '../membership/membership.ts';
import { StoreAway, type PublishAnswer } from '../store/tier-store.ts';
import type { Refusal } from './config-applier.ts';
import { readConfig, readVote, type Canary, type TierConfig } from './config-texts.ts';
import { sha256, VersionFetcher } from './fetch-version.ts';
import { answerLimitMs } from './next-step.ts';
import { publishVersion, type VersionDraft } from './publish-version.ts';
import type { TierKey } from './tier-key.ts';

export interface PublishRequest {
  readonly bytes: Uint8Array;
  /** Version that it is to follow: refused as stale if the head has another content; null: whatever the head is now. */
  readonly parent: number | null;
  readonly canary: Canary | null;
  /** Who asks, for people. */
  readonly by: string;
  readonly rollbackOf?: number;
}

export type PublishOutcome =
  | { readonly kind: 'committed'; readonly number: number; readonly notes: readonly string[] }
  /** A canary runs it; the tier decides about the rest later. */
  | { readonly kind: 'canary'; readonly number: number }
  /** The head has these very bytes already. */
  | { readonly kind: 'same'; readonly number: number }
  | { readonly kind: 'stale'; readonly head: number }
  /** Another rollout is under way. */
  | { readonly kind: 'busy'; readonly number: number }
  | ({ readonly kind: 'refused' } & Refusal)
  /** It was published, and the tier did not take it. */
  | { readonly kind: 'aborted'; readonly number: number; readonly reason: string }
  | { readonly kind: 'no-such-version'; readonly number: number }
  /** The store cannot be asked, or this member is not in its tier. */
  | { readonly kind: 'away'; readonly reason: string };

export interface PublisherOptions {
  readonly membership: Membership;
  readonly clock: Clock;
  readonly key: TierKey | null;
  readonly leaseMs: () => number;
  readonly dryRun: (bytes: Uint8Array) => Promise<Refusal | null>;
}

type Head = NonNullable<TierConfig['head']>;
type Parent = VersionDraft['head'];

/** Others may publish meanwhile, but each time one of them succeeded. */
const STALE_TRIES = 3;

/** Ids asked of the store in one step. */
const ASKED_MAX = 500;

export class ConfigPublisher {
  readonly #options: PublisherOptions;
  readonly #fetcher: VersionFetcher;
  readonly #waiting = new Set<() => void>();
  #lastRefusal: { readonly number: number; readonly reason: string } | null = null;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#fetcher = new VersionFetcher(options.membership.store, options.key);
  }

  /** What the tier did not take of what this member published, lately. */
  get lastRefusal(): { readonly number: number; readonly reason: string } | null {
    return this.#lastRefusal;
  }

  /** The config or the link may have changed. */
  poke(): void {
    for (const wake of this.#waiting) wake();
  }

  publish(request: PublishRequest): Promise<PublishOutcome> {
    return this.#orAway(async () => {
      const head = this.#head();
      if (typeof head === 'string') return { kind: 'away', reason: head };
      return this.#publishOver(head, request);
    });
  }

  /** A new version with the content of version `to`. */
  rollBack(to: number, by: string): Promise<PublishOutcome> {
    return this.#orAway(async () => {
      const head = this.#head();
      if (typeof head === 'string') return { kind: 'away', reason: head };
      const fetched = await this.#fetcher.fetch({ history: head.history, number: to, sha: null });
      if (fetched.kind === 'missing') return { kind: 'no-such-version', number: to };
      if (fetched.kind === 'wrong-key') return { kind: 'refused', text: fetched.reason, problems: [] };
      return this.#publishOver(head, { bytes: fetched.version.bytes, parent: null, canary: null, by, rollbackOf: to });
    });
  }

  /**
   * What this member last read of the head may be a moment old, so the store
   * alone says what is stale, or the same; who follows whatever the head is
   * then tries again over the one it names.
   */
  async #publishOver(head: Parent, { bytes, parent, canary, by, rollbackOf }: PublishRequest): Promise<PublishOutcome> {
    const { membership, dryRun } = this.#options;
    const sha = sha256(bytes);
    let over = parent === null ? head : await this.#parentOf(parent, head);
    if (over === null) return { kind: 'stale', head: head.number };
    const joined = this.#joinable(sha);
    if (joined !== null) return this.#followed(joined, sha);
    const refusal = await dryRun(bytes);
    if (refusal !== null) return { kind: 'refused', ...refusal };
    const used = await this.#highestNumber(head);
    for (let tries = 1; ; tries++) {
      const answer = await publishVersion(this.#options, { head: over, bytes, by, rollbackOf: rollbackOf ?? null, canary, forced: false, used });
      membership.hurry();
      if (answer.kind === 'stale' && parent === null && answer.head !== null && tries < STALE_TRIES) {
        over = answer.head;
        continue;
      }
      return this.#answered(answer, sha);
    }
  }

  async #answered(answer: PublishAnswer, sha: string): Promise<PublishOutcome> {
    switch (answer.kind) {
      case 'started':
        return this.#followed(answer.number, sha);
      case 'same':
        return answer;
      case 'busy': {
        const other = await this.#options.membership.store.version(answer.number);
        return other?.sha === sha ? this.#followed(answer.number, sha) : answer;
      }
      case 'stale':
        return { kind: 'stale', head: answer.head?.number ?? 0 };
      case 'number':
        return { kind: 'busy', number: answer.used };
      case 'not-living':
        return { kind: 'away', reason: 'this proxy has just been taken for dead by its tier; it joins anew' };
    }
  }

  /** A rollout of these very bytes under way: the same bytes twice are one version. */
  #joinable(sha: string): number | null {
    const { config } = this.#options.membership;
    const rollout = config === null ? null : readConfig(config).rollout;
    return rollout?.text.sha === sha ? rollout.number : null;
  }

  /** What became of a rollout, once the tier has decided or a canary runs it; that one is followed on behind the answer. */
  async #followed(number: number, sha: string): Promise<PublishOutcome> {
    const outcome = await this.#decision(number, sha, 0);
    if (outcome.kind === 'canary') {
      const forMs = this.#canaryForMs() ?? 0;
      void this.#decision(number, sha, forMs).catch(() => undefined);
    }
    return outcome;
  }

  #canaryForMs(): number | null {
    const { config } = this.#options.membership;
    return (config === null ? null : readConfig(config).rollout?.text.canary?.forMs) ?? null;
  }

  /** `canaryMs` 0: a canary is as good as a decision. */
  async #decision(number: number, sha: string, canaryMs: number): Promise<PublishOutcome> {
    const { membership, clock, leaseMs } = this.#options;
    const limitMs = canaryMs + answerLimitMs(membership.readyCount) + 3 * leaseMs();
    const startMs = clock.monotonicMs();
    // Until this member has seen the rollout, its absence says nothing.
    let seen = false;
    while (clock.monotonicMs() - startMs < limitMs) {
      const config = membership.config === null ? null : readConfig(membership.config);
      if (config?.head?.number === number) return { kind: 'committed', number, notes: config.head.text.notes };
      if (config?.head?.text.previous === number) return { kind: 'committed', number, notes: [] };
      if (config?.rollout?.number === number) {
        if (config.rollout.text.phase === 'canary' && canaryMs === 0) return { kind: 'canary', number };
        seen = true;
      } else if (seen || (config?.head?.number ?? 0) > number) {
        return this.#ended(number, sha);
      }
      await this.#change(Math.max(1, Math.min(leaseMs(), limitMs - (clock.monotonicMs() - startMs))));
    }
    return seen ? { kind: 'aborted', number, reason: 'the tier has not decided in time; it may still do so' } : this.#ended(number, sha);
  }

  async #ended(number: number, sha: string): Promise<PublishOutcome> {
    const { store } = this.#options.membership;
    const votes = [...(await store.votes(number))].map(([id, text]) => ({ id, vote: readVote(text) }));
    const ours = votes.filter(({ vote }) => vote?.sha === sha);
    const word = ours.find(({ vote }) => vote!.kind === 'aborted')?.vote!.reason;
    const refusal = ours.find(({ vote }) => vote!.kind === 'refused' || vote!.kind === 'failed');
    const reason = word ?? (refusal === undefined ? 'the rollout ended, nobody knows why' : `${refusal.id}: ${refusal.vote!.reason}`);
    this.#lastRefusal = { number, reason };
    return { kind: 'aborted', number, reason };
  }

  /** Resolves at the next change, or after `limitMs`. */
  #change(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = this.#options.clock.after(limitMs, wake);
      this.#waiting.add(wake);
    });
  }

  /** The head, or why there is none that could be followed. */
  #head(): Head | string {
    const { state, config } = this.#options.membership;
    if (state.phase !== 'connected' && state.phase !== 'settling') return state.reason === '' ? 'the store has not answered yet' : `the store is away: ${state.reason}`;
    const head = config === null ? null : readConfig(config).head;
    return head ?? 'the tier has no committed config yet';
  }

  /** Compared by content: version 3 may be the head as version 5 again. null: there is no such version. */
  async #parentOf(number: number, head: Parent): Promise<Parent | null> {
    if (number === head.number) return head;
    const versions = await this.#options.membership.store.versions();
    const found = versions.find((version) => version.number === number);
    return found === undefined ? null : { history: head.history, number, sha: found.sha };
  }

  /** A store that lost writes may know less than a member that lives. */
  async #highestNumber(head: Parent): Promise<number> {
    const { store, members } = this.#options.membership;
    let highest = head.number;
    const ids = [...members.keys()];
    for (let i = 0; i < ids.length; i += ASKED_MAX) {
      for (const [, text] of await store.beside(ids.slice(i, i + ASKED_MAX))) highest = Math.max(highest, parseBeside(text).config?.number ?? 0);
    }
    return highest;
  }

  async #orAway(run: () => Promise<PublishOutcome>): Promise<PublishOutcome> {
    try {
      return await run();
    } catch (error) {
      if (error instanceof StoreAway) return { kind: 'away', reason: `the store is away: ${error.message}` };
      throw error;
    }
  }
}

/** An outcome as one line for people; null: it is well. */
export function failureText(outcome: PublishOutcome): string | null {
  switch (outcome.kind) {
    case 'committed':
    case 'canary':
    case 'same':
      return null;
    case 'stale':
      return `version ${outcome.head} has been committed meanwhile`;
    case 'busy':
      return `the rollout of version ${outcome.number} is under way`;
    case 'refused':
      return outcome.text;
    case 'aborted':
      return `version ${outcome.number} was not taken: ${outcome.reason}`;
    case 'no-such-version':
      return `the store has no version ${outcome.number}`;
    case 'away':
      return outcome.reason;
  }
}

/** Problems of the config's own text, if that is what it was refused for. */
export function problemsOf(outcome: PublishOutcome): readonly Problem[] {
  return outcome.kind === 'refused' ? outcome.problems : [];
}
