/**
 * `weir explain FILE URL`: which route takes a request and why no earlier one
 * does, by the code that routes traffic. Reads the file only, no running
 * proxy: every backend is taken to be up.
 */
import { loadConfig } from '../config/load-config.ts';
import { renderProblems } from '../config/render-problems.ts';
import type { CommandOutput } from './check.ts';
import { askedRequest, UsageError, type RequestFlags } from './explain/explain-request.ts';
import { explanationText } from './explain/explain-text.ts';
import { explainRequest } from './explain/explanation.ts';

export interface ExplainFlags extends RequestFlags {
  readonly json?: boolean | undefined;
}

const toProcess: CommandOutput = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

/** Resolves to the exit code: 0 explained (also when the answer is 404 or 400), 1 the config is refused, 2 wrong usage. */
export async function explainCommand(file: string, url: string, flags: ExplainFlags, output: CommandOutput = toProcess): Promise<number> {
  let asked;
  try {
    asked = askedRequest(url, flags);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    output.err(`weir explain: ${error.message}\n`);
    return 2;
  }
  const { snapshot, problems, sources } = await loadConfig(file);
  if (snapshot === null) {
    output.err(renderProblems(problems.filter((problem) => problem.severity === 'error'), sources, { color: false }));
    return 1;
  }
  const explanation = explainRequest(snapshot, asked);
  output.out(flags.json === true ? `${JSON.stringify(explanation, null, 2)}\n` : explanationText(explanation));
  return 0;
}
