/**
 * Three proxies in front of a Redis primary and its replica: a failover takes
 * every client along at once and none is ever at two primaries; a proxy that is
 * cut off from the store meanwhile is out of the promise for no longer than the
 * bound, and with a fence not at all.
 */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StatusAnswer, TierAnswer } from '../../../src/control-plane/admin/answers.ts';
import { askPort, PrimaryWatch } from '../../support/primary-watch.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { SlowPort } from '../../support/slow-port.ts';
import { TierProcesses } from '../../support/tier-processes.ts';
import { until, type WeirProcess } from '../../support/weir-process.ts';

const LEASE_MS = 1500;
const CHECK = { intervalMs: 200, fastIntervalMs: 100, timeoutMs: 500, fall: 2 };
/** Of three members and three probers: until it goes by itself, and then sees it. */
const BOUND_MS = LEASE_MS + CHECK.intervalMs + (CHECK.fall - 1) * CHECK.fastIntervalMs + CHECK.timeoutMs;

const config = (storePort: number, one: number, two: number): string => `
listeners:
  open: { protocol: tcp, bind: "127.0.0.1:0", pool: open }
  fenced: { protocol: tcp, bind: "127.0.0.1:0", pool: fenced }
pools:
  open: { backends: ["127.0.0.1:${one}", "127.0.0.1:${two}"], health: &check { type: redis, role: primary, interval: 200ms, fastInterval: 100ms, fall: 2, rise: 1 } }
  fenced: { backends: ["127.0.0.1:${one}", "127.0.0.1:${two}"], health: *check, fence: true }
tier: { name: test, store: "redis://127.0.0.1:\${STORE_PORT:-${storePort}}", heartbeat: 500ms, lease: ${LEASE_MS}ms }
admin: { bind: "127.0.0.1:0" }
drain: { delay: 0, timeout: 0 }
`;

let tier: TierProcesses;
let servers: [RedisServer, RedisServer];
let cut: SlowPort;
let proxies: WeirProcess[];
let watch: PrimaryWatch;

const through = (pool: string, nodes = 'abc'): string[] => [...nodes].map((node) => `${pool} ${node}`);

/** The other one becomes the primary, as a person or a Sentinel would have it. */
async function failOver(from: RedisServer, to: RedisServer): Promise<number> {
  await to.client().call('REPLICAOF', 'NO', 'ONE');
  await from.client().call('REPLICAOF', '127.0.0.1', String(to.port));
  return performance.now();
}

/** Through all of these nothing but this server answers any more. */
async function allMeet(names: readonly string[], server: number): Promise<void> {
  const sinceMs = performance.now();
  await until(() => {
    const met = watch.since(Math.max(sinceMs, performance.now() - 300));
    return names.every((name) => met.get(name) === server);
  });
}

beforeAll(async () => {
  const one = await RedisServer.start();
  servers = [one, await RedisServer.start({ config: [`replicaof 127.0.0.1 ${one.port}`] })];
  tier = await TierProcesses.start();
  cut = await SlowPort.start(tier.redis.port);
  const yaml = config(tier.redis.port, servers[0].port, servers[1].port);
  proxies = await Promise.all([...'abc'].map((node) => tier.spawn(node, yaml, node === 'c' ? { env: { STORE_PORT: String(cut.port) } } : {})));
  await Promise.all(proxies.map((proxy) => proxy.line(({ text }) => text === 'ready')));
  watch = new PrimaryWatch(Object.fromEntries(proxies.flatMap((proxy, i) => ['open', 'fenced'].map((pool) => [`${pool} ${'abc'[i]!}`, proxy.port(pool)]))));
}, 120_000);

afterAll(async () => {
  await watch?.[Symbol.asyncDispose]();
  await tier?.[Symbol.asyncDispose]();
  await cut?.stop();
  await Promise.all((servers ?? []).map((server) => server.stop()));
});

test('a failover is one step for all: connections to the former primary end before anyone is given the next', { timeout: 120_000 }, async () => {
  const [one, two] = servers;
  await allMeet([...through('open'), ...through('fenced')], one.port);
  const kept = connect(proxies[0]!.port('open'), '127.0.0.1');
  expect(await askPort(kept)).toBe(one.port);
  kept.on('error', () => undefined);
  const ended = new Promise((resolve) => kept.once('close', resolve));
  const sinceMs = await failOver(one, two);
  await allMeet([...through('open'), ...through('fenced')], two.port);
  await ended;
  for (const pool of ['open', 'fenced']) {
    expect(watch.overlapMs(through(pool), one.port, two.port, sinceMs)).toBe(0);
    for (const proxy of proxies) {
      const { pools } = JSON.parse((await proxy.admin('/api/v1/status')).body) as StatusAnswer;
      expect(pools[pool]).toMatchObject({ panic: false, role: { primary: `127.0.0.1:${two.port}`, phase: 'admitted', by: 'tier' } });
    }
  }
  const view = JSON.parse((await proxies[1]!.admin('/api/v1/tier')).body) as TierAnswer;
  expect(view.roles.map(({ pool, primary, phase }) => [pool, primary, phase])).toEqual([['fenced', `127.0.0.1:${two.port}`, 'admitted'], ['open', `127.0.0.1:${two.port}`, 'admitted']]);
  expect((await proxies[1]!.admin('/metrics')).body).toContain(`weir_pool_primary{pool="open",backend="127.0.0.1:${two.port}"} 1`);
});

test('cut off from the store during a failover, a proxy follows what it sees itself, or with a fence nothing', { timeout: 120_000 }, async () => {
  // As the failover before left them.
  const [next, former] = servers;
  await allMeet([...through('open'), ...through('fenced')], former.port);
  await cut.stop();
  const sinceMs = await failOver(former, next);
  await allMeet([...through('open'), ...through('fenced', 'ab')], next.port);
  const openMs = watch.overlapMs(through('open'), former.port, next.port, sinceMs);
  const fencedMs = watch.overlapMs(through('fenced'), former.port, next.port, sinceMs);
  console.log(`a proxy cut off from the store: overlap ${openMs.toFixed(0)} ms of ${BOUND_MS} without a fence, ${fencedMs.toFixed(0)} ms with one`);
  expect(openMs).toBeLessThanOrEqual(BOUND_MS);
  expect(fencedMs).toBe(0);
  expect(watch.since(performance.now() - 500).has('fenced c')).toBe(false);
  const status = JSON.parse((await proxies[2]!.admin('/api/v1/status')).body) as StatusAnswer;
  expect(status.pools['open']!.role).toMatchObject({ primary: `127.0.0.1:${next.port}`, by: 'own probes' });
  expect(status.pools['fenced']!.role).toMatchObject({ isFenced: true });
  cut = await SlowPort.start(tier.redis.port, cut.port);
  await allMeet(through('fenced', 'c'), next.port);
});
