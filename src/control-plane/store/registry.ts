/** Every store, one sorted line each. */
import { redisStore } from './redis-store.ts';
import type { StoreDefinition } from './store-definition.ts';
import { memoryStore } from './tier-memory-store.ts';

export const storeDefinitions: readonly StoreDefinition[] = [
  memoryStore,
  redisStore,
];

/** The adapter for a `tier.store`; undefined: none takes it. */
export function storeDefinition(url: string): StoreDefinition | undefined {
  return storeDefinitions.find((definition) => definition.accepts(url));
}
