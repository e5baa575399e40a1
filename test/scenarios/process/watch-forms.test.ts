/** The config is taken up however it is changed: in place, in pieces, by rename (elsewhere), by a turned link. */
import { mkdir, mkdtemp, open, rename, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { respondingConfig, WeirProcess } from '../../support/weir-process.ts';

// Whole processes start and stop here, and share the machine's cores with other tests.
vi.setConfig({ testTimeout: 90_000 });

test('written in place, in pieces that are no config by themselves', async () => {
  await using weir = await WeirProcess.start(respondingConfig('before'));
  const text = respondingConfig('after');
  const line = await weir.reloadBy(async () => {
    const file = await open(weir.file, 'w');
    for (let at = 0; at < text.length; at += 16) await file.write(text.slice(at, at + 16));
    await file.close();
  });
  expect(line).toMatchObject({ text: 'config runs' });
  expect((await weir.get('/')).body).toBe('after');
});

test('a turned link, as Kubernetes mounts a ConfigMap', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-'));
  const file = join(folder, 'weir.yaml');
  for (const version of ['1', '2']) {
    await mkdir(join(folder, `..${version}`));
    await writeFile(join(folder, `..${version}`, 'weir.yaml'), respondingConfig(version));
  }
  await symlink('..1', join(folder, '..data'));
  await symlink(join('..data', 'weir.yaml'), file);
  await using weir = await WeirProcess.start('', { folder, file });
  expect((await weir.get('/')).body).toBe('1');
  await weir.reloadBy(async () => {
    await symlink('..2', join(folder, '..next'));
    await rename(join(folder, '..next'), join(folder, '..data'));
  });
  expect((await weir.get('/')).body).toBe('2');
});
