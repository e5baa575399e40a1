/** Maglev on the client's address, under the name people look for. */
import { z } from 'zod';
import type { BalancerDefinition } from './balancer.ts';
import { maglev, tableSizeOption } from './maglev.ts';

export const sourceHash: BalancerDefinition<{ tableSize: number }> = {
  name: 'source-hash',
  summary: 'A client address stays with its backend (maglev on the client address).',
  options: z.strictObject({ tableSize: tableSizeOption }),
  usesKey: true,
  fixedKey: { kind: 'client-ip', name: '' },
  expectedShares: 'by-weight',
  create: (candidates, options, environment) => maglev.create(candidates, options, environment),
};
