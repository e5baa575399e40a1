/** Members that are not as the others: twice the same id, paused, with a wrong clock, of another release; and keys that others wrote. */
import { expect, test } from 'vitest';
import { tierKeys } from '../../../src/control-plane/store/redis/scripts.ts';
import { isConnected, LoadedTier, TIER, tierOf, untilTier } from '../../support/loaded-tier.ts';
import { until, type WeirProcess } from '../../support/weir-process.ts';

const REQUESTS = 100;
const HOUR_MS = 3_600_000;

const states = async (proxy: WeirProcess, address: string): Promise<string | undefined> => {
  const { items } = JSON.parse((await proxy.admin('/api/v1/backends')).body) as { items: { address: string; state: string }[] };
  return items.find((item) => item.address === address)?.state;
};

test('of two proxies with one id the second serves by itself and says so, until the first has gone', { timeout: 240_000 }, async () => {
  await using loaded = await LoadedTier.start({ nodes: ['a', 'b'] });
  const [a, b] = loaded.proxies as [WeirProcess, WeirProcess];
  await loaded.load.phase('twice');
  const again = await loaded.tier.spawn('b', loaded.yaml, { args: ['--state-dir', `${loaded.tier.folder}/other`] });
  await again.line(({ text }) => text === 'ready');
  expect(await tierOf(again)).toMatchObject({ controlPlane: 'autonomous', reason: 'the id b is in use by another proxy' });
  expect((await again.get('/')).status).toBe(200);
  await untilTier([a, b], (view) => isConnected(view) && view.members.length === 2);
  await loaded.load.requests(REQUESTS);
  expect(await loaded.lost('twice', ['a', 'b'])).toEqual([]);
  b.signal('SIGKILL');
  await untilTier([a, again], (view) => isConnected(view) && view.members.length === 2);
});

test('a paused proxy is out of the others’ view, and joins anew', { timeout: 240_000 }, async () => {
  await using loaded = await LoadedTier.start({ nodes: ['a', 'b'] });
  const [a, b] = loaded.proxies as [WeirProcess, WeirProcess];
  await loaded.load.phase('paused');
  const from = b.log.length;
  b.signal('SIGSTOP');
  await untilTier([a], ({ members }) => members.length === 1);
  b.signal('SIGCONT');
  expect(await b.line(({ text }) => text.startsWith('handing over'), from)).toMatchObject({ reason: 'joined anew' });
  await untilTier([a, b], (view) => isConnected(view) && view.members.length === 2 && view.members.every(({ state }) => state === 'ready'));
  await loaded.load.requests(REQUESTS);
  expect(await loaded.lost('paused', ['a', 'b'])).toEqual([]);
  // What it saw across the pause counts for nothing.
  expect(b.log.slice(from).filter(({ text }) => text === 'backend down')).toEqual([]);
});

test('a proxy whose clock is an hour ahead is a member like any other, and its word is taken back like any other', { timeout: 240_000 }, async () => {
  await using loaded = await LoadedTier.start({ nodes: ['a', 'b'] });
  const [a, b] = loaded.proxies as [WeirProcess, WeirProcess];
  const ahead = await loaded.tier.spawn('ahead', loaded.yaml, { env: { WEIR_TEST_HOOKS: '1', WEIR_TEST_WALL_AHEAD_MS: String(HOUR_MS) } });
  await ahead.line(({ text }) => text === 'ready');
  const all = [a, b, ahead];
  await untilTier(all, (view) => isConnected(view) && view.members.length === 3 && view.members.every(({ state }) => state === 'ready'));
  const { address } = loaded.backends[1]!;
  const everywhere = (state: string): Promise<void> => until(async () => (await Promise.all(all.map((proxy) => states(proxy, address)))).every((each) => each === state));
  expect(await loaded.tier.command(ahead, 'drain', `web/${address}`)).toMatchObject({ code: 0 });
  await everywhere('drain');
  expect(await loaded.tier.command(a, 'undrain', `web/${address}`)).toMatchObject({ code: 0 });
  await everywhere('ready');
  // A backend that is gone is seen by all, whoever probed it.
  await loaded.backends[1]!.kill();
  await untilTier(all, ({ verdicts }) => verdicts.some((verdict) => verdict.address === address && verdict.verdict === 'down'));
  await untilTier(all, (view) => isConnected(view) && view.members.length === 3);
});

test('garbage in every key: dropped, told, and the tier is whole again', { timeout: 240_000 }, async () => {
  await using loaded = await LoadedTier.start({ nodes: ['a', 'b'] });
  const { proxies, tier, load } = loaded;
  await load.phase('garbage');
  const from = proxies.map(({ log }) => log.length);
  const writes = tier.redis.client().multi();
  for (const key of tierKeys(TIER)) writes.set(key, 'garbage');
  await writes.exec();
  await Promise.any(proxies.map((proxy, at) => proxy.line(({ text }) => text.startsWith('the store held what'), from[at])));
  await untilTier(proxies, (view) => isConnected(view) && view.members.length === 2 && view.config?.version === 1);
  await load.requests(REQUESTS);
  expect(await loaded.lost('garbage', ['a', 'b'])).toEqual([]);
});

/** ` meta` ends with fields by spaces; the tenth is the protocol. */
const RAISE = `
local meta, i = {}, 0
for word in redis.call('HGET', KEYS[1], ' meta'):gmatch('%S+') do
  i = i + 1
  meta[i] = i == 10 and ARGV[1] or word
end
redis.call('HSET', KEYS[1], ' meta', table.concat(meta, ' '))`;

test('a release that does not speak the tier’s protocol serves by itself and says so', { timeout: 240_000 }, async () => {
  await using loaded = await LoadedTier.start({ nodes: ['a'] });
  await loaded.tier.redis.client().eval(RAISE, 1, tierKeys(TIER)[0]!, '99');
  const older = await loaded.tier.spawn('older', loaded.yaml);
  await older.line(({ text }) => text === 'ready');
  expect(await tierOf(older)).toMatchObject({ controlPlane: 'autonomous', reason: expect.stringMatching(/^the tier speaks protocol 99, this release \d+ to \d+$/) });
  expect((await older.get('/')).status).toBe(200);
});
