import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStateDir, stateDirPath } from '../../../src/cli/run/state-dir.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-state-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('the flag, else the first of systemd, else the home folder by node', () => {
  expect(stateDirPath('/x/y', { STATE_DIRECTORY: '/var/lib/weir' }, 'n')).toBe('/x/y');
  expect(stateDirPath(undefined, { STATE_DIRECTORY: '/var/lib/weir:/var/lib/other' }, 'n')).toBe('/var/lib/weir');
  expect(stateDirPath(undefined, { STATE_DIRECTORY: '' }, 'n')).toBe(join(homedir(), '.local/state/weir/n'));
  expect(stateDirPath(undefined, {}, 'n')).toBe(join(homedir(), '.local/state/weir/n'));
});

test('it is made with its parents, for its owner alone', async () => {
  const path = join(folder, 'a', 'b');
  const dir = await openStateDir(path);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  await dir.release();
});

test('an empty one that is open to others is closed; one in other use is left alone and refused', async () => {
  await chmod(folder, 0o755);
  const dir = await openStateDir(folder);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  await dir.release();
  const used = join(folder, 'used');
  await mkdir(used);
  await chmod(used, 0o755);
  await writeFile(join(used, 'somebody-elses'), '');
  await expect(openStateDir(used)).rejects.toThrow('open to other users (mode 755): chmod 700 it');
  expect((await stat(used)).mode & 0o777).toBe(0o755);
});

test('what cannot be made names the flag that helps', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(openStateDir(join(folder, 'file', 'dir'))).rejects.toThrow('--state-dir names another');
});
