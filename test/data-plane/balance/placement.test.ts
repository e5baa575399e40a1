import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mix32 } from '../../../src/base/hash.ts';
import { placeByAddress, sortPoints, walkOwners } from '../../../src/data-plane/balance/placement.ts';
import { fakeCandidate } from '../../support/balance-rig.ts';

describe('sorting points', () => {
  test('by key, equal keys in their order, with an index of where each key lies', () => {
    const anyKey = fc.oneof(fc.nat().map(mix32), fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff));
    fc.assert(
      fc.property(fc.array(anyKey, { maxLength: 300 }), anyKey, (keys, wanted) => {
        const sorted = sortPoints({ keys: Uint32Array.from(keys), values: Int32Array.from(keys.keys()) });
        const expected = [...keys.entries()].sort(([i, a], [j, b]) => a - b || i - j);
        expect([...sorted.keys]).toEqual(expected.map(([, key]) => key));
        expect([...sorted.values]).toEqual(expected.map(([i]) => i));
        const start = sorted.starts[wanted >>> sorted.shift]!;
        const first = expected.findIndex(([, key]) => key >= wanted);
        expect(start).toBeLessThanOrEqual(first === -1 ? keys.length : first);
        for (const [, key] of expected.slice(0, start)) expect(key).toBeLessThan(wanted);
      }),
      { numRuns: 300 },
    );
  });
});

test('the order by address is the same whatever the order given', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { maxLength: 40 }), (addresses) => {
      const candidates = addresses.map((address) => fakeCandidate(address));
      const ordered = (list: typeof candidates): string[] => [...placeByAddress(list).order].map((index) => list[index]!.address);
      expect(ordered([...candidates].reverse())).toEqual(ordered(candidates));
    }),
  );
});

describe('walking on', () => {
  const owners = Int32Array.of(0, 0, 1, 2, 1);

  test('starts where it is told and goes round', () => {
    expect(walkOwners(owners, 3, 3, () => false)).toBe(2);
    expect(walkOwners(owners, 3, 3, (index) => index > 0)).toBe(0);
    expect(walkOwners(owners, 3, 3, () => true)).toBe(-1);
  });

  test('finds a candidate that owns no place', () => {
    expect(walkOwners(owners, 0, 5, (index) => index !== 4)).toBe(4);
  });

  test('does not ask for every place of a large table when nobody is left', () => {
    let asked = 0;
    const large = Int32Array.from({ length: 100_000 }, (_, i) => i % 10);
    expect(walkOwners(large, 0, 10, () => ++asked > 0)).toBe(-1);
    expect(asked).toBeLessThan(1000);
  });
});
