import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PoolBalancer } from '../../../src/data-plane/balance/candidates.ts';
import { servingBackends } from '../../../src/shared/usable-backends.ts';
import { algorithmNamed, BalanceRig, outlierDefaults, ownAlgorithm, pickedIndexes } from '../../support/balance-rig.ts';

describe('keeps in step with the rows', () => {
  test('a verdict, a state, a weight count from the next pick after the epoch moved', () => {
    const rig = new BalanceRig([{}, {}, {}], { panicShare: 0 });
    const balancer = rig.worker();
    expect(pickedIndexes(balancer)).toEqual([0, 1, 2]);
    rig.rows[0]!.verdict = 'down';
    expect(pickedIndexes(balancer), 'nobody said so yet').toEqual([0, 1, 2]);
    rig.poolRow.bumpEpoch();
    expect(pickedIndexes(balancer)).toEqual([1, 2]);
    rig.change((rows) => (rows[1]!.state = 'drain'));
    expect(pickedIndexes(balancer)).toEqual([2]);
    rig.change((rows) => (rows[2]!.weight = 0));
    expect(balancer.pick(0, null)).toBe(-1);
    expect(balancer.candidateCount).toBe(0);
    rig.change((rows) => (rows[0]!.verdict = 'up'));
    expect(pickedIndexes(balancer)).toEqual([0]);
  });

  test('a changed weight changes the shares', () => {
    const rig = new BalanceRig([{}, {}]);
    const balancer = rig.worker();
    rig.change((rows) => (rows[0]!.weight = 9));
    const counts = [0, 0];
    for (let i = 0; i < 1000; i++) counts[balancer.pick(0, null)]!++;
    expect(counts).toEqual([900, 100]);
  });

  test('makes the algorithm anew only if its candidates changed', () => {
    const rig = new BalanceRig([{}, {}, { state: 'drain' }]);
    let made = 0;
    const balancer = rig.worker(ownAlgorithm(() => ({ pick: () => 0, made: made++ })));
    expect(made).toBe(1);
    balancer.pick(0, null);
    rig.change((rows) => (rows[2]!.verdict = 'down'));
    balancer.pick(0, null);
    expect(made, 'a verdict about a backend that is drained anyway').toBe(1);
    rig.change((rows) => (rows[2]!.state = 'ready'));
    rig.change((rows) => (rows[2]!.verdict = 'up'));
    balancer.pick(0, null);
    expect(made).toBe(2);
  });

  test('an ejection ends without anyone saying so', () => {
    const rig = new BalanceRig([{}, {}], { outlier: outlierDefaults });
    const balancer = rig.worker();
    balancer.ejection.onFailure(0, 'refused', rig.clock.nowMs);
    const { forMs } = rig.ejections[0]!;
    expect(pickedIndexes(balancer)).toEqual([1]);
    rig.clock.nowMs += forMs - 1;
    expect(pickedIndexes(balancer)).toEqual([1]);
    rig.clock.nowMs += 1;
    expect(pickedIndexes(balancer)).toEqual([0, 1]);
    expect(rig.poolRow.ejected).toBe(0);
  });

  test('a table that takes long to build is not built for each of many changes', () => {
    const rig = new BalanceRig([{}, {}, {}]);
    let made = 0;
    const slow = ownAlgorithm((candidates) => {
      made++;
      rig.clock.nowMs += 20;
      return { pick: () => candidates.length - 1 };
    });
    const balancer = rig.worker(slow);
    rig.change((rows) => (rows[0]!.verdict = 'down'));
    balancer.pick(0, null);
    expect(made).toBe(2);
    rig.change((rows) => (rows[0]!.verdict = 'up'));
    for (let i = 0; i < 100; i++) balancer.pick(0, null);
    expect(made).toBe(2);
    rig.clock.nowMs += 200;
    balancer.pick(0, null);
    expect(made).toBe(3);
    expect(balancer.candidateCount).toBe(3);
  });
});

