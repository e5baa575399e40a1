/** HUP reads the config again, the only thing that does with --no-watch, and opens log files anew for logrotate. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { respondingConfig, until, WeirProcess } from '../../support/weir-process.ts';

// Whole processes start and stop here, and share the machine's cores with other tests.
vi.setConfig({ testTimeout: 90_000 });

test('with --no-watch an edit waits for HUP', async () => {
  await using weir = await WeirProcess.start(respondingConfig('before'), { args: ['--no-watch'] });
  await writeFile(weir.file, respondingConfig('after'));
  expect((await weir.get('/')).body).toBe('before');
  expect(await weir.reloadBy(() => weir.signal('SIGHUP'))).toMatchObject({ text: 'config runs', version: 2 });
  expect((await weir.get('/')).body).toBe('after');
});

test('HUP opens the access log anew', async () => {
  await using weir = await WeirProcess.start(respondingConfig('x', 'log: { access: { format: common, to: access.log } }'));
  const path = join(weir.folder, 'access.log');
  await weir.get('/first');
  await rename(path, `${path}.1`);
  expect(await weir.reloadBy(() => weir.signal('SIGHUP'))).toMatchObject({ text: 'config is unchanged' });
  await weir.get('/second');
  await until(async () => (await readFile(`${path}.1`, 'utf8')).includes('/first') && (await readFile(path, 'utf8').catch(() => '')).includes('/second'));
  expect(await readFile(`${path}.1`, 'utf8')).not.toContain('/second');
});
