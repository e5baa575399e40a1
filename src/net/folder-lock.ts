/**
 * One process at a time may hold a folder. The lock is a listening socket in
 * it: it dies with its process however that ends, works across network
 * namespaces that share the folder, and what a dead holder leaves is told from
 * a live one by connecting to it. Local file systems only.
 *
 * The socket is made under a name of its own and then linked to the lock's
 * name, which fails if that exists: making and taking are one step.
 */
import { link, lstat, open, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';

export type FolderLock =
  | { readonly kind: 'held'; release(): Promise<void> }
  /** `pid` null: the holder has not written it yet. */
  | { readonly kind: 'taken'; readonly pid: number | null };

const LOCK = 'lock';
const PID = 'pid';
const TRIES = 5;

/** The folder exists and is writable. Rejects with the system's error if a socket cannot be made there. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  // A socket's path holds 107 bytes; through the open folder's own entry any folder will do.
  const handle = process.platform === 'linux' ? await open(folder) : null;
  const short = (name: string): string => (handle === null ? join(folder, name) : `/proc/self/fd/${handle.fd}/${name}`);
  const own = `lock-${process.pid}`;
  let socket: Server | null = null;
  try {
    await unlink(join(folder, own)).catch(ignoreMissing);
    socket = await listen(short(own));
    if (!(await take(folder, own, short))) {
      await close(socket);
      return { kind: 'taken', pid: await readPid(folder) };
    }
    const { ino } = await lstat(join(folder, LOCK));
    await writeFile(join(folder, PID), `${process.pid}\n`, { mode: 0o600 });
    return { kind: 'held', release: () => release(folder, ino, socket!) };
  } finally {
    await unlink(join(folder, own)).catch(ignoreMissing);
    await handle?.close();
  }
}

/** Links our socket to the lock's name; false if a living process has it. */
async function take(folder: string, own: string, short: (name: string) => string): Promise<boolean> {
  for (let tries = 0; tries < TRIES; tries++) {
    try {
      await link(join(folder, own), join(folder, LOCK));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const before = await inodeOf(join(folder, LOCK));
    if (before === null) continue;
    if (await answers(short(LOCK))) return false;
    await clearAway(folder, before);
  }
  return false;
}

/**
 * Takes a dead holder's socket out of the way. Another starter may have done
 * so and locked meanwhile: what was moved is looked at, and put back if it is
 * not what had been found dead.
 */
async function clearAway(folder: string, dead: number): Promise<void> {
  const aside = join(folder, `dead-${process.pid}`);
  await rename(join(folder, LOCK), aside).catch(ignoreMissing);
  const moved = await inodeOf(aside);
  if (moved !== null && moved !== dead) await link(aside, join(folder, LOCK)).catch(() => undefined);
  await unlink(aside).catch(ignoreMissing);
}

/** Whether somebody listens; a holder that is stopped or busy counts as living. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'));
  });
}

async function release(folder: string, ino: number, socket: Server): Promise<void> {
  if ((await inodeOf(join(folder, LOCK))) === ino) await unlink(join(folder, LOCK)).catch(ignoreMissing);
  await close(socket);
}

function listen(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

async function inodeOf(path: string): Promise<number | null> {
  return (await lstat(path).catch(() => null))?.ino ?? null;
}

async function readPid(folder: string): Promise<number | null> {
  const pid = Number.parseInt(await readFile(join(folder, PID), 'utf8').catch(() => ''), 10);
  return Number.isNaN(pid) ? null : pid;
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
