/** A backend at random, in proportion to weight: no state, nothing shared, nothing to tune. */
import { z } from 'zod';
import type { BalancerDefinition } from './balancer.ts';
import { WeightedDraw } from './weighted-draw.ts';

export const random: BalancerDefinition = {
  name: 'random',
  summary: 'A backend at random, in proportion to its weight.',
  options: z.strictObject({}),
  usesKey: false,
  expectedShares: 'by-weight',
  create(candidates, _options, environment) {
    const draw = new WeightedDraw(candidates.map((candidate) => candidate.weight), environment.random);
    return {
      pick({ isPassedOver }) {
        if (candidates.length === 0) return -1;
        return isPassedOver === null ? draw.draw() : draw.drawAllowed(isPassedOver);
      },
    };
  },
};
