/** The Lua and the TypeScript of the tier's store do the same. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { TierMemoryStore } from '../../../src/control-plane/store/tier-memory-store.ts';
import { redisStore } from '../../support/redis-rig.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { DifferentialTier } from '../../support/tier-differential.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

describe('redis and memory', () => {
  it.each(Array.from({ length: 12 }, (_, seed) => ({ seed })))('answer the same to the same steps: seed $seed', async ({ seed }) => {
    const memory = new TierMemoryStore({ clock: systemClock, random: seededRandom(seed) });
    const { store, warnings } = redisStore(server.url);
    await new DifferentialTier([memory, store], seed).run(200);
    expect(warnings).toEqual([]);
    await store.close();
    await memory.close();
  });
});
