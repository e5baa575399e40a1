/** An operator's word on a whole member, said at another one: followed there, over restarts and lost stores, until it is taken back. */
import { expect, test } from 'vitest';
import type { TierAnswer } from '../../../src/control-plane/admin/answers.ts';
import { tierConfig, TierProcesses } from '../../support/tier-processes.ts';
import { until, type WeirProcess } from '../../support/weir-process.ts';

const tierOf = async (proxy: WeirProcess): Promise<TierAnswer> => JSON.parse((await proxy.admin('/api/v1/tier')).body) as TierAnswer;
const stateIn = async (proxy: WeirProcess, id: string): Promise<string | undefined> => (await tierOf(proxy)).members.find((member) => member.id === id)?.state;
const connectionOf = async (proxy: WeirProcess): Promise<string | undefined> => (await proxy.get('/')).headers.connection;

async function spawnDrained(tier: TierProcesses, yaml: string): Promise<WeirProcess> {
  const proxy = await tier.spawn('b', yaml);
  await Promise.all([proxy.line(({ text }) => text === 'draining'), proxy.line(({ text }) => text === 'admin interface'), proxy.line(({ text }) => text === 'listening')]);
  return proxy;
}

test('a member drained at another one leaves rotation, stays drained over its restart and an emptied Redis, and comes back by undrain', { timeout: 120_000 }, async () => {
  await using tier = await TierProcesses.start();
  const yaml = tierConfig(tier.redis.port, 'one');
  const [a, b] = (await tier.up(['a', 'b'], yaml)) as [WeirProcess, WeirProcess];
  await until(async () => (await stateIn(a, 'b')) === 'ready');

  expect(await tier.command(a, 'drain', 'b', '--reason', 'kernel update')).toEqual({ code: 0, out: 'b is draining\n', said: '' });
  expect((await b.admin('/readyz')).status).toBe(503);
  expect((await b.get('/')).body).toBe('one');
  expect((await a.admin('/readyz')).status).toBe(200);
  expect(b.log.find(({ text }) => text === 'draining')).toMatchObject({ reason: 'asked at a: kernel update' });
  expect((await tier.command(b, 'members')).out).toMatch(/\nb +draining .*drained at a \(kernel update\)/);

  b.signal('SIGTERM');
  await b.exited;
  const again = await spawnDrained(tier, yaml);
  await until(async () => (await stateIn(a, 'b')) === 'draining');
  expect((await again.admin('/readyz')).status).toBe(503);

  const { port } = tier.redis;
  await tier.redis.stop();
  await until(async () => (await tierOf(a)).controlPlane === 'autonomous');
  await tier.restartRedis(port);
  await until(async () => (await tierOf(a)).controlPlane === 'connected' && (await stateIn(a, 'b')) === 'draining');
  again.signal('SIGTERM');
  await again.exited;
  const third = await spawnDrained(tier, yaml);
  await until(async () => (await stateIn(a, 'b')) === 'draining' && (await tierOf(a)).controlPlane === 'connected');
  expect(await tier.command(a, 'undrain', 'b')).toEqual({ code: 0, out: 'b is ready\n', said: '' });
  expect((await third.admin('/readyz')).status).toBe(200);
  third.signal('SIGTERM');
  await third.exited;
  const last = await tier.spawn('b', yaml);
  await last.line(({ text }) => text === 'ready');
  expect(last.log.some(({ text }) => text === 'draining')).toBe(false);
});

test('undrain asked of the member itself takes the word back for good', { timeout: 120_000 }, async () => {
  await using tier = await TierProcesses.start();
  const [a, b] = (await tier.up(['a', 'b'], tierConfig(tier.redis.port, 'one'))) as [WeirProcess, WeirProcess];
  await until(async () => (await stateIn(a, 'b')) === 'ready');
  await tier.command(a, 'drain', 'b');
  expect(await connectionOf(b)).toBe('close');
  expect(await tier.command(b, 'undrain')).toMatchObject({ code: 0, out: 'this proxy is ready\n' });
  await until(async () => (await tierOf(a)).members.find(({ id }) => id === 'b')?.drain === null);
  expect(await tier.command(a, 'drain', 'nobody')).toMatchObject({ code: 1, said: expect.stringContaining('no member "nobody"') });
});
