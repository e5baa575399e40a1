/** The config as the rollout wants it, read in a thread of its own so that no size of it holds this one up. */
import { descriptorsMax } from '../../config/descriptors.ts';
import { loadInThread } from '../../config/load-in-thread.ts';
import type { ReadConfig } from '../../control-plane/rollout/apply.ts';
import type { RunOptions } from './run-options.ts';

export class ConfigReader {
  readonly #options: RunOptions;
  readonly #descriptorsMax = descriptorsMax();
  #rendered = '';

  constructor(options: RunOptions) {
    this.#options = options;
  }

  /** Never rejects: a text that its reader's thread dies of (of memory, say) is refused like any other. */
  async read(number: number): Promise<ReadConfig> {
    const { file, adminBind, pluginsDir } = this.#options;
    const isTerminal = process.stderr.isTTY;
    const options = { number, pluginsDir, descriptorsMax: this.#descriptorsMax, stdoutIsTerminal: isTerminal, ...(adminBind === null ? {} : { adminBind }) };
    try {
      const { encoded, problems, text, secretFiles, rendered } = await loadInThread(file, options, { color: isTerminal });
      this.#rendered = rendered;
      return { snapshot: encoded, problems, text: text ?? '', secretFiles };
    } catch (error) {
      const message = `cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`;
      this.#rendered = message;
      return { snapshot: null, problems: [{ file, line: 1, column: 1, severity: 'error', message }], text: '', secretFiles: [] };
    }
  }

  /** The problems of the config last read, with code frames, for a terminal. */
  get rendered(): string {
    return this.#rendered;
  }
}
