/**
 * What places backends by their addresses alone: an order that does not depend
 * on the file's, and a sort fast enough for a quarter of a million points.
 */
import { hash32 } from '../../base/hash.ts';
import type { Candidate, PickRequest } from './balancer.ts';

export interface Placed {
  /** Candidates' indexes in the order of their addresses' hashes. */
  readonly order: Int32Array;
  /** Two independent uint32 hashes of each address, in that order. */
  readonly first: Uint32Array;
  readonly second: Uint32Array;
}

const SECOND_SEED = 0x5bd1e995;

export function placeByAddress(candidates: readonly Candidate[]): Placed {
  const sorted = sortPoints({
    keys: Uint32Array.from(candidates, (candidate) => hash32(candidate.address)),
    values: Int32Array.from(candidates.keys()),
  });
  const first = sorted.keys;
  const order = sorted.values;
  // Addresses whose hashes collide go by their text; there are hardly ever any.
  for (let at = 1; at < order.length; at++) {
    for (let to = at; to > 0 && first[to] === first[to - 1] && candidates[order[to]!]!.address < candidates[order[to - 1]!]!.address; to--) {
      [order[to], order[to - 1]] = [order[to - 1]!, order[to]!];
    }
  }
  const second = Uint32Array.from(order, (index) => hash32(candidates[index]!.address, SECOND_SEED));
  return { order, first, second };
}

/** Points on a circle and, at the same index, whose each is. */
export interface Points {
  readonly keys: Uint32Array;
  readonly values: Int32Array;
}

/** Points by key, and an index of them: `starts[key >>> shift]` is the first point of the slice the key lies in, or after it. */
export interface SortedPoints extends Points {
  readonly starts: Int32Array;
  readonly shift: number;
}

const SLICE_BITS_MAX = 18;

/**
 * Sorts points whose keys are hashes; equal keys keep their order. As hashes
 * spread evenly, counting them into about as many slices as there are points
 * leaves each within a place or two of where it belongs, and an insertion sort
 * does the rest: 262,144 points in a third of the time of a radix sort.
 */
export function sortPoints({ keys, values }: Points): SortedPoints {
  const count = keys.length;
  const bits = Math.min(Math.max(Math.ceil(Math.log2(count)), 1), SLICE_BITS_MAX);
  const shift = 32 - bits;
  const starts = new Int32Array((1 << bits) + 1);
  for (let i = 0; i < count; i++) starts[(keys[i]! >>> shift) + 1]!++;
  for (let slice = 0; slice < 1 << bits; slice++) starts[slice + 1]! += starts[slice]!;
  const next = starts.slice();
  const sorted = { keys: new Uint32Array(count), values: new Int32Array(count), starts, shift };
  for (let i = 0; i < count; i++) {
    const key = keys[i]!;
    const at = next[key >>> shift]!++;
    sorted.keys[at] = key;
    sorted.values[at] = values[i]!;
  }
  insertInOrder(sorted);
  return sorted;
}

function insertInOrder({ keys, values }: Points): void {
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i]!;
    if (keys[i - 1]! <= key) continue;
    const value = values[i]!;
    let to = i;
    for (; to > 0 && keys[to - 1]! > key; to--) {
      keys[to] = keys[to - 1]!;
      values[to] = values[to - 1]!;
    }
    keys[to] = key;
    values[to] = value;
  }
}

/** Owners looked at before it is asked whether anyone is left at all. */
const WALK_MAX = 512;

/**
 * The owner at `start` or the next one in `owners`, round and round, that is
 * not passed over; -1 if all `count` candidates are.
 */
export function walkOwners(owners: Int32Array, start: number, count: number, isPassedOver: NonNullable<PickRequest['isPassedOver']>): number {
  let last = -1;
  for (let step = 0; step < owners.length; step++) {
    if (step === WALK_MAX && !isAnyLeft(count, isPassedOver)) return -1;
    const owner = owners[(start + step) % owners.length]!;
    if (owner === last) continue;
    if (!isPassedOver(owner)) return owner;
    last = owner;
  }
  // A candidate may own nothing (more candidates than places): then the first one left takes the key.
  for (let index = 0; index < count; index++) if (!isPassedOver(index)) return index;
  return -1;
}

function isAnyLeft(count: number, isPassedOver: (index: number) => boolean): boolean {
  for (let index = 0; index < count; index++) if (!isPassedOver(index)) return true;
  return false;
}
