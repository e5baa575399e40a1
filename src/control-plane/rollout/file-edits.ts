/**
 * This member's own file beside the tier's config. A start publishes nothing:
 * a file that differs is only reported. An edit while the proxy runs is a
 * publish, whose parent is the version the file last equalled; if the tier has
 * gone on since, or that version is not known, it is refused with what
 * differs. Away, and while another rollout is under way, edits wait.
 */
import { unifiedDiff } from '../../base/line-diff.ts';
import type { Log } from '../../observe/log.ts';
import { maskSecrets } from '../../shared/secret-text.ts';
import type { Membership } from '../membership/membership.ts';
import type { ApplyOutcome, Refusal } from './config-applier.ts';
import { problemsOf, failureText, type PublishOutcome, type PublishRequest } from './config-publisher.ts';
import { readConfig, type TierConfig } from './config-texts.ts';
import { sha256 } from './fetch-version.ts';
import type { FileParent, RolloutDisk } from './last-known-good.ts';
import type { HeldVersion } from './version-runner.ts';

export interface FileEditsOptions {
  readonly file: string;
  readonly membership: Membership;
  readonly disk: Pick<RolloutDisk, 'writeParent'>;
  /** As it was kept on the disk. */
  readonly parent: FileParent | null;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  readonly publish: (request: PublishRequest) => Promise<PublishOutcome>;
  /** What this member stands on; null: nothing yet. */
  readonly own: () => HeldVersion | null;
  readonly replaceUnconfirmed: (bytes: Uint8Array) => Promise<ApplyOutcome>;
}

export type EditOutcome =
  /** The tier has it: as it had before, or from now on. */
  | { readonly kind: 'done'; readonly number: number; readonly changed: boolean }
  | { readonly kind: 'waits'; readonly reason: string }
  /** It is another than the tier's, and has been for long: nobody edited it now. */
  | { readonly kind: 'differs'; readonly number: number }
  | ({ readonly kind: 'refused' } & Refusal);

/** What a log line can bear. */
const DIFF_LINES_MAX = 40;

export class FileEdits {
  readonly #options: FileEditsOptions;
  #parent: FileParent | null;
  #bytes: Uint8Array | null = null;
  #sha = '';
  /** The file has been edited, and what came of it is still open. */
  #waiting = false;
  #running: Promise<EditOutcome> | null = null;

  constructor(options: FileEditsOptions) {
    this.#options = options;
    this.#parent = options.parent;
  }

  /** Version the file last equalled; null: none that is known. */
  get parent(): FileParent | null {
    return this.#parent;
  }

  /** As it was found at the start; null: it could not be read. */
  async began(bytes: Uint8Array | null): Promise<void> {
    this.#note(bytes);
    const own = this.#options.own();
    if (bytes === null || own === null) return;
    await this.#noteParent();
    if (own.history === null || own.sha === this.#sha) return;
    this.#options.log.warn('the file differs from the committed config, which runs', { file: this.#options.file, version: own.number, diff: this.#diff(own) });
  }

  /** The file was edited, or somebody asks for it to be read again. */
  changed(bytes: Uint8Array): Promise<EditOutcome> {
    const former = this.#sha;
    this.#note(bytes);
    this.#waiting ||= this.#sha !== former;
    return this.#consider();
  }

  /** Config or link changed: what waits is tried again, and the file may equal the head now. */
  poke(): void {
    void this.#noteParent();
    if (!this.#waiting || this.#running !== null || this.#whyWait() !== null) return;
    void this.#consider().then((outcome) => {
      if (outcome.kind === 'refused') this.#options.log.error('config refused, the former one goes on', { reason: outcome.text });
    });
  }

