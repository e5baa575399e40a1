import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sha256 } from '../../../src/control-plane/rollout/fetch-version.ts';
import { COMMITTED_FILE, MEMBER_FILE, StateFilesDisk } from '../../../src/control-plane/rollout/last-known-good.ts';
import { StateFile } from '../../../src/control-plane/state-file.ts';

let folder: string;
let said: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-kept-'));
  said = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const log = { warn: (text: string) => void said.push(text), error: (text: string) => void said.push(text) };
const open = (): StateFilesDisk => new StateFilesDisk(new StateFile(join(folder, COMMITTED_FILE)), new StateFile(join(folder, MEMBER_FILE)), log);
const bytes = Buffer.from('pools: {}\n# ümläut \0\n');
const committed = { history: 'h', number: 7, sha: sha256(bytes), version: '{}', bytes };

it('gives back what was written, byte for byte, for its owner alone', async () => {
  const disk = open();
  expect(await disk.read()).toEqual({ committed: null, parent: null, identity: null });
  await disk.writeCommitted(committed);
  await disk.writeIdentity({ id: 'a', incarnation: 'i' });
  await disk.writeParent({ number: 7, sha: committed.sha });
  const kept = await open().read();
  expect(Buffer.from(kept.committed!.bytes).equals(bytes)).toBe(true);
  expect(kept).toMatchObject({ committed: { history: 'h', number: 7, sha: committed.sha }, parent: { number: 7, sha: committed.sha }, identity: { id: 'a', incarnation: 'i' } });
  expect((await stat(join(folder, COMMITTED_FILE))).mode & 0o777).toBe(0o600);
  expect(said).toEqual([]);
});

it('takes what is damaged as absent, and says so; the rest is still read', async () => {
  const disk = open();
  await disk.writeCommitted(committed);
  await disk.writeIdentity({ id: 'a', incarnation: 'i' });
  const path = join(folder, COMMITTED_FILE);
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace(/"bytes": "..../, '"bytes": "AAAA'));
  expect(await open().read()).toMatchObject({ committed: null, identity: { id: 'a' } });
  expect(said).toHaveLength(1);
  await writeFile(path, text.slice(0, 30));
  expect((await open().read()).committed).toBeNull();
  expect(said).toHaveLength(2);
});

it('forgets what is to be forgotten, in silence', async () => {
  await open().writeCommitted(committed);
  await open().writeCommitted(null);
  expect((await open().read()).committed).toBeNull();
  expect(said).toEqual([]);
});

it('says it when nothing can be written, and goes on', async () => {
  await writeFile(join(folder, 'file'), '');
  const disk = new StateFilesDisk(new StateFile(join(folder, 'file', 'a.json')), new StateFile(join(folder, 'file', 'b.json')), log);
  await disk.writeCommitted(committed);
  expect(said).toEqual(['could not be written: it ends with this process']);
});
