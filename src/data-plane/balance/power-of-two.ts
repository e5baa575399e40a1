/**
 * The less loaded of two random backends: nearly as even as looking at all of
 * them, at a cost that does not grow with the pool, and without the herd that
 * forms when many proxies see the same least loaded one.
 */
import { z } from 'zod';
import type { BalancerDefinition } from './balancer.ts';
import { Cheapest } from './cheapest.ts';

type PowerOfTwoOptions = { choices: number };

export const powerOfTwo: BalancerDefinition<PowerOfTwoOptions> = {
  name: 'power-of-two',
  summary: 'The backend with the fewest requests in flight by weight among a few drawn at random.',
  options: z.strictObject({
    choices: z.int().min(2).max(16).default(2).describe('How many backends are drawn and compared.'),
  }),
  usesKey: false,
  expectedShares: 'by-weight',
  create(candidates, { choices }, { random }) {
    const weights = Float64Array.from(candidates, (candidate) => candidate.weight);
    const cheapest = new Cheapest(weights, random, (index) => candidates[index]!.inFlight() / weights[index]!);
    return { pick: ({ isPassedOver }) => cheapest.pick(choices, isPassedOver) };
  },
};
