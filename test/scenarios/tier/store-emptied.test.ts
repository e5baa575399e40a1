/** Redis that has lost what it was told, all or the last of it: members bring it back, and a newcomer finds it there. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { isConnected, LoadedTier, tierOf, untilTier } from '../../support/loaded-tier.ts';
import { SentinelRig } from '../../support/redis-sentinel.ts';
import { until, type WeirProcess } from '../../support/weir-process.ts';

const REQUESTS = 100;

interface Known {
  readonly drained: string;
  readonly dead: string;
}

/** Gives the tier something to remember: a second version of its config and a drained backend, beside one that is down. */
async function teach({ tier, proxies, yaml, backends }: LoadedTier, dead: string): Promise<Known> {
  const [a, b] = proxies as [WeirProcess, WeirProcess];
  const file = join(tier.folder, 'second.yaml');
  await writeFile(file, `${yaml}# second\n`);
  expect(await tier.command(a, 'push', file)).toMatchObject({ code: 0 });
  const drained = backends[1]!.address;
  expect(await tier.command(b, 'drain', `web/${drained}`)).toMatchObject({ code: 0 });
  const known = { drained, dead };
  await until(() => everyoneKnows(proxies, known));
  return known;
}

async function everyoneKnows(proxies: readonly WeirProcess[], { drained, dead }: Known): Promise<boolean> {
  for (const proxy of proxies) {
    const { config, verdicts } = await tierOf(proxy);
    const { items } = JSON.parse((await proxy.admin('/api/v1/backends')).body) as { items: { address: string; state: string }[] };
    const isDrained = items.some(({ address, state }) => address === drained && state === 'drain');
    if (config?.version !== 2 || !isDrained || verdicts.find(({ address }) => address === dead)?.verdict !== 'down') return false;
  }
  return true;
}

/** One with no disk and the first file has all of it from the store. */
async function newcomerKnows({ tier, yaml }: LoadedTier, ...known: readonly Known[]): Promise<void> {
  const newcomer = await tier.spawn('new', yaml);
  await newcomer.line(({ text }) => text === 'ready');
  for (const each of known) await until(() => everyoneKnows([newcomer], each));
}

const handOver = (proxy: WeirProcess, reason: string, from: number): Promise<unknown> => proxy.line((line) => line.text.startsWith('handing over') && line['reason'] === reason, from);

const losses: Readonly<Record<string, (loaded: LoadedTier) => Promise<unknown>>> = {
  'flushed': ({ tier }) => tier.redis.client().flushall(),
  'restarted empty': async ({ tier }) => {
    const { port } = tier.redis;
    await tier.redis.stop();
    await tier.restartRedis(port);
  },
};

test.each(Object.keys(losses))('%s: `rebuilt`, and nothing is missing', { timeout: 240_000 }, async (name) => {
  const dead = `127.0.0.1:${await freePort()}`;
  await using loaded = await LoadedTier.start({ nodes: ['a', 'b'], dead: [dead] });
  const known = await teach(loaded, dead);
  const { load, proxies } = loaded;
  const history = (await tierOf(proxies[0]!)).config!.history;
  await load.phase('lost');
  const from = proxies.map(({ log }) => log.length);
  await losses[name]!(loaded);
  await Promise.all(proxies.map((proxy, at) => handOver(proxy, 'rebuilt', from[at]!)));
  await untilTier(proxies, (view) => isConnected(view) && view.config?.version === 2);
  await load.requests(REQUESTS);
  expect(await everyoneKnows(proxies, known)).toBe(true);
  expect((await tierOf(proxies[1]!)).config!.history).toBe(history);
  await newcomerKnows(loaded, known);
  expect(await loaded.lost('lost', ['a', 'b'])).toEqual([]);
});

test('failed over without the last writes: `rewound`, and nothing is missing', { timeout: 240_000 }, async () => {
  const rig = await SentinelRig.start();
  const dead = `127.0.0.1:${await freePort()}`;
  try {
    await using loaded = await LoadedTier.start({ nodes: ['a', 'b'], dead: [dead], store: () => Promise.resolve(rig.url) });
    const { load, proxies } = loaded;
    const known = await teach(loaded, dead);
    await load.phase('lost');
    const from = proxies.map(({ log }) => log.length);
    // Sentinels would mend this after some seconds: no command is started in between.
    await rig.cutReplication();
    expect((await proxies[0]!.admin(`/api/v1/pools/web/backends/${dead}/state`, 'POST', { state: 'drain' })).status).toBe(200);
    await until(() => everyoneKnows(proxies, { ...known, drained: dead }));
    await rig.failOver();
    // Whoever reads first sees it; the other may find all of it said again.
    await Promise.any(proxies.map((proxy, at) => handOver(proxy, 'rewound', from[at]!)));
    await untilTier(proxies, (view) => isConnected(view) && view.config?.version === 2 && view.members.length === 2);
    await load.requests(REQUESTS);
    const both = [known, { ...known, drained: dead }];
    for (const each of both) expect(await everyoneKnows(proxies, each)).toBe(true);
    await newcomerKnows(loaded, ...both);
    expect(await loaded.lost('lost', ['a', 'b'])).toEqual([]);
  } finally {
    await rig.stop();
  }
});
