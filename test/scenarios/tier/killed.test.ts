/** Killed under load: a proxy, Redis, both. Clients of the other proxies get every answer. */
import { expect, test } from 'vitest';
import { isConnected, LoadedTier, untilTier } from '../../support/loaded-tier.ts';
import type { WeirProcess } from '../../support/weir-process.ts';

const REQUESTS = 150;
const idsOf = ({ members }: { readonly members: readonly { readonly id: string }[] }): string => members.map(({ id }) => id).join();

test('a killed proxy takes its own connections with it, and is gone from every view', { timeout: 240_000 }, async () => {
  await using loaded = await LoadedTier.start({ nodes: ['a', 'b', 'c'] });
  const [a, b, c] = loaded.proxies as [WeirProcess, WeirProcess, WeirProcess];
  await loaded.load.phase('killed');
  c.signal('SIGKILL');
  await untilTier([a, b], (view) => idsOf(view) === 'a,b');
  await loaded.load.requests(REQUESTS);
  expect(await loaded.lost('killed', ['a', 'b'])).toEqual([]);
  // With as many proxies as probers each of those left still probes: nothing is taken out for want of one.
  await untilTier([a, b], ({ verdicts }) => verdicts.length === 0);
});

test('a killed Redis is noticed by operators alone; back, it is connected to again', { timeout: 240_000 }, async () => {
  await using loaded = await LoadedTier.start({ nodes: ['a', 'b'] });
  const { load, proxies, tier } = loaded;
  await load.phase('killed');
  const { port } = tier.redis;
  await tier.redis.stop();
  await untilTier(proxies, ({ controlPlane, reason }) => controlPlane === 'autonomous' && reason === 'refused');
  for (const proxy of proxies) expect((await proxy.admin('/metrics')).body).toMatch(/^weir_tier_autonomous 1$/m);
  await load.requests(REQUESTS);
  await tier.restartRedis(port);
  await untilTier(proxies, (view) => isConnected(view) && idsOf(view) === 'a,b');
  await load.requests(REQUESTS);
  expect(await loaded.lost('killed', ['a', 'b'])).toEqual([]);
});

test('a proxy and Redis killed at once: the others go on by themselves', { timeout: 240_000 }, async () => {
  await using loaded = await LoadedTier.start({ nodes: ['a', 'b', 'c'] });
  const [a, b, c] = loaded.proxies as [WeirProcess, WeirProcess, WeirProcess];
  await loaded.load.phase('killed');
  c.signal('SIGKILL');
  const { port } = loaded.tier.redis;
  await loaded.tier.redis.stop();
  await untilTier([a, b], ({ controlPlane, reason }) => controlPlane === 'autonomous' && reason === 'refused');
  await loaded.load.requests(REQUESTS);
  await loaded.tier.restartRedis(port);
  await untilTier([a, b], (view) => isConnected(view) && idsOf(view) === 'a,b');
  await loaded.load.requests(REQUESTS);
  expect(await loaded.lost('killed', ['a', 'b'])).toEqual([]);
});
