import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RiseFall } from '../../../src/control-plane/health/rise-fall.ts';
import type { Verdict } from '../../../src/shared/backend-table.ts';

/** The rule said once more, from the whole history of results. */
function expected(start: Verdict, results: readonly boolean[], rise: number, fall: number): Verdict[] {
  let opinion = start;
  let sinceChange: boolean[] = [];
  return results.map((passed) => {
    sinceChange.push(passed);
    const wanted = opinion === 'unknown' ? 1 : opinion === 'up' ? fall : rise;
    const tail = sinceChange.slice(-wanted);
    const contrary = opinion === 'unknown' || tail.every((result) => result !== (opinion === 'up'));
    if (tail.length === wanted && contrary) {
      opinion = passed ? 'up' : 'down';
      sinceChange = [];
    }
    return opinion;
  });
}

it('changes after so many results in a row, and only then', () => {
  const counts = fc.integer({ min: 1, max: 5 });
  fc.assert(
    fc.property(fc.constantFrom<Verdict>('unknown', 'up', 'down'), fc.array(fc.boolean(), { maxLength: 60 }), counts, counts, (start, results, rise, fall) => {
      const riseFall = new RiseFall(start);
      let former = start;
      const opinions = results.map((passed) => {
        const changed = riseFall.take(passed, rise, fall);
        expect(changed).toBe(riseFall.opinion !== former);
        former = riseFall.opinion;
        return former;
      });
      expect(opinions).toEqual(expected(start, results, rise, fall));
    }),
  );
});
