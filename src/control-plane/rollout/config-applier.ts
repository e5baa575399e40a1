/**
 * How a tier's config takes effect in this process: the port that the tier's
 * rollout is given, so that a simulation can run it with a config that is only
 * a number. Calls are made one at a time.
 */
import type { Problem } from '../../config/problems.ts';

/** Why a config cannot be run here: a line, and the problems of its text if that is what is wrong. */
export interface Refusal {
  readonly text: string;
  readonly problems: readonly Problem[];
}

const PROBLEMS_TOLD_MAX = 3;

/** For who does not see the problems one by one. */
export function refusalText({ text, problems }: Refusal): string {
  const errors = problems.filter(({ severity }) => severity === 'error');
  const told = errors.slice(0, PROBLEMS_TOLD_MAX).map(({ line, column, message }) => `line ${line}:${column}: ${message}`);
  if (errors.length > PROBLEMS_TOLD_MAX) told.push(`and ${errors.length - PROBLEMS_TOLD_MAX} more`);
  return told.length === 0 ? text : `${text}: ${told.join('; ')}`;
}

export type ApplyOutcome =
  /** `changed` false: it ran already. */
  | { readonly kind: 'done'; readonly changed: boolean; readonly warnings: readonly Problem[] }
  | ({ readonly kind: 'refused' } & Refusal);

export interface RunningVersion {
  readonly number: number;
  /** sha256 (hex) of its bytes, and after `${}` and `file:` with the code of its modules. */
  readonly sha: string;
  readonly effectiveSha: string;
}

/** Of the answers to clients since the process started. */
export interface Answers {
  readonly requests: number;
  /** Failures of ours or of a backend. */
  readonly errors: number;
}

export interface ConfigApplier {
  /** All that can refuse it, done and taken back; null: it can be run. */
  dryRun(bytes: Uint8Array): Promise<Refusal | null>;
  /** Runs it as version `number`; refused, the former goes on. Secrets it names are read anew. */
  apply(bytes: Uint8Array, number: number): Promise<ApplyOutcome>;
  running(): RunningVersion | null;
  answers(): Answers;
}
