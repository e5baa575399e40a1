/** Memory and Redis answer the same random steps alike; a failing seed replays exactly. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TierMemoryStore } from '../../src/control-plane/store/tier-memory-store.ts';
import { realTime, redisStore } from '../support/redis-rig.ts';
import { RedisServer } from '../support/redis-server.ts';
import type { OpenedTierStore } from '../support/tier-contract/tier-rig.ts';
import { compareTierStores } from '../support/tier-contract/tier-step-runner.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function openMemory(): OpenedTierStore {
  const clock = new VirtualClock();
  const store = new TierMemoryStore({ clock });
  return { store, advance: (ms) => clock.advance(ms), flush: () => Promise.resolve(store.flush()), end: () => Promise.resolve() };
}

describe('two stores', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());

  it.each([1, 2, 3, 4, 5, 6].map((seed) => ({ seed })))('answer the same (seed $seed)', async ({ seed }) => {
    const { store, warnings } = redisStore(server.url);
    const redis: OpenedTierStore = { store, advance: realTime, flush: () => Promise.resolve(), end: () => Promise.resolve() };
    try {
      await compareTierStores(seed, [openMemory(), redis]);
      expect(warnings).toEqual([]);
    } finally {
      await store.close();
    }
  });
});
