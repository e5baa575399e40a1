/** Ways in which a Redis that is there gives no good answer: every proxy says which, serves on, and comes back. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { isConnected, LEASE_MS, LoadedTier, untilTier } from '../../support/loaded-tier.ts';
import type { RedisServer } from '../../support/redis-server.ts';
import { SlowPort } from '../../support/slow-port.ts';

const REQUESTS = 150;
const CALL_MS = LEASE_MS / 3;

interface Way {
  readonly reason: RegExp;
  readonly fail: (redis: RedisServer, slow: SlowPort) => unknown;
  readonly heal: (redis: RedisServer, slow: SlowPort) => unknown;
}

const silent = new RegExp(`^no answer in ${CALL_MS} ms$`);
const ways: Readonly<Record<string, Way>> = {
  'stands still': { reason: silent, fail: (redis) => redis.pause(), heal: (redis) => redis.resume() },
  'is full': {
    reason: /^OOM command not allowed/,
    fail: (redis) => redis.client().config('SET', 'maxmemory', '1'),
    heal: (redis) => redis.client().config('SET', 'maxmemory', '0'),
  },
  'is read-only': {
    reason: /^READONLY /,
    fail: async (redis) => redis.client().call('REPLICAOF', '127.0.0.1', String(await freePort())),
    heal: (redis) => redis.client().call('REPLICAOF', 'NO', 'ONE'),
  },
  'asks for another password': {
    reason: /^NOAUTH /,
    fail: async (redis) => {
      await redis.client().config('SET', 'requirepass', 'another');
      await redis.client().call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    },
    heal: (redis) => redis.client().config('SET', 'requirepass', ''),
  },
  'is slower than a third of the lease': {
    reason: silent,
    fail: (_redis, slow) => void (slow.delayMs = CALL_MS),
    heal: (_redis, slow) => void (slow.delayMs = 0),
  },
};

describe('a Redis that', () => {
  let loaded: LoadedTier;
  let slow: SlowPort;
  beforeAll(async () => {
    loaded = await LoadedTier.start({
      nodes: ['a', 'b'],
      store: async (redisPort) => {
        slow = await SlowPort.start(redisPort);
        return `redis://127.0.0.1:${slow.port}`;
      },
    });
  }, 240_000);
  afterAll(async () => {
    await loaded[Symbol.asyncDispose]();
    await slow.stop();
  });

  it.each(Object.keys(ways))('%s', { timeout: 240_000 }, async (name) => {
    const { reason, fail, heal } = ways[name]!;
    const { load, proxies, tier } = loaded;
    await load.phase(name);
    await fail(tier.redis, slow);
    await untilTier(proxies, (view) => view.controlPlane === 'autonomous' && reason.test(view.reason));
    await load.requests(REQUESTS);
    await heal(tier.redis, slow);
    await untilTier(proxies, (view) => isConnected(view) && view.members.length === 2);
    expect(await loaded.lost(name, ['a', 'b'])).toEqual([]);
  });
});
