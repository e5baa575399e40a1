/** The first backend that may take the request: the others are spares, in file order. */
import { z } from 'zod';
import type { BalancerDefinition } from './balancer.ts';

export const first: BalancerDefinition = {
  name: 'first',
  summary: 'The first usable backend in file order; the next one when it is down or at its connection limit.',
  options: z.strictObject({}),
  usesKey: false,
  expectedShares: 'first',
  create: (candidates) => ({
    pick({ isPassedOver }) {
      for (let index = 0; index < candidates.length; index++) {
        if (isPassedOver === null || !isPassedOver(index)) return index;
      }
      return -1;
    },
  }),
};
