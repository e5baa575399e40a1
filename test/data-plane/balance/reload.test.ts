/** What a reload carries from one instance of a pool to the next. */
import { describe, expect, test } from 'vitest';
import type { Balancer } from '../../../src/data-plane/balance/balancer.ts';
import { PoolBalancer } from '../../../src/data-plane/balance/candidates.ts';
import { algorithmNamed, BalanceRig, outlierDefaults, ownAlgorithm, pickedIndexes } from '../../support/balance-rig.ts';

/** The rig's pool without its first backend. */
function withoutFirst(rig: BalanceRig, previous: PoolBalancer): PoolBalancer {
  const spec = { ...rig.spec, backends: rig.spec.backends.slice(1) };
  const parts = { spec, algorithm: algorithmNamed('round-robin'), pool: rig.poolRow, backends: rig.rows.slice(1) };
  return new PoolBalancer(parts, rig.environment(), previous);
}

describe('a reload', () => {
  test('hands the former instance to the same algorithm with the same options only', () => {
    const rig = new BalanceRig([{}, {}]);
    const seen: (Balancer | null)[] = [];
    const own = ownAlgorithm((_, __, { previous }) => {
      seen.push(previous);
      return { pick: () => 0 };
    });
    const first = rig.worker(own);
    const second = rig.worker(own, first);
    rig.worker({ ...own, options: { other: 1 } }, second);
    rig.worker(own, rig.worker(algorithmNamed('random')));
    expect(seen.map((previous) => previous !== null)).toEqual([false, true, false, false]);
  });

  test('goes on with round robin where it was', () => {
    const rig = new BalanceRig([{}, {}, {}, {}]);
    const first = rig.worker();
    const last = first.pick(0, null);
    expect(rig.worker(algorithmNamed('round-robin'), first).pick(0, null)).toBe((last + 1) % 4);
  });

  test('an ejected backend that is removed gives its place back, and late failures of it count for nothing', () => {
    const rig = new BalanceRig([{}, {}, {}], { outlier: outlierDefaults });
    const first = rig.worker();
    expect(first.ejection.onFailure(0, 'refused', rig.clock.nowMs)).toBe(true);
    const second = withoutFirst(rig, first);
    expect(rig.poolRow.ejected, 'prepared is not active').toBe(1);
    second.activate(first);
    expect(rig.poolRow.ejected).toBe(0);
    expect(first.ejection.onFailure(0, 'refused', rig.clock.nowMs)).toBe(false);
    expect(rig.rows[0]!.ejected).toBe(false);
  });

  test('exchanges of the former snapshot still report about backends that stayed', () => {
    const rig = new BalanceRig([{}, {}, {}], { outlier: outlierDefaults });
    const first = rig.worker();
    const second = withoutFirst(rig, first);
    second.activate(first);
    expect(first.ejection.onFailure(2, 'refused', rig.clock.nowMs)).toBe(true);
    expect(pickedIndexes(second)).toEqual([0]);
  });

  test('a pool that is removed gives all places back', () => {
    const rig = new BalanceRig([{}, {}, {}, {}], { outlier: outlierDefaults });
    const first = rig.worker();
    for (const index of [0, 2]) first.ejection.onFailure(index, 'refused', rig.clock.nowMs);
    expect(rig.poolRow.ejected).toBe(2);
    first.retire();
    expect(rig.poolRow.ejected).toBe(0);
  });

  test('outlier off ends the ejections there are', () => {
    const rig = new BalanceRig([{}, {}], { outlier: outlierDefaults });
    const first = rig.worker();
    first.ejection.onFailure(0, 'refused', rig.clock.nowMs);
    rig.spec = { ...rig.spec, outlier: null };
    const second = rig.worker(algorithmNamed('round-robin'), first);
    expect(pickedIndexes(second)).toEqual([0, 1]);
    expect(rig.poolRow.ejected).toBe(0);
  });
});
