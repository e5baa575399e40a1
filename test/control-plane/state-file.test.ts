import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { StateFile } from '../../src/control-plane/state-file.ts';

let folder: string;
let file: StateFile;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-state-'));
  file = new StateFile(join(folder, 'state', 'x.json'));
});
afterEach(() => rm(folder, { recursive: true }));

it('is absent before it is written', async () => {
  expect(await file.read()).toEqual({ kind: 'absent' });
});

it('gives back what was written, to its owner alone, and leaves nothing beside it', async () => {
  await file.write({ a: [1] });
  expect(await file.read()).toEqual({ kind: 'read', value: { a: [1] } });
  expect((await stat(file.path)).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder, 'state'))).mode & 0o777).toBe(0o700);
  expect(await readdir(join(folder, 'state'))).toEqual(['x.json']);
});

it('ends with the last of many writes, whose promises all resolve', async () => {
  await Promise.all(Array.from({ length: 50 }, (_, i) => file.write({ i })));
  expect(JSON.parse(await readFile(file.path, 'utf8'))).toEqual({ i: 49 });
});

it('is unreadable, not a crash, when it is no JSON', async () => {
  await file.write(1);
  await writeFile(file.path, '{"a":');
  expect(await file.read()).toMatchObject({ kind: 'unreadable' });
});

it('says when it could not be written, and can be written later', async () => {
  await writeFile(join(folder, 'state'), 'in the way');
  await expect(file.write(1)).rejects.toThrow();
  await rm(join(folder, 'state'));
  await file.write(2);
  expect(await file.read()).toEqual({ kind: 'read', value: 2 });
});
