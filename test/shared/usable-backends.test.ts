import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { servingBackends, type Standing } from '../../src/shared/usable-backends.ts';

const standing = (parts: Partial<Standing> = {}): Standing => ({ state: 'ready', weight: 1, verdict: 'up', ejected: false, priority: 0, ...parts });
const down = (parts: Partial<Standing> = {}): Standing => standing({ verdict: 'down', ...parts });

describe('who serves', () => {
  test('usable is ready, weighted, up and not ejected', () => {
    const backends = [standing(), standing({ state: 'drain' }), standing({ state: 'disabled' }), standing({ weight: 0 }), standing({ ejected: true }), standing()];
    expect(servingBackends(backends, 0.5)).toEqual({ indexes: [0, 5], panic: false });
  });

  test('a priority with its share usable serves alone; the share is reached when it is met', () => {
    expect(servingBackends([standing(), down(), standing({ priority: 1 })], 0.5)).toEqual({ indexes: [0], panic: false });
  });

  test('below the share the next priority joins what is left of the first', () => {
    expect(servingBackends([standing(), down(), down(), standing({ priority: 1 })], 0.5)).toEqual({ indexes: [0, 3], panic: false });
  });

  test('priorities count by number, whatever their order in the file and the gaps between them', () => {
    expect(servingBackends([standing({ priority: 9 }), standing({ priority: 2 })], 0.5)).toEqual({ indexes: [1], panic: false });
  });

  test('the share is one of weight, not of backends', () => {
    expect(servingBackends([standing({ weight: 10 }), down(), down(), standing({ priority: 1 })], 0.5).indexes).toEqual([0]);
  });

  test('when no priority has its share, every ready backend serves whatever its verdict', () => {
    const backends = [down(), standing({ ejected: true }), standing({ priority: 1 }), down({ priority: 1 }), down({ priority: 1 }), standing({ state: 'drain' }), down({ weight: 0 })];
    expect(servingBackends(backends, 0.5)).toEqual({ indexes: [0, 1, 2, 3, 4], panic: true });
  });

  test('0% never panics and moves on when nothing is left', () => {
    expect(servingBackends([standing(), down(), down(), standing({ priority: 1 })], 0)).toEqual({ indexes: [0], panic: false });
    expect(servingBackends([down(), standing({ priority: 1 })], 0)).toEqual({ indexes: [1], panic: false });
    expect(servingBackends([down(), down()], 0)).toEqual({ indexes: [], panic: false });
  });

  test('a pool that an operator drained has nothing to panic with', () => {
    expect(servingBackends([standing({ state: 'drain' }), standing({ weight: 0 })], 0.5)).toEqual({ indexes: [], panic: false });
    expect(servingBackends([], 0.5)).toEqual({ indexes: [], panic: false });
  });

  test('shares in percent meet whole weights exactly', () => {
    for (let percent = 1; percent <= 100; percent++) {
      const backends = Array.from({ length: 100 }, (_, i) => (i < percent ? standing() : down()));
      expect(servingBackends(backends, percent / 100).panic, `${percent}%`).toBe(false);
      expect(servingBackends(backends.map((backend, i) => (i === 0 ? down() : backend)), percent / 100).panic, `${percent - 1} of ${percent}%`).toBe(true);
    }
  });
});

/** CONFIG's paragraph word by word, with no thought for cost. */
function naive(backends: readonly Standing[], share: number): { indexes: number[]; panic: boolean } {
  const ready = backends.map((_, i) => i).filter((i) => backends[i]!.state === 'ready' && backends[i]!.weight > 0);
  const usable = ready.filter((i) => backends[i]!.verdict === 'up' && !backends[i]!.ejected);
  const weigh = (indexes: number[]): number => indexes.reduce((sum, i) => sum + backends[i]!.weight, 0);
  for (let priority = 0; priority <= 3; priority++) {
    const own = (indexes: number[]): number[] => indexes.filter((i) => backends[i]!.priority === priority);
    if (own(usable).length > 0 && weigh(own(usable)) >= share * weigh(own(ready))) {
      return { indexes: usable.filter((i) => backends[i]!.priority <= priority), panic: false };
    }
  }
  return share === 0 ? { indexes: usable, panic: false } : { indexes: ready, panic: ready.length > 0 };
}

test('agrees with the naive reading for any pool', () => {
  const anyStanding = fc.record<Standing>({
    state: fc.constantFrom('ready', 'ready', 'ready', 'drain', 'disabled'),
    weight: fc.integer({ min: 0, max: 4 }),
    verdict: fc.constantFrom('up', 'up', 'down', 'unknown'),
    ejected: fc.boolean(),
    priority: fc.integer({ min: 0, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(anyStanding, { maxLength: 12 }), fc.constantFrom(0, 0.25, 0.5, 0.75, 1), (backends, share) => {
      const { indexes, panic } = servingBackends(backends, share);
      const expected = naive(backends, share);
      expect({ indexes: [...indexes].sort((a, b) => a - b), panic }).toEqual(expected);
      const order = indexes.map((i) => backends[i]!.priority);
      expect(order, 'by priority').toEqual([...order].sort());
    }),
    { numRuns: 1000 },
  );
});
