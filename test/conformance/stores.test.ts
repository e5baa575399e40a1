/** The registry of stores; what each must do is in tier-stores.test.ts. */
import { expect, it } from 'vitest';
import { storeDefinition, storeDefinitions } from '../../src/control-plane/store/registry.ts';

/** A `tier.store` of each. */
const urls: Readonly<Record<string, string>> = { memory: 'none', redis: 'redis://127.0.0.1:6379' };

it('are listed in order, once each, and no two take the same URL', () => {
  const names = storeDefinitions.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)].sort());
  for (const name of names) expect(storeDefinitions.filter((definition) => definition.accepts(urls[name]!)).map((definition) => definition.name)).toEqual([name]);
  expect(storeDefinition('carrier-pigeon://coop')).toBeUndefined();
});
