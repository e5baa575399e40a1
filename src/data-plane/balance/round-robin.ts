/**
 * Smooth weighted round robin. Each worker starts at a random point of the
 * turn, so that many workers and proxies do not all begin with the first
 * backend; a rebuild goes on where the former instance stood.
 */
import { z } from 'zod';
import type { Balancer, BalancerDefinition, BalancerEnvironment, Candidate, PickRequest } from './balancer.ts';
import { WeightedTurns } from './weighted-turns.ts';

/** Turns that may fall on passed-over backends before the others are simply searched. */
const ATTEMPTS = 8;

class RoundRobin implements Balancer {
  readonly #candidates: readonly Candidate[];
  readonly #turns: WeightedTurns;

  constructor(candidates: readonly Candidate[], { random, previous }: BalancerEnvironment) {
    this.#candidates = candidates;
    this.#turns = new WeightedTurns(candidates.map((candidate) => candidate.weight));
    if (!(previous instanceof RoundRobin)) {
      this.#turns.startAt(random.next(), (members) => random.below(members.length));
      return;
    }
    const due = previous.#dueAddresses();
    this.#turns.startAt(previous.#turns.share, (members) => {
      const at = members.findIndex((index) => due.has(candidates[index]!.address));
      return at === -1 ? random.below(members.length) : at;
    });
  }

  pick({ isPassedOver }: PickRequest): number {
    const count = this.#candidates.length;
    if (count === 0) return -1;
    if (isPassedOver === null) return this.#turns.next();
    let index = 0;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      index = this.#turns.next();
      if (!isPassedOver(index)) return index;
    }
    for (let step = 1; step <= count; step++) {
      const other = (index + step) % count;
      if (!isPassedOver(other)) return other;
    }
    return -1;
  }

  #dueAddresses(): Set<string> {
    return new Set(this.#turns.nextMembers().map((index) => this.#candidates[index]!.address));
  }
}

export const roundRobin: BalancerDefinition = {
  name: 'round-robin',
  summary: 'Each backend in turn, in proportion to its weight, evenly spaced.',
  options: z.strictObject({}),
  usesKey: false,
  expectedShares: 'by-weight',
  create: (candidates, _options, environment) => new RoundRobin(candidates, environment),
};
