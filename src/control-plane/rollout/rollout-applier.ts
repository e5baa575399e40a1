/** A tier's config in this process: the rollout over workers, probes and admin interface, as the port wants it. */
import { countAnswers } from '../../observe/answers.ts';
import type { CounterPages } from '../../shared/counter-pages.ts';
import type { Rollout } from './apply.ts';
import type { Answers, ApplyOutcome, ConfigApplier, Refusal, RunningVersion } from './config-applier.ts';

export class RolloutApplier implements ConfigApplier {
  readonly #rollout: Rollout;
  readonly #counters: readonly CounterPages[];

  constructor(rollout: Rollout, counters: readonly CounterPages[]) {
    this.#rollout = rollout;
    this.#counters = counters;
  }

  async dryRun(bytes: Uint8Array): Promise<Refusal | null> {
    const outcome = await this.#rollout.dryRun({ bytes, number: (this.#rollout.running?.snapshot.number ?? 0) + 1 });
    return outcome.kind === 'done' ? null : { text: outcome.text, problems: outcome.problems };
  }

  async apply(bytes: Uint8Array, number: number): Promise<ApplyOutcome> {
    const outcome = await this.#rollout.applyGiven({ bytes, number });
    return outcome.kind === 'done' ? { kind: 'done', changed: outcome.changed, warnings: outcome.warnings } : outcome;
  }

  running(): RunningVersion | null {
    const snapshot = this.#rollout.running?.snapshot;
    return snapshot === undefined ? null : { number: snapshot.number, sha: snapshot.sha, effectiveSha: snapshot.effectiveSha };
  }

  answers(): Answers {
    const running = this.#rollout.running;
    return running === null ? { requests: 0, errors: 0 } : countAnswers(this.#counters, running.rows);
  }
}
