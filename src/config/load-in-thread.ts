/**
 * Loads a config in a thread of its own: 10,000 backends and 10,000 routes keep
 * a thread busy for half a second, and the main thread has probes to run and
 * leases to renew meanwhile. What comes back is encoded already, so that taking
 * it over costs nothing either.
 */
import { Worker } from 'node:worker_threads';
import type { LoadOptions } from './load-config.ts';
import type { Problem } from './problems.ts';

export interface LoadRequest {
  readonly file: string;
  /** Instead of what the file holds; null: the file is read. */
  readonly bytes: Uint8Array | null;
  readonly options: LoadOptions;
  /** Whether the rendered problems are meant for a terminal with colours. */
  readonly color: boolean;
  /** Whether the effective config is wanted as text. */
  readonly wantsEffective: boolean;
}

export interface ThreadLoad {
  /** See encodeSnapshot; null if a problem is an error. */
  readonly encoded: SharedArrayBuffer | null;
  readonly problems: readonly Problem[];
  /** The problems with code frames; '' if there are none. */
  readonly rendered: string;
  /** The config file's own, as read; null if it could not be. */
  readonly text: string | null;
  /** null if the file could not be read. */
  readonly sha: string | null;
  readonly effectiveSha: string | null;
  readonly secretFiles: readonly string[];
  /** null beside errors, or if it was not wanted. */
  readonly effective: string | null;
}

/** Most of what a load allocates lives until its end, so copying it between small spaces is waste. */
const YOUNG_GENERATION_MIB = 128;

/** Rejects only if the thread dies: a config that is wrong is an answer. */
export function loadInThread(file: string, options: LoadOptions = {}, wanted: { color?: boolean; effective?: boolean; bytes?: Uint8Array | null } = {}): Promise<ThreadLoad> {
  const request: LoadRequest = { file, bytes: wanted.bytes ?? null, options, color: wanted.color ?? false, wantsEffective: wanted.effective ?? false };
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(`./loader-thread.${extension}`, import.meta.url), {
      workerData: request,
      name: 'config-loader',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    });
    worker.once('message', (answer: ThreadLoad) => resolve(answer));
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the thread that loads the config ended with ${code}`)));
  });
}
