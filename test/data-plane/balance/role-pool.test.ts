/** A role pool in a worker: one backend and no other, at the very moment of a pick. */
import { describe, expect, it } from 'vitest';
import { tableTime } from '../../../src/shared/backend-table.ts';
import { healthSpec } from '../../support/backend-rig.ts';
import { BalanceRig } from '../../support/balance-rig.ts';

const rolePool = (): BalanceRig => new BalanceRig([{}, {}, { priority: 1 }], { panicShare: 0, health: [healthSpec({ role: 'primary' })] });
const picks = (balancer: ReturnType<BalanceRig['worker']>): number[] => [...new Set(Array.from({ length: 20 }, () => balancer.pick(0, null)))].sort();

describe('a role pool', () => {
  it('picks the one that is not withdrawn, whatever the verdicts of the others', () => {
    const rig = rolePool();
    rig.change((rows) => rows.forEach((row, i) => (row.withdrawn = i !== 2)));
    expect(picks(rig.worker())).toEqual([2]);
  });

  it('picks none while all are withdrawn, or the one is down: it never panics', () => {
    const rig = rolePool();
    const balancer = rig.worker();
    rig.change((rows) => rows.forEach((row) => (row.withdrawn = true)));
    expect(picks(balancer)).toEqual([-1]);
    rig.change((rows) => Object.assign(rows[0]!, { withdrawn: false, verdict: 'down' }));
    expect(picks(balancer)).toEqual([-1]);
    expect(balancer.isPanicking).toBe(false);
  });

  it('looks at the row itself: candidates of a moment ago do not count', () => {
    const rig = rolePool();
    rig.change((rows) => rows.forEach((row, i) => (row.withdrawn = i !== 0)));
    const balancer = rig.worker();
    expect(picks(balancer)).toEqual([0]);
    // No epoch has moved yet.
    rig.rows[0]!.withdrawn = true;
    expect(picks(balancer)).toEqual([-1]);
  });

  it('picks none from the moment at which its fence ends it, and again when that is moved', () => {
    const rig = rolePool();
    rig.change((rows) => rows.forEach((row, i) => (row.withdrawn = i !== 0)));
    const balancer = rig.worker();
    rig.poolRow.fence(tableTime(rig.clock.nowMs + 3000));
    expect(picks(balancer)).toEqual([0]);
    rig.clock.nowMs += 2999;
    expect(picks(balancer)).toEqual([0]);
    rig.clock.nowMs += 1;
    expect(picks(balancer)).toEqual([-1]);
    expect(balancer.isServed(0)).toBe(false);
    rig.poolRow.fence(tableTime(rig.clock.nowMs + 1000));
    expect(picks(balancer)).toEqual([0]);
    rig.poolRow.fence(null);
    rig.clock.nowMs += 10_000;
    expect(picks(balancer)).toEqual([0]);
  });

  it('gives no place to a connection once it is withdrawn, and counts none', () => {
    const { rows } = rolePool();
    expect(rows[0]!.takeConnection(0)).toBe(true);
    rows[0]!.withdrawn = true;
    expect(rows[0]!.takeConnection(0)).toBe(false);
    expect(rows[0]!.connections).toBe(1);
  });
});