describe('panic', () => {
  test('is served, shown in the pool row, and ends', () => {
    const rig = new BalanceRig([{}, {}, {}]);
    const balancer = rig.worker();
    expect(rig.poolRow.panic).toBe(false);
    rig.change((rows) => (rows[0]!.verdict = rows[1]!.verdict = 'down'));
    expect(pickedIndexes(balancer)).toEqual([0, 1, 2]);
    expect([balancer.isPanicking, rig.poolRow.panic]).toEqual([true, true]);
    rig.change((rows) => (rows[1]!.verdict = 'up'));
    expect(pickedIndexes(balancer)).toEqual([1, 2]);
    expect([balancer.isPanicking, rig.poolRow.panic]).toEqual([false, false]);
  });

  test('a config that is only prepared says nothing in shared memory', () => {
    const rig = new BalanceRig([{}, {}, {}], { panicShare: 1 });
    rig.rows[0]!.verdict = 'down';
    const { spec, poolRow: pool, rows: backends } = rig;
    const prepared = new PoolBalancer({ spec, algorithm: algorithmNamed('random'), pool, backends }, rig.environment());
    expect([prepared.isPanicking, rig.poolRow.panic]).toEqual([true, false]);
    prepared.activate();
    expect(rig.poolRow.panic).toBe(true);
  });
});

describe('passing over', () => {
  test('speaks of file indexes, whatever the candidates are', () => {
    const rig = new BalanceRig([{ state: 'drain' }, {}, { state: 'drain' }, {}]);
    const balancer = rig.worker(algorithmNamed('first'));
    expect(balancer.pick(0, null)).toBe(1);
    expect(balancer.pick(0, (index) => index === 1)).toBe(3);
    expect(balancer.pick(0, (index) => index === 1 || index === 3)).toBe(-1);
    expect(balancer.pick(0, null)).toBe(1);
  });

  test('first takes the lower priority last when it joins', () => {
    const rig = new BalanceRig([{ priority: 1 }, {}, {}, {}]);
    rig.change((rows) => (rows[1]!.verdict = rows[2]!.verdict = 'down'));
    const balancer = rig.worker(algorithmNamed('first'));
    expect(balancer.pick(0, null)).toBe(3);
    expect(balancer.pick(0, (index) => index === 3)).toBe(0);
  });
});

test('the key is the configured one, the algorithm own one, or none', () => {
  const rig = new BalanceRig([{}]);
  rig.spec = { ...rig.spec, algorithm: { ...rig.spec.algorithm, key: { kind: 'header', name: 'x-user' } } };
  expect(rig.worker(algorithmNamed('maglev')).key).toEqual({ kind: 'header', name: 'x-user' });
  expect(rig.worker(algorithmNamed('source-hash')).key).toEqual({ kind: 'client-ip', name: '' });
  expect(rig.worker(algorithmNamed('round-robin')).key).toBeNull();
});

test('after any changes it picks exactly those the rule names', () => {
  const change = fc.record({
    index: fc.integer({ min: 0, max: 4 }),
    verdict: fc.constantFrom('up', 'down', 'unknown'),
    state: fc.constantFrom('ready', 'ready', 'drain'),
    weight: fc.integer({ min: 0, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), fc.constantFrom(0, 0.5, 1), (changes, panicShare) => {
      const rig = new BalanceRig([{}, {}, {}, { priority: 1 }, { priority: 1 }], { panicShare });
      const balancer = rig.worker();
      for (const { index, verdict, state, weight } of changes) {
        rig.change((rows) => Object.assign(rows[index]!, { verdict, state, weight }));
        const standings = rig.rows.map((row, i) => ({
          state: row.state,
          weight: row.weight,
          verdict: row.verdict,
          ejected: row.ejected,
          priority: rig.spec.backends[i]!.priority,
        }));
        const { indexes, panic } = servingBackends(standings, panicShare);
        expect(pickedIndexes(balancer, 30)).toEqual(indexes.length === 0 ? [-1] : [...indexes].sort());
        expect(balancer.isPanicking).toBe(panic);
        expect(balancer.candidateCount).toBe(indexes.length);
      }
    }),
    { numRuns: 60 },
  );
});
