/**
 * Consistent hashing on a ring (ketama): each backend owns points on a circle,
 * a key belongs to the next point. When a backend goes, its keys alone move,
 * to the owners of the points after it.
 *
 * All points together are POINTS_MAX at most: above that every backend has
 * proportionally fewer (10,000 backends of weight 1 have 26 each), at least
 * one. The share a backend gets differs from its weight's by about
 * 1 / sqrt(its points): 8 % at 160. `maglev` is more even.
 */
import { z } from 'zod';
import { mix32 } from '../../base/hash.ts';
import type { Balancer, BalancerDefinition, Candidate, PickRequest } from './balancer.ts';
import { placeByAddress, sortPoints, walkOwners, type Points, type SortedPoints } from './placement.ts';

type RingHashOptions = { points: number };

/** 262,144 points are built in 14 ms (bench/micro/balance.ts). */
export const POINTS_MAX = 262_144;

class RingHash implements Balancer {
  readonly #count: number;
  readonly #points: SortedPoints;

  constructor(candidates: readonly Candidate[], pointsPerWeight: number) {
    this.#count = candidates.length;
    this.#points = sortPoints(ringPoints(candidates, pointsPerWeight));
  }

  pick({ keyHash, isPassedOver }: PickRequest): number {
    const { keys, values, starts, shift } = this.#points;
    if (keys.length === 0) return -1;
    let point = starts[keyHash >>> shift]!;
    while (point < keys.length && keys[point]! < keyHash) point++;
    if (point === keys.length) point = 0;
    return isPassedOver === null ? values[point]! : walkOwners(values, point, this.#count, isPassedOver);
  }
}

function ringPoints(candidates: readonly Candidate[], pointsPerWeight: number): Points {
  const { order, first, second } = placeByAddress(candidates);
  const totalWeight = candidates.reduce((sum, candidate) => sum + candidate.weight, 0);
  const scale = Math.min(pointsPerWeight, POINTS_MAX / totalWeight);
  const counts = order.map((index) => Math.max(1, Math.floor(candidates[index]!.weight * scale)));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const keys = new Uint32Array(total);
  const values = new Int32Array(total);
  for (let at = 0, point = 0; at < order.length; at++) {
    // The stride is the address's own: with a common one two backends could own the same points.
    const stride = second[at]! | 1;
    for (let i = 0, position = first[at]!; i < counts[at]!; i++, point++) {
      keys[point] = mix32(position);
      values[point] = order[at]!;
      position = (position + stride) | 0;
    }
  }
  return { keys, values };
}

export const ringHash: BalancerDefinition<RingHashOptions> = {
  name: 'ring-hash',
  summary: 'Consistent hashing of a key on a ring: a key stays with its backend, and moves only when that one goes.',
  options: z.strictObject({
    points: z.int().min(1).max(1024).default(160).describe('Points on the ring per unit of weight; fewer in very large pools.'),
  }),
  usesKey: true,
  expectedShares: 'by-weight',
  create: (candidates, { points }) => new RingHash(candidates, points),
};
