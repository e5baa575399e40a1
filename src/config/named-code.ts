/**
 * Code that a config names: modules that balance, programs that probe. Who can
 * write the store must not be able to run what they like, so it lies below the
 * folder of `--plugins`. Called by cross-checks.ts; whoever runs the code
 * resolves and compares once more.
 */
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, relative, resolve } from 'node:path';
import type { ProblemHints } from './problems.ts';

export interface CodePlace {
  /** Of the config file: relative paths start there. */
  readonly folder: string;
  /** null: code may load from nowhere. */
  readonly pluginsDir: string | null;
  readonly hasStore: boolean;
}

export interface CodeFault {
  readonly message: string;
  readonly hints: ProblemHints;
}

/** null: nothing is wrong with it. */
export function moduleFault(path: string, { folder, pluginsDir, hasStore }: CodePlace): CodeFault | null {
  const file = resolve(folder, path);
  if (pluginsDir === null || !isBelow(resolve(pluginsDir), file)) return outside(hasStore);
  return existsSync(file) ? null : { message: 'names no file', hints: { expected: "a path that starts at the config's folder" } };
}

export function programFault(path: string, place: CodePlace): CodeFault | null {
  const fault = moduleFault(path, place);
  if (fault !== null) return fault;
  const file = realpathSync(resolve(place.folder, path));
  if (!isBelow(realpathSync(place.pluginsDir!), file)) return { ...outside(place.hasStore), message: 'leads outside the folder that code may load from' };
  return isExecutable(file) ? null : { message: 'is not executable', hints: { expected: 'a program, or a script with #! and the permission to be executed' } };
}

function outside(hasStore: boolean): CodeFault {
  const expected = hasStore ? 'a file below the folder of --plugins, which must be given when there is a store' : "a file below the folder of --plugins, else below the config's own";
  return { message: 'lies outside the folder that code may load from', hints: { expected } };
}

function isBelow(folder: string, file: string): boolean {
  const path = relative(folder, file);
  return path !== '' && path !== '..' && !path.startsWith('../') && !isAbsolute(path);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
