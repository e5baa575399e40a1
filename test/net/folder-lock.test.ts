/** One holder at a time, whatever the former left behind. Holders are real processes where their death matters. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockFolder, type FolderLock } from '../../src/net/folder-lock.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-lock-'));
});
afterEach(() => rm(folder, { recursive: true }));

const holder = fileURLToPath(new URL('../support/lock-holder.ts', import.meta.url));

function held(lock: FolderLock): Extract<FolderLock, { kind: 'held' }> {
  if (lock.kind !== 'held') throw new Error('not held');
  return lock;
}

test('a second taker is told the pid of the first, and gets it once that let go', async () => {
  const first = held(await lockFolder(folder));
  const child = fork(holder, [folder]);
  const [said] = (await once(child, 'message')) as [FolderLock];
  expect(said).toEqual({ kind: 'taken', pid: process.pid });
  await first.release();
  await held(await lockFolder(folder)).release();
});

test('what a killed holder left does not lock', async () => {
  const child = fork(holder, [folder]);
  const [said] = (await once(child, 'message')) as [FolderLock];
  expect(said.kind).toBe('held');
  expect(await lockFolder(folder)).toEqual({ kind: 'taken', pid: child.pid });
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await readdir(folder)).toContain('lock');
  await held(await lockFolder(folder)).release();
});

test('a stopped holder still holds', async () => {
  const child = fork(holder, [folder]);
  await once(child, 'message');
  child.kill('SIGSTOP');
  expect(await lockFolder(folder)).toMatchObject({ kind: 'taken', pid: child.pid });
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('of several that find a dead lock at once, one gets it', async () => {
  const dead = fork(holder, [folder]);
  await once(dead, 'message');
  dead.kill('SIGKILL');
  await once(dead, 'exit');
  const children = Array.from({ length: 4 }, () => fork(holder, [folder]));
  const said = await Promise.all(children.map(async (child) => ((await once(child, 'message')) as [FolderLock])[0].kind));
  for (const child of children) child.kill('SIGKILL');
  expect(said.toSorted()).toEqual(['held', 'taken', 'taken', 'taken']);
});

test('a path longer than a socket address holds', async () => {
  const { mkdir } = await import('node:fs/promises');
  const deep = join(folder, 'a'.repeat(100), 'b'.repeat(100));
  await mkdir(deep, { recursive: true });
  const lock = held(await lockFolder(deep));
  expect((await lockFolder(deep)).kind).toBe('taken');
  await lock.release();
});
