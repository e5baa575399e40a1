/** The config as the rollout wants it, read in a thread of its own so that no size of it holds this one up. */
import { randomBytes } from 'node:crypto';
import { descriptorsMax } from '../../config/descriptors.ts';
import { loadInThread } from '../../config/load-in-thread.ts';
import type { ReadConfig } from '../../control-plane/rollout/apply.ts';
import type { RunOptions } from './run-options.ts';
import { readTierKey } from './tier-place.ts';

export class ConfigReader {
  readonly #options: RunOptions;
  readonly #descriptorsMax = descriptorsMax();
  readonly #hashKey: Promise<string>;
  #rendered = '';
  #ahead: Promise<ReadConfig> | null = null;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#hashKey = hashKeyOf(options.tierKeyFile);
  }

  /** Reads the file before the first rollout asks for it, which then takes this. */
  readAhead(): Promise<ReadConfig> {
    this.#ahead = this.#read(1, null, false);
    return this.#ahead;
  }

  /**
   * `bytes`: a config of the tier's, as if it stood in the file (paths in it
   * start at the file's folder); null: the file's own. `published`: it is to be
   * shared with the tier. Never rejects: a text that its reader's thread dies
   * of (of memory, say) is refused like any other.
   */
  async read(number: number, bytes: Uint8Array | null = null, published = false): Promise<ReadConfig> {
    const ahead = this.#ahead;
    this.#ahead = null;
    return ahead !== null && number === 1 && bytes === null ? ahead : this.#read(number, bytes, published);
  }

  async #read(number: number, bytes: Uint8Array | null, published: boolean): Promise<ReadConfig> {
    const { file, adminBind, pluginsDir, pluginsGiven, store } = this.#options;
    const isTerminal = process.stderr.isTTY;
    const options = { number, published, hashKey: await this.#hashKey, ...(pluginsGiven ? { pluginsDir } : {}), ...(store === null ? {} : { store }), descriptorsMax: this.#descriptorsMax, stdoutIsTerminal: isTerminal, ...(adminBind === null ? {} : { adminBind }) };
    try {
      const { encoded, problems, text, secretFiles, rendered } = await loadInThread(file, options, { color: isTerminal, bytes });
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

/** The tier's, so that members with the same secrets show the same hash; else one of this process. */
async function hashKeyOf(tierKeyFile: string | null): Promise<string> {
  // A key file that cannot be used is told where the tier is joined.
  const key = await readTierKey(tierKeyFile).catch(() => null);
  return key?.hashKey ?? randomBytes(32).toString('hex');
}
