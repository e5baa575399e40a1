import { describe, expect, test } from 'vitest';
import { Ejection, type FailureKind } from '../../../src/data-plane/balance/ejection.ts';
import { ejectionLimit } from '../../../src/shared/ejections.ts';
import type { OutlierSpec } from '../../../src/shared/snapshot.ts';
import { BalanceRig, outlierDefaults } from '../../support/balance-rig.ts';

function ejectionOf(rig: BalanceRig, outlier: OutlierSpec | null = outlierDefaults): Ejection {
  return new Ejection(outlier, rig.poolRow, rig.rows, rig.environment());
}

function backends(count: number): BalanceRig {
  return new BalanceRig(new Array<object>(count).fill({}));
}

function ejected(rig: BalanceRig): number[] {
  return rig.rows.flatMap((row, i) => (row.ejected ? [i] : []));
}

describe('what ejects', () => {
  test('a refused connect at once', () => {
    const rig = backends(3);
    const epoch = rig.poolRow.epoch;
    expect(ejectionOf(rig).onFailure(1, 'refused', rig.clock.nowMs)).toBe(true);
    expect(ejected(rig)).toEqual([1]);
    expect(rig.poolRow.epoch, 'so that every worker forms its candidates anew').not.toBe(epoch);
    expect(rig.ejections).toMatchObject([{ backendIndex: 1, reason: 'refused' }]);
  });

  test.each<FailureKind>(['timeout', 'reset', 'malformed'])('so many failures in a row: %s', (kind) => {
    const rig = backends(3);
    const ejection = ejectionOf(rig);
    for (let i = 0; i < 4; i++) expect(ejection.onFailure(0, kind, rig.clock.nowMs)).toBe(false);
    expect(ejection.onFailure(0, kind, rig.clock.nowMs)).toBe(true);
    expect(rig.rows[0]!.countFailure(), 'the count starts again').toBe(1);
  });

  test('a success between them starts the count again', () => {
    const rig = backends(3);
    const ejection = ejectionOf(rig);
    for (let i = 0; i < 40; i++) {
      if (i % 4 === 0) ejection.onSuccess(0);
      expect(ejection.onFailure(0, 'reset', rig.clock.nowMs)).toBe(false);
    }
  });

  test('failures count over all workers', () => {
    const rig = backends(3);
    const workers = [ejectionOf(rig), ejectionOf(rig)];
    const made = Array.from({ length: 5 }, (_, i) => workers[i % 2]!.onFailure(0, 'timeout', rig.clock.nowMs));
    expect(made).toEqual([false, false, false, false, true]);
  });

  test('nothing, when outlier is off', () => {
    const rig = backends(3);
    const ejection = ejectionOf(rig, null);
    for (let i = 0; i < 20; i++) expect(ejection.onFailure(0, 'refused', rig.clock.nowMs)).toBe(false);
  });

  test('not what is out already: down, draining, without weight, ejected', () => {
    const rig = backends(6);
    rig.rows[0]!.verdict = 'down';
    rig.rows[1]!.state = 'drain';
    rig.rows[2]!.weight = 0;
    const ejection = ejectionOf(rig);
    expect(ejection.onFailure(3, 'refused', rig.clock.nowMs)).toBe(true);
    for (const index of [0, 1, 2, 3]) expect(ejection.onFailure(index, 'refused', rig.clock.nowMs)).toBe(false);
    expect(rig.poolRow.ejected).toBe(1);
  });
});

describe('how many at once', () => {
  test.each([
    [1, 0.5, 0],
    [1, 1, 0],
    [2, 0.5, 1],
    [2, 0.1, 1],
    [2, 1, 1],
    [3, 0.5, 1],
    [10, 0.5, 5],
    [10, 0.29, 2],
    [100, 0.29, 29],
    [10, 1, 9],
    [0, 1, 0],
  ])('of %d backends with a share of %d: %d', (count, share, limit) => expect(ejectionLimit(count, share)).toBe(limit));

  test('the share is kept', () => {
    const rig = backends(6);
    const ejection = ejectionOf(rig);
    for (let index = 0; index < 6; index++) ejection.onFailure(index, 'refused', rig.clock.nowMs);
    expect(ejected(rig)).toEqual([0, 1, 2]);
    expect(rig.poolRow.ejected).toBe(3);
  });

  test('the last usable one stays, whatever took out the others', () => {
    const rig = backends(10);
    for (const row of rig.rows.slice(2)) row.verdict = 'down';
    const ejection = ejectionOf(rig);
    expect(ejection.onFailure(0, 'refused', rig.clock.nowMs)).toBe(true);
    expect(ejection.onFailure(1, 'refused', rig.clock.nowMs)).toBe(false);
    expect(rig.poolRow.ejected).toBe(1);
  });
});

describe('for how long', () => {
  /** Ejects backend 0 again as soon as it is back; the durations. */
  function durations(rig: BalanceRig, times: number, pauseMs = 0): number[] {
    const ejection = ejectionOf(rig);
    for (let i = 0; i < times; i++) {
      ejection.onFailure(0, 'refused', rig.clock.nowMs);
      rig.clock.nowMs += rig.ejections.at(-1)!.forMs;
      ejection.readmitExpired(rig.clock.nowMs);
      rig.clock.nowMs += pauseMs;
    }
    return rig.ejections.map(({ forMs }) => forMs);
  }

  test('a second, doubling up to ejectFor, a tenth less at most', () => {
    const made = durations(backends(2), 8);
    for (const [i, fullMs] of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000].entries()) {
      expect(made[i]).toBeLessThanOrEqual(fullMs);
      expect(made[i]).toBeGreaterThanOrEqual(fullMs * 0.9);
    }
    expect(new Set(made.slice(-3)).size, 'jittered').toBe(3);
  });

  test('a second again after it went ejectFor without one', () => {
    for (const forMs of durations(backends(2), 5, 30_001)) expect(forMs).toBeLessThanOrEqual(1000);
  });

  test('readmitted by the tick when the time has ended, not before', () => {
    const rig = backends(2);
    const ejection = ejectionOf(rig);
    ejection.onFailure(0, 'refused', rig.clock.nowMs);
    const { forMs } = rig.ejections[0]!;
    ejection.readmitExpired(rig.clock.nowMs + forMs - 1);
    expect(ejected(rig)).toEqual([0]);
    const epoch = rig.poolRow.epoch;
    ejection.readmitExpired(rig.clock.nowMs + forMs);
    expect(ejected(rig)).toEqual([]);
    expect(rig.poolRow.ejected).toBe(0);
    expect(rig.poolRow.epoch).not.toBe(epoch);
  });

  test('across the wrap of the table time', () => {
    const rig = backends(2);
    rig.clock.nowMs = 2 ** 31 - 500;
    const ejection = ejectionOf(rig);
    ejection.onFailure(0, 'refused', rig.clock.nowMs);
    ejection.readmitExpired(rig.clock.nowMs + 600);
    expect(ejected(rig)).toEqual([0]);
    ejection.readmitExpired(rig.clock.nowMs + 1000);
    expect(ejected(rig)).toEqual([]);
  });
});
