/**
 * Maglev hashing (Eisenbud et al., NSDI 2016, §3.4): a table in which each
 * backend owns places in proportion to its weight, evenly to within one; a key
 * costs one load. When a backend goes its keys move, and a few others with
 * them: of 100 backends about 1 % must, under 2.5 % do (a test holds it).
 *
 * Backends take turns by weight to claim the next free place of their own
 * permutation, in the order of their addresses' hashes, never the file's.
 */
import { z } from 'zod';
import type { Balancer, BalancerDefinition, Candidate, PickRequest } from './balancer.ts';
import { isPrime } from './options.ts';
import { placeByAddress, walkOwners } from './placement.ts';
import { WeightedTurns } from './weighted-turns.ts';

type MaglevOptions = { tableSize: number };

/** The largest prime below 2^17: for 10,000 backends it is built in 30 ms, the default in 20; no loop may stand for 50. */
const TABLE_SIZE_MAX = 131_071;

class Maglev implements Balancer {
  readonly #count: number;
  readonly #owners: Int32Array;

  constructor(candidates: readonly Candidate[], tableSize: number) {
    this.#count = candidates.length;
    this.#owners = maglevTable(candidates, tableSize);
  }

  pick({ keyHash, isPassedOver }: PickRequest): number {
    if (this.#count === 0) return -1;
    const place = keyHash % this.#owners.length;
    return isPassedOver === null ? this.#owners[place]! : walkOwners(this.#owners, place, this.#count, isPassedOver);
  }
}

/** Candidate's index in each place. */
export function maglevTable(candidates: readonly Candidate[], tableSize: number): Int32Array {
  const owners = new Int32Array(tableSize).fill(-1);
  if (candidates.length === 0) return owners;
  const { order, first, second } = placeByAddress(candidates);
  const turns = new WeightedTurns(Float64Array.from(order, (index) => candidates[index]!.weight));
  const place = Uint32Array.from(first, (hash) => hash % tableSize);
  const skip = Uint32Array.from(second, (hash) => (hash % (tableSize - 1)) + 1);
  // One bit a place: nearly all of the work is looking for a free one, which a table of words would make a cache miss each.
  const taken = new Int32Array(Math.ceil(tableSize / 32));
  for (let filled = 0; filled < tableSize; filled++) {
    const at = turns.next();
    const step = skip[at]!;
    let wanted = place[at]!;
    // The size is prime, so that every step visits every place.
    while ((taken[wanted >>> 5]! & (1 << wanted)) !== 0) {
      wanted += step;
      if (wanted >= tableSize) wanted -= tableSize;
    }
    taken[wanted >>> 5]! |= 1 << wanted;
    owners[wanted] = order[at]!;
    place[at] = wanted;
  }
  return owners;
}

export const tableSizeOption = z
  .int()
  .min(2)
  .max(TABLE_SIZE_MAX)
  .refine(isPrime, 'a prime number')
  .default(65_537)
  .describe('Places in the table, a prime; a hundred times the number of backends keeps shares within 1 %.');

export const maglev: BalancerDefinition<MaglevOptions> = {
  name: 'maglev',
  summary: 'Consistent hashing of a key by a lookup table: the most even one, and one load a pick.',
  options: z.strictObject({ tableSize: tableSizeOption }),
  usesKey: true,
  expectedShares: 'by-weight',
  create: (candidates, { tableSize }) => new Maglev(candidates, tableSize),
};
