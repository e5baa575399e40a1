/** The tier's store in one Redis, and one Valkey where there is one: the contract, over a real server. */
import { afterAll, beforeAll, describe } from 'vitest';
import { openedRedisStore } from '../../support/redis-rig.ts';
import { hasValkey, RedisServer } from '../../support/redis-server.ts';
import { tierStoreContract } from '../../support/tier-store-contract.ts';

function contractOver(program: 'redis-server' | 'valkey-server'): void {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start({ program });
  });
  afterAll(() => server.stop());

  tierStoreContract('one server', () => Promise.resolve(openedRedisStore(server.url, () => server.client().flushall())));
}

describe('redis-server', () => contractOver('redis-server'));

describe.skipIf(!hasValkey())(`valkey-server${hasValkey() ? '' : ' (left out: Valkey is not installed; Debian 13, or 12 with its backports: apt-get install valkey-server)'}`, () => contractOver('valkey-server'));
