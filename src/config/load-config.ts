/**
 * The whole way from a config file to a snapshot: text, tree, schema,
 * cross-checks, compile. Everything that is wrong is found in one go.
 */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { systemClock } from '../base/clock.ts';
import type { BindSpec, Snapshot } from '../shared/snapshot.ts';
import { checkSchema } from './check-schema.ts';
import { compile } from './compile.ts';
import { crossCheck } from './cross-checks.ts';
import { effectiveConfig, printEffective } from './effective.ts';
import { refuseLiteralSecrets } from './literal-secrets.ts';
import { loadYaml } from './load-yaml.ts';
import { withModuleCode } from './module-code.ts';
import type { Problem } from './problems.ts';
import { parseBind } from './schema/addresses.ts';
import { config, type Config } from './schema/config.ts';
import { Fault } from './schema/notes.ts';
import { STORE_FORM, storeUrlFault } from './schema/store-url.ts';
import { processSubstitutions } from './substitute.ts';

/** Plain data: it travels to the thread that loads. */
export interface LoadOptions {
  /** Becomes the snapshot's number. Default 1. */
  readonly number?: number;
  /** What `${}` sees. Default: this process's environment. */
  readonly environment?: NodeJS.ProcessEnv;
  /** `HOST:PORT` of the flag --admin, in place of `admin.bind`. */
  readonly adminBind?: string;
  /** URL of the flag --store, in place of `tier.store`. */
  readonly store?: string;
  /** Folder that modules may load from. Default: the file's; with a store, none. null: none may. */
  readonly pluginsDir?: string | null;
  /** It is to be shared with a tier: no secret may stand in it as it is. Default false. */
  readonly published?: boolean;
  /** How many files this process may have open; see descriptorsMax(). Default: not checked. */
  readonly descriptorsMax?: number | null;
  /** By which secrets stand in the effective hash: nobody who is shown that may know it. Default: they do not stand in it. */
  readonly hashKey?: string;
  /** Whether logs go to a terminal; then they are text by default. Default false. */
  readonly stdoutIsTerminal?: boolean;
  /** Wall time that certificates are held to. Default: now. */
  readonly nowMs?: number;
}

export interface LoadedConfig {
  /** null if a problem is an error. */
  readonly snapshot: Snapshot | null;
  /** In the order of the file. */
  readonly problems: readonly Problem[];
  /** sha256 (hex) of the file's bytes; null if it could not be read. */
  readonly sha: string | null;
  /** sha256 (hex) after `${}` and `file:` were resolved, with the code of modules; null if the file could not be read. */
  readonly effectiveSha: string | null;
  /** File name to text, for code frames. */
  readonly sources: ReadonlyMap<string, string>;
  /** Absolute paths of the files that hold secrets, readable or not: a change in one is a reason to reload. */
  readonly secretFiles: readonly string[];
  /** The config as YAML with every default shown and secrets hidden; null beside errors. Made when asked for. */
  effective(): string | null;
  /** The same as plain values. */
  effectiveValues(): Readonly<Record<string, unknown>> | null;
}

/** Reads and loads; a file that cannot be read is a problem like any other. Never rejects for what a file holds. */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    return unreadable(file, error as NodeJS.ErrnoException);
  }
  return loadConfigText(bytes, file, options);
}

/** The same for a text that is at hand; `file` is its name, and paths in it start at that file's folder. */
export function loadConfigText(bytes: string | Uint8Array, file: string, options: LoadOptions = {}): LoadedConfig {
  const folder = dirname(resolve(file));
  const loaded = loadYaml(bytes, file, processSubstitutions(file, options.environment), options.hashKey ?? null);
  const { tree, problems, sha, effectiveSha, secretFiles } = loaded;
  const adminBind = options.adminBind === undefined ? null : parseBind(options.adminBind);
  const storeFault = options.store === undefined ? null : storeUrlFault(options.store);
  let snapshot: Snapshot | null = null;
  if (storeFault !== null) problems.error(0, `--store ${storeFault.message}`, { expected: storeFault.expected ?? STORE_FORM });
  if (adminBind instanceof Fault) problems.error(0, `--admin \`${options.adminBind}\` ${adminBind.message}`, adminBind);
  if (tree !== null) {
    if (options.published === true) refuseLiteralSecrets(tree, problems);
    const value = checkSchema(config, tree, problems);
    const bind: BindSpec | null = adminBind instanceof Fault ? null : adminBind;
    crossCheck(value, tree, problems, {
      folder,
      pluginsDir: options.pluginsDir === undefined ? folder : options.pluginsDir,
      pluginsGiven: options.pluginsDir !== undefined,
      descriptorsMax: options.descriptorsMax ?? null,
      adminBind: bind,
      store: options.store ?? null,
      nowMs: options.nowMs ?? systemClock.wallMs(),
    });
    if (!problems.hasErrors) {
      // Without errors nothing was left out, so the value is what the schema promises.
      const written = { number: options.number ?? 1, sha, effectiveSha, tree, folder, adminBind: bind, store: options.store ?? null, stdoutIsTerminal: options.stdoutIsTerminal ?? false };
      snapshot = withModuleCode(compile(value as Config, written));
    }
  }
  return {
    snapshot,
    problems: problems.sorted(),
    sha,
    effectiveSha: snapshot?.effectiveSha ?? effectiveSha,
    sources: new Map([[file, loaded.text]]),
    secretFiles,
    effective: () => (snapshot === null || tree === null ? null : printEffective(tree, snapshot)),
    effectiveValues: () => (snapshot === null || tree === null ? null : effectiveConfig(tree, snapshot)),
  };
}

function unreadable(file: string, error: NodeJS.ErrnoException): LoadedConfig {
  const reasons: Readonly<Record<string, string>> = { ENOENT: 'there is no such file', EACCES: 'this user may not read it', EISDIR: 'it is a folder' };
  const message = `cannot read ${file}: ${reasons[error.code ?? ''] ?? error.message}`;
  const problem: Problem = { file, line: 1, column: 1, severity: 'error', message };
  return { snapshot: null, problems: [problem], sha: null, effectiveSha: null, sources: new Map(), secretFiles: [], effective: () => null, effectiveValues: () => null };
}
