/**
 * What the checks of one row say together: down if one of them is down, up if
 * all are up, unknown otherwise. Pure; verdicts.ts writes it.
 */
import type { Verdict } from '../../shared/backend-table.ts';
import type { CheckRow } from './check.ts';
import type { Standing } from './verdicts.ts';

/** A check of a row, for whoever asks the tier about it. */
export interface RowCheck {
  /** Its identity in the tier. */
  readonly key: string;
  /** What tells it from the row's other checks; '': it has none. */
  readonly label: string;
}

export interface RowVerdict {
  readonly verdict: Verdict;
  readonly reason: string;
  readonly by: readonly string[];
}

/** `given` is of the check that has news: its words count where all of them agree. */
export function rowVerdict(given: CheckRow): RowVerdict {
  const { peers } = given;
  const cause = peers.find(({ check }) => check.verdict === 'down') ?? peers.find(({ check }) => check.verdict === 'unknown') ?? given;
  const { verdict, ground } = cause.check;
  return { verdict, reason: verdict === 'up' ? ground.reason : labelled(cause, ground.reason), by: ground.by ?? [] };
}

/**
 * Why a row has its verdict, in the words of this proxy's last probe where it
 * says another thing than what decided: what has to be mended is what fails
 * now, and who waits for a backend to come back wants to see that it begins to.
 */
export function presentReason(checks: readonly CheckRow[], verdict: Verdict, { reason, sinceMs }: Standing): string {
  const told = verdict === 'down' ? checks.find(({ check }) => check.verdict === 'down') : checks.find(({ check }) => check.lastResult?.passed === false);
  const last = told?.check.lastResult ?? null;
  if (last === null) return reason;
  if (verdict !== 'down') return labelled(told!, last.reason);
  // A result from before the verdict is what led to it, or was outvoted.
  if (last.atMs < sinceMs) return reason;
  return last.passed ? `${reason}; the last probe passed` : labelled(told!, last.reason);
}

/** A reason with the check that it is of, where the row has several. */
export function labelled({ label }: Pick<CheckRow, 'label'>, reason: string): string {
  return label === '' || reason === '' ? reason : `${label}: ${reason}`;
}
