/**
 * The folder in which one proxy keeps what outlives it: made 0700, held by one
 * process. Errors are `StartError`s, told to the operator as they are.
 */
import { chmod, mkdir, readdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { lockFolder } from '../../net/folder-lock.ts';
import { StartError } from './start-error.ts';

export interface StateDir {
  readonly path: string;
  /** Gives the folder free; what is in it stays. */
  release(): Promise<void>;
}

/** `--state-dir`, else systemd's $STATE_DIRECTORY (the first, if it is a list), else one in the home folder by node. */
export function stateDirPath(flag: string | undefined, environment: NodeJS.ProcessEnv, node: string): string {
  const system = environment['STATE_DIRECTORY']?.split(':')[0];
  return resolve(flag ?? (system || join(homedir(), '.local/state/weir', node)));
}

export async function openStateDir(path: string): Promise<StateDir> {
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((error: Error) => {
    throw new StartError(`state directory ${path}: ${error.message}; --state-dir names another`);
  });
  await keepPrivate(path);
  const lock = await lockFolder(path).catch((error: Error) => {
    throw new StartError(`state directory ${path}: ${error.message}; --state-dir names another`);
  });
  if (lock.kind === 'taken') {
    const holder = lock.pid === null ? 'another proxy' : `another proxy (pid ${lock.pid})`;
    throw new StartError(`state directory ${path} is held by ${holder}; proxies on one machine differ in --node, --admin and --state-dir`);
  }
  return { path, release: () => lock.release() };
}

/** Closes a folder that is new or ours already; one that others use for something else is not ours to close. */
async function keepPrivate(path: string): Promise<void> {
  const { mode, uid } = await stat(path);
  if ((mode & 0o077) === 0) return;
  const entries = await readdir(path);
  const ours = entries.length === 0 || entries.includes('pid');
  if (!ours || uid !== process.getuid?.()) {
    throw new StartError(`state directory ${path} is open to other users (mode ${(mode & 0o777).toString(8)}): chmod 700 it, or name another with --state-dir`);
  }
  await chmod(path, 0o700);
}
