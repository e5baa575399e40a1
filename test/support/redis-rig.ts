/** Stores of the Redis adapter for tests: each of a tier of its own, over a server that several tests share. */
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import { RedisStore, type RedisStoreOptions } from '../../src/control-plane/store/redis-store.ts';
import type { OpenedTierStore } from './tier-contract/tier-rig.ts';

let tiers = 0;

export interface Warning {
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

export interface RiggedStore {
  readonly store: RedisStore;
  readonly tier: string;
  readonly warnings: readonly Warning[];
}

/** Patient: the machine that runs the tests may be busy. */
export function redisStore(url: string, options: Partial<RedisStoreOptions> = {}): RiggedStore {
  const tier = options.tier ?? `t${++tiers}`;
  const warnings: Warning[] = [];
  const log = { warn: (text: string, fields?: Readonly<Record<string, unknown>>) => void warnings.push({ text, fields }) };
  const store = new RedisStore({ url, callTimeoutMs: 10_000, reconnectWithinMs: 50, clock: systemClock, random: systemRandom, log, ...options, tier });
  return { store, tier, warnings };
}

export function realTime(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** For the contract suite. */
export function openedRedisStore(url: string, flush: () => Promise<unknown>, options: Partial<RedisStoreOptions> = {}): OpenedTierStore {
  const { store } = redisStore(url, options);
  return {
    store,
    advance: realTime,
    flush: async () => void (await flush()),
    end: () => Promise.resolve(),
  };
}
