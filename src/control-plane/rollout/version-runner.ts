/**
 * Runs versions in this process, one thing at a time whoever asks, and knows
 * which one runs, with its bytes.
 */
import type { Clock } from '../../base/clock.ts';
import type { ApplyOutcome, ConfigApplier, Refusal } from './config-applier.ts';
import { sha256 } from './fetch-version.ts';

/** A version this member has whole. */
export interface HeldVersion {
  /** null: of no tier's line of versions. */
  readonly history: string | null;
  readonly number: number;
  readonly sha: string;
  /** As published (config-texts.ts); '' for a file. */
  readonly version: string;
  readonly bytes: Uint8Array;
}

/** Who publishes has tried a version a moment before the tier asks; that answer still holds. */
const CHECK_HOLDS_MS = 15_000;

export class VersionRunner {
  readonly #clock: Clock;
  readonly #applier: ConfigApplier;
  readonly #onApplied: (outcome: ApplyOutcome, number: number) => void;
  #current: HeldVersion | null = null;
  #applying: Promise<unknown> = Promise.resolve();
  /** The dry run that went well last, with nothing else run since. */
  #checked: { readonly sha: string; readonly atMs: number } | null = null;
  readonly #reapplies: ((outcome: ApplyOutcome) => void)[] = [];

  constructor(clock: Clock, applier: ConfigApplier, onApplied: (outcome: ApplyOutcome, number: number) => void) {
    this.#clock = clock;
    this.#applier = applier;
    this.#onApplied = onApplied;
  }

  get current(): HeldVersion | null {
    return this.#current;
  }

  runs({ number, sha }: Pick<HeldVersion, 'number' | 'sha'>): boolean {
    return this.#current?.number === number && this.#current.sha === sha;
  }

  async run(version: HeldVersion): Promise<ApplyOutcome> {
    if (!this.runs(version)) return this.#apply(version);
    this.#current = version;
    return { kind: 'done', changed: false, warnings: [] };
  }

  dryRun(bytes: Uint8Array): Promise<Refusal | null> {
    return this.#alone(() => this.#dryRun(bytes, sha256(bytes)));
  }

  /** The next `reapplyAsked` runs what runs once more, with secrets read anew. */
  askReapply(): Promise<ApplyOutcome> {
    return new Promise((resolve) => this.#reapplies.push(resolve));
  }

  async reapplyAsked(): Promise<void> {
    if (this.#reapplies.length === 0 || this.#current === null) return;
    const asked = this.#reapplies.splice(0);
    const outcome = await this.#apply(this.#current);
    for (const resolve of asked) resolve(outcome);
  }

  stop(): void {
    for (const resolve of this.#reapplies.splice(0)) resolve({ kind: 'refused', text: 'the proxy is stopping', problems: [] });
  }

  async #dryRun(bytes: Uint8Array, sha: string): Promise<Refusal | null> {
    if (this.#checked?.sha === sha && this.#clock.monotonicMs() - this.#checked.atMs < CHECK_HOLDS_MS) return null;
    const refusal = await this.#applier.dryRun(bytes);
    this.#checked = refusal === null ? { sha, atMs: this.#clock.monotonicMs() } : null;
    return refusal;
  }

  async #apply(version: HeldVersion): Promise<ApplyOutcome> {
    const outcome = await this.#alone(() => this.#applier.apply(version.bytes, version.number));
    this.#checked = null;
    if (outcome.kind === 'done') this.#current = version;
    this.#onApplied(outcome, version.number);
    return outcome;
  }

  #alone<Result>(run: () => Promise<Result>): Promise<Result> {
    const result = this.#applying.then(run);
    this.#applying = result.catch(() => undefined);
    return result;
  }
}
