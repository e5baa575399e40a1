import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newestClaim, nextRoleStep, type RoleClaim } from '../../../src/control-plane/roles/next-role-step.ts';
import type { RoleRecord } from '../../../src/control-plane/store/role-records.ts';

const claim = (address: string, sinceMs = 0, stands = true): RoleClaim => ({ address, sinceMs, stands });
const record = (address: string, phase: RoleRecord['phase'] = 'admitted'): RoleRecord => ({ address, phase, epoch: 7, sinceMs: 1 });

describe('the next step of a role pool', () => {
  it('is for the newest claim when there is no record, and for nobody without a claim', () => {
    expect(nextRoleStep(null, [claim('a', 1), claim('b', 3), claim('c', 2)])).toEqual({ kind: 'move', address: 'b' });
    expect(nextRoleStep(null, [claim('a', 1, false)])).toEqual({ kind: 'wait' });
    expect(nextRoleStep(null, [])).toEqual({ kind: 'wait' });
  });

  it('leaves the primary of the current epoch while its claim stands, whoever else claims it', () => {
    expect(nextRoleStep(record('a'), [claim('a', 1), claim('b', 3)])).toEqual({ kind: 'wait' });
    expect(nextRoleStep(record('a', 'withdrawing'), [claim('a', 1), claim('b', 3)])).toEqual({ kind: 'admit' });
  });

  it('moves on only to one whose claim stands', () => {
    expect(nextRoleStep(record('a'), [claim('a', 1, false), claim('b', 3)])).toEqual({ kind: 'move', address: 'b' });
    expect(nextRoleStep(record('a', 'withdrawing'), [claim('a', 1, false), claim('b', 3)])).toEqual({ kind: 'move', address: 'b' });
    expect(nextRoleStep(record('a'), [claim('a', 1, false), claim('b', 3, false)])).toEqual({ kind: 'wait' });
    expect(nextRoleStep(record('a', 'withdrawing'), [claim('a', 1, false)])).toEqual({ kind: 'wait' });
  });

  it('moves on from one that has left the config', () => {
    expect(nextRoleStep(record('gone'), [claim('a'), claim('b')])).toEqual({ kind: 'move', address: 'a' });
  });

  it('never names one without a claim, and takes the first of claims of one age', () => {
    const claims = fc.array(fc.record({ address: fc.constantFrom('a', 'b', 'c'), sinceMs: fc.integer({ min: 0, max: 3 }), stands: fc.boolean() }), { maxLength: 4 });
    fc.assert(
      fc.property(claims, (all) => {
        const standing = all.filter(({ stands }) => stands);
        const newest = Math.max(...standing.map(({ sinceMs }) => sinceMs));
        expect(newestClaim(all)).toBe(standing.find(({ sinceMs }) => sinceMs === newest)?.address ?? null);
      }),
    );
  });
});
