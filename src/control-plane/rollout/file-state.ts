/**
 * What a file is at this moment, as text to compare: its content may have
 * changed if and only if the text has. Follows symbolic links, so that a link
 * that is turned elsewhere is a change, as Kubernetes does it with `..data`.
 */
import { readlink, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';

/** null: there is no such file, or it cannot be seen. */
export async function fileState(path: string): Promise<string | null> {
  try {
    const [target, { dev, ino, size, mtimeNs }] = await Promise.all([realpath(path), stat(path, { bigint: true })]);
    return `${target} ${dev} ${ino} ${size} ${mtimeNs}`;
  } catch {
    return null;
  }
}

const LINKS_MAX = 40;

/** Folders in which a change can make `path` another file: its own, and that of every link on the way to the target. */
export async function foldersOf(path: string): Promise<readonly string[]> {
  const folders = new Set<string>();
  let at = resolve(path);
  for (let links = 0; links < LINKS_MAX; links++) {
    folders.add(dirname(at));
    const target = await readlink(at).catch(() => null);
    if (target === null) break;
    at = isAbsolute(target) ? target : join(dirname(at), target);
  }
  const real = await realpath(path).catch(() => null);
  if (real !== null) folders.add(dirname(real));
  return [...folders];
}
