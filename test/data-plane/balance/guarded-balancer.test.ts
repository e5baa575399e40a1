/** A user's algorithm that fails costs evenness, never traffic. */
import { describe, expect, test } from 'vitest';
import type { BalancerDefinition } from '../../../src/data-plane/balance/balancer.ts';
import { BalanceRig, ownAlgorithm, pickedIndexes } from '../../support/balance-rig.ts';

const threeReady = (): BalanceRig => new BalanceRig([{}, {}, {}]);

describe('a pick that fails', () => {
  test.each<[string, () => unknown]>([
    ['throws', () => { throw new Error('no idea'); }],
    ['throws what is no error', () => { throw Object.create(null); }],
    ['answers nothing', () => undefined],
    ['answers text', () => '1'],
    ['answers a fraction', () => 0.5],
    ['answers beyond the last', () => 3],
    ['answers -1 although some are left', () => -1],
    ['answers -2', () => -2],
    ['answers NaN', () => NaN],
    ['answers a promise', () => Promise.resolve(0)],
  ])('%s: round robin picks, and it is counted', (_, pick) => {
    const rig = threeReady();
    const balancer = rig.worker(ownAlgorithm((() => ({ pick })) as unknown as BalancerDefinition['create']));
    expect(Array.from({ length: 6 }, () => balancer.pick(0, null))).toEqual([0, 1, 2, 0, 1, 2]);
    expect(balancer.faults).toBe(6);
    expect(rig.logged).toHaveLength(1);
  });

  test('answers one that is passed over: another is picked', () => {
    const balancer = threeReady().worker(ownAlgorithm(() => ({ pick: () => 0 })));
    expect(balancer.pick(0, null)).toBe(0);
    expect(balancer.pick(0, (index) => index === 0)).toBe(1);
    expect(balancer.faults).toBe(1);
  });

  test('-1 is right when all are passed over', () => {
    const balancer = threeReady().worker(ownAlgorithm(() => ({ pick: () => -1 })));
    expect(balancer.pick(0, () => true)).toBe(-1);
    expect(balancer.faults).toBe(0);
  });

  test('is logged again after ten seconds, not before', () => {
    const rig = threeReady();
    const balancer = rig.worker(ownAlgorithm(() => ({ pick: () => 99 })));
    for (const waitMs of [0, 9_999, 1]) {
      rig.clock.nowMs += waitMs;
      for (let i = 0; i < 10; i++) balancer.pick(0, null);
    }
    expect(rig.logged).toHaveLength(2);
    expect(rig.logged[0]).toContain('99');
  });
});

describe('an instance that cannot be made', () => {
  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['an object without pick', {}],
    ['a promise', Promise.resolve({ pick: () => 0 })],
  ])('%s refuses the config', (_, made) => {
    expect(() => threeReady().worker(ownAlgorithm((() => made) as BalancerDefinition['create']))).toThrow('pick function');
  });

  test('a throw refuses the config, also while nobody is up yet', () => {
    const rig = new BalanceRig([{}, {}], { panicShare: 0 });
    for (const row of rig.rows) row.verdict = 'unknown';
    const create = (candidates: readonly unknown[]): never => {
      throw new Error(`cannot take ${candidates.length}`);
    };
    expect(() => rig.worker(ownAlgorithm(create))).toThrow('cannot take 2');
  });

  test('while traffic flows round robin serves until the next change', () => {
    const rig = threeReady();
    const balancer = rig.worker(
      ownAlgorithm((candidates) => {
        if (candidates.length === 2) throw new Error('two are not enough');
        return { pick: () => 0 };
      }),
    );
    expect(pickedIndexes(balancer)).toEqual([0]);
    rig.change((rows) => (rows[0]!.verdict = 'down'));
    expect(pickedIndexes(balancer)).toEqual([1, 2]);
    expect(rig.logged[0]).toContain('two are not enough');
    rig.change((rows) => (rows[0]!.verdict = 'up'));
    expect(pickedIndexes(balancer)).toEqual([0]);
    expect(balancer.faults).toBe(1);
  });
});
