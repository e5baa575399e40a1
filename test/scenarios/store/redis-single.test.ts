/** The tier's store in one Redis, and one Valkey where there is one: the contract, over a real server. */
import { afterAll, beforeAll, describe } from 'vitest';
import { openedRedisStore } from '../../support/redis-rig.ts';
import { hasValkey, RedisServer } from '../../support/redis-server.ts';
import { tierStoreContract } from '../../support/tier-store-contract.ts';

describe.each(hasValkey() ? (['redis-server', 'valkey-server'] as const) : (['redis-server'] as const))('%s', (program) => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start({ program });
  });
  afterAll(() => server.stop());

  tierStoreContract('one server', () => Promise.resolve(openedRedisStore(server.url, () => server.client().flushall())));
});
