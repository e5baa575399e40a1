/** What a rollout came to, as log lines: one for its end, one for each problem. */
import type { RolloutOutcome } from '../../control-plane/rollout/apply.ts';
import type { Problem } from '../../config/problems.ts';
import type { Log } from '../../observe/log.ts';

export function reportRollout(log: Log, outcome: RolloutOutcome): void {
  if (outcome.kind === 'done') {
    for (const warning of outcome.warnings) log.warn('config warning', fieldsOf(warning));
    if (outcome.changed) log.info('config runs', { version: outcome.version });
    else log.info('config is unchanged', { version: outcome.version });
    return;
  }
  for (const problem of outcome.problems) log.write(problem.severity === 'error' ? 'error' : 'warn', `config ${problem.severity}`, fieldsOf(problem));
  log.error('config refused, the former one goes on', { reason: outcome.text });
}

function fieldsOf({ file, line, column, message, expected, suggestion }: Problem): Record<string, unknown> {
  return { place: `${file}:${line}:${column}`, problem: message, ...(expected === undefined ? {} : { expected }), ...(suggestion === undefined ? {} : { suggestion }) };
}
