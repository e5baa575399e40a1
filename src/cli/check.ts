/** `weir check FILE`: everything that is wrong with a config, or the config as it would run. */
import { descriptorsMax } from '../config/descriptors.ts';
import { loadConfig, type LoadOptions } from '../config/load-config.ts';
import { renderProblems } from '../config/render-problems.ts';

export interface CheckOptions {
  /** Prints `{ problems, config }` to stdout, and nothing else. */
  readonly json: boolean;
  readonly color: boolean;
  /** As `weir run` would have them: environment, --admin, --plugins. */
  readonly load?: LoadOptions;
}

/** Where a command prints. */
export interface CommandOutput {
  out(text: string): void;
  err(text: string): void;
}

/** → exit code: 0 for a config that would run (warnings or not), else 1. */
export async function checkCommand(file: string, options: CheckOptions, output: CommandOutput): Promise<0 | 1> {
  const loaded = await loadConfig(file, { descriptorsMax: descriptorsMax(), ...options.load });
  const { problems } = loaded;
  if (options.json) {
    output.out(`${JSON.stringify({ problems, config: loaded.effectiveValues() }, null, 2)}\n`);
  } else {
    const text = renderProblems(problems, loaded.sources, { color: options.color });
    if (text !== '') output.err(text.endsWith('\n') ? text : `${text}\n`);
    const effective = loaded.effective();
    if (effective !== null) output.out(effective);
  }
  return loaded.snapshot === null ? 1 : 0;
}
