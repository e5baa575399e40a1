/** A command that was not done, as the problem its caller gets. */
import type { CommandOutcome } from './admin-context.ts';
import { CallProblem } from './problem.ts';

export function outcomeProblem(outcome: Exclude<CommandOutcome, { readonly kind: 'done' }>): CallProblem {
  return new CallProblem(outcome.kind === 'conflict' ? 409 : 500, outcome.text);
}
