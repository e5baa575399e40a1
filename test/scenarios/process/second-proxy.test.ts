/** Two proxies on one machine share neither a port nor a state directory, and the second is told why. */
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { bindExclusively } from '../../../src/net/exclusive-bind.ts';
import { respondingConfig, WeirProcess } from '../../support/weir-process.ts';

// Whole processes start and stop here, and share the machine's cores with other tests.
vi.setConfig({ testTimeout: 90_000 });

const on = (port: number): string => respondingConfig('second').replace('127.0.0.1:0', `127.0.0.1:${port}`);

test('a port that another proxy listens on is refused, though both would share it', async () => {
  await using first = await WeirProcess.start(respondingConfig('first'));
  await using second = await WeirProcess.spawn(on(first.port()));
  expect(await second.exited).toEqual({ code: 1, signal: null });
  expect(second.said).toContain(`listener web: 127.0.0.1:${first.port()} is in use by another process`);
  expect((await first.get('/')).body).toBe('first');
});

test('of two started together, as at boot, at most one comes up, and who does not says why', async () => {
  const free = await bindExclusively('127.0.0.1', 0);
  if (free.kind !== 'held') throw new Error(free.text);
  await free.release();
  const proxies = await Promise.all([WeirProcess.spawn(on(free.port)), WeirProcess.spawn(on(free.port))]);
  const ends = await Promise.all(proxies.map((each) => each.line(({ text }) => text === 'ready').then(() => 'up', () => each.said)));
  await Promise.all(proxies.map((each) => each.stop()));
  const refused = ends.filter((end) => end !== 'up');
  expect(refused.length).toBeGreaterThanOrEqual(1);
  for (const said of refused) expect(said).toContain(`listener web: 127.0.0.1:${free.port}`);
});

test('a state directory is held by one proxy, whose pid the second is told; it is free once that is killed', async () => {
  await using first = await WeirProcess.start(respondingConfig('first'));
  const stateDir = join(first.folder, 'state');
  await using second = await WeirProcess.spawn(respondingConfig('second'), { args: ['--state-dir', stateDir] });
  expect(await second.exited).toEqual({ code: 1, signal: null });
  expect(second.said).toContain(`held by another proxy (pid ${first.pid})`);
  first.signal('SIGKILL');
  await first.exited;
  await using third = await WeirProcess.start(respondingConfig('third'), { args: ['--state-dir', stateDir] });
  expect((await third.get('/')).body).toBe('third');
});
