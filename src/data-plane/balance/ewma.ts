/**
 * Latency-aware choice of two: of two backends drawn by weight, the one that
 * would answer sooner, taken as its average latency times the requests it has
 * in flight (relative to its weight) and this one. The average is peak
 * sensitive (see latency.ts).
 *
 * Two rules keep it from starving and from stampeding:
 * - The average of a backend that is not asked fades with time, the more
 *   slowly the more requests it has under way. So a backend that was slow is
 *   tried again, by one request at a time, as each one raises its cost.
 * - A backend without an average costs nothing while it is idle and more than
 *   any known one while it is asked: over all workers about one request probes
 *   it until its first answer. A pool of such backends goes by load alone.
 */
import { z } from 'zod';
import type { BalancerDefinition, Candidate } from './balancer.ts';
import { Cheapest } from './cheapest.ts';
import { durationOption } from './options.ts';

type EwmaOptions = { decay: number };

/** Above any latency in microseconds, which fits an int32. */
const UNKNOWN_COST_US = 1e12;

export function latencyCost(candidate: Candidate, relativeWeight: number, decayMs: number): number {
  const inFlight = candidate.inFlight();
  const queue = inFlight / relativeWeight + 1;
  const latencyUs = candidate.latencyUs();
  if (latencyUs === 0) return inFlight === 0 ? 0 : UNKNOWN_COST_US * queue;
  return latencyUs * Math.exp(-candidate.latencyAgeMs() / (decayMs * (inFlight + 1))) * queue;
}

export const ewma: BalancerDefinition<EwmaOptions> = {
  name: 'ewma',
  summary: 'Of two backends drawn at random the one likely to answer sooner, by its average latency and requests in flight.',
  options: z.strictObject({
    decay: durationOption().prefault('10s').describe('How long a latency is remembered: after this time a third of it is left.'),
  }),
  usesKey: false,
  expectedShares: 'by-weight',
  latencyDecayMs: ({ decay }) => decay,
  create(candidates, { decay }, { random }) {
    const weights = Float64Array.from(candidates, (candidate) => candidate.weight);
    const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
    const relative = weights.map((weight) => weight / mean);
    const cheapest = new Cheapest(weights, random, (index) => latencyCost(candidates[index]!, relative[index]!, decay));
    return { pick: ({ isPassedOver }) => cheapest.pick(2, isPassedOver) };
  },
};
