/** Every balancing algorithm, by name: one file and one sorted line each. */
import type { BalancerDefinition } from './balancer.ts';
import { ewma } from './ewma.ts';
import { first } from './first.ts';
import { leastConnections } from './least-connections.ts';
import { maglev } from './maglev.ts';
import { powerOfTwo } from './power-of-two.ts';
import { random } from './random.ts';
import { ringHash } from './ring-hash.ts';
import { roundRobin } from './round-robin.ts';
import { sourceHash } from './source-hash.ts';

/** Options are checked by each definition's own schema before `create` sees them. */
export const balancers: readonly BalancerDefinition[] = [
  ewma,
  first,
  leastConnections,
  maglev,
  powerOfTwo,
  random,
  ringHash,
  roundRobin,
  sourceHash,
];

export function findBalancer(name: string): BalancerDefinition | undefined {
  return balancers.find((definition) => definition.name === name);
}
