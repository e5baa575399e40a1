/** Every store, one sorted line each. */
import { memoryStore } from './memory-store.ts';
import type { StoreDefinition } from './store.ts';

export const storeDefinitions: readonly StoreDefinition[] = [
  memoryStore,
];

/** The adapter for a `tier.store`; undefined: none takes it. */
export function storeDefinition(url: string): StoreDefinition | undefined {
  return storeDefinitions.find((definition) => definition.accepts(url));
}