  #consider(): Promise<EditOutcome> {
    const present = (this.#running ?? Promise.resolve()).then(() => this.#decide());
    this.#running = present;
    const end = (): void => {
      if (this.#running === present) this.#running = null;
    };
    present.then(end, end);
    return present;
  }

  async #decide(): Promise<EditOutcome> {
    const { own, replaceUnconfirmed } = this.#options;
    const bytes = this.#bytes!;
    const head = this.#head();
    const wait = this.#whyWait();
    if (head !== null && head.sha === this.#sha) {
      this.#waiting = false;
      await this.#noteParent();
      return { kind: 'done', number: head.number, changed: false };
    }
    if (!this.#waiting) return { kind: 'differs', number: (head ?? own())?.number ?? 0 };
    if (wait !== null) {
      this.#options.log.info('the edit waits', { reason: wait });
      return { kind: 'waits', reason: wait };
    }
    if (head === null) {
      if (own()?.history !== null) return { kind: 'waits', reason: 'the tier has no committed config yet' };
      this.#waiting = false;
      const outcome = await replaceUnconfirmed(bytes);
      return outcome.kind === 'done' ? { kind: 'done', number: own()!.number, changed: true } : outcome;
    }
    if (this.#parent === null || this.#parent.sha !== head.sha) {
      this.#waiting = false;
      return { kind: 'refused', text: this.#staleText(head), problems: [] };
    }
    return this.#publish(bytes);
  }

  async #publish(bytes: Uint8Array): Promise<EditOutcome> {
    const { publish, membership, file, log } = this.#options;
    const outcome = await publish({ bytes, parent: this.#parent!.number, canary: null, by: `${membership.id} (${file})` });
    if (outcome.kind === 'busy' || outcome.kind === 'away') {
      log.info('the edit waits', { reason: failureText(outcome) });
      return { kind: 'waits', reason: failureText(outcome)! };
    }
    this.#waiting = false;
    await this.#noteParent();
    if (outcome.kind === 'committed' || outcome.kind === 'same' || outcome.kind === 'canary') return { kind: 'done', number: outcome.number, changed: outcome.kind !== 'same' };
    return { kind: 'refused', text: failureText(outcome)!, problems: problemsOf(outcome) };
  }

  /** What stands in the way of publishing now; null: nothing. */
  #whyWait(): string | null {
    const { phase, reason } = this.#options.membership.state;
    if (phase === 'joining') return 'the store has not answered yet';
    if (phase === 'autonomous') return `the store is away: ${reason}`;
    const rollout = this.#word()?.rollout ?? null;
    return rollout === null || rollout.text.sha === this.#sha ? null : `the rollout of version ${rollout.number} is under way`;
  }

  #word(): TierConfig | null {
    const { config } = this.#options.membership;
    return config === null ? null : readConfig(config);
  }

  #head(): TierConfig['head'] {
    return this.#word()?.head ?? null;
  }

  /** The head, whenever the file equals it, is what the next edit follows. */
  async #noteParent(): Promise<void> {
    const head = this.#head() ?? this.#options.own();
    if (head === null || head.history === null || head.sha !== this.#sha) return;
    if (this.#parent?.number === head.number && this.#parent.sha === head.sha) return;
    this.#parent = { number: head.number, sha: head.sha };
    await this.#options.disk.writeParent(this.#parent);
  }

  #note(bytes: Uint8Array | null): void {
    this.#bytes = bytes;
    this.#sha = bytes === null ? '' : sha256(bytes);
  }

  #staleText(head: NonNullable<TierConfig['head']>): string {
    const { own, file } = this.#options;
    const since = this.#parent === null ? 'it has never been one that the tier committed' : `it was edited from version ${this.#parent.number}`;
    const committed = own();
    const diff = committed?.sha === head.sha ? `\n${this.#diff(committed)}` : '';
    return `the file does not follow the committed version ${head.number}: ${since}; \`weir push ${file} --parent ${head.number}\` publishes it all the same${diff}`;
  }

  /** From the committed config to the file, without secrets. */
  #diff(committed: HeldVersion): string {
    const shown = (bytes: Uint8Array): string => maskSecrets(Buffer.from(bytes).toString('utf8'), () => '***');
    const lines = unifiedDiff(shown(committed.bytes), shown(this.#bytes!), { from: `version ${committed.number}`, to: this.#options.file }).split('\n');
    const left = lines.length - 1 - DIFF_LINES_MAX;
    return left > 0 ? [...lines.slice(0, DIFF_LINES_MAX), `… ${left} more lines`].join('\n') : lines.join('\n').trimEnd();
  }
}
