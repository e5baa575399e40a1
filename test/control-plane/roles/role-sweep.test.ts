/** When the leader removes the record of a pool that has no role any more. */
import { afterEach, expect, test } from 'vitest';
import { besideText } from '../../../src/control-plane/membership/beside.ts';
import { RoleSweep, type RoleSweepOptions } from '../../../src/control-plane/roles/role-sweep.ts';
import type { RoleRecord } from '../../../src/control-plane/store/role-records.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const LEASE_MS = 3000;

class SweepRig {
  readonly clock = new VirtualClock();
  readonly foreign = new Map<string, RoleRecord>();
  /** Sha of the config each member says it runs; undefined: it has said nothing. */
  readonly runs = new Map<string, string | undefined>([['a', 'x'], ['b', 'x']]);
  /** `admit` or `remove`, with the epoch. */
  readonly steps: string[] = [];
  leads = true;
  readonly sweep: RoleSweep;

  constructor() {
    const store = {
      beside: (ids: readonly string[]) => Promise.resolve(new Map(ids.flatMap((id) => {
        const sha = this.runs.get(id);
        return sha === undefined ? [] : [[id, besideText({ config: { number: 1, sha, effectiveSha: sha } })] as const];
      }))),
      admitRole: ({ expectedEpoch }: { expectedEpoch: number }) => Promise.resolve(void this.steps.push(`admit ${expectedEpoch}`)),
      moveRole: ({ expectedEpoch, address }: { expectedEpoch: number; address: string | null }) => Promise.resolve(void this.steps.push(`${address === null ? 'remove' : 'move'} ${expectedEpoch}`)),
    };
    const membership = { id: 'a', members: this.runs, state: { phase: 'connected', reason: '' }, store, caller: () => ({ member: 'a', incarnation: 'a.1' }), hurry: () => undefined };
    Object.defineProperty(membership, 'leads', { get: () => this.leads });
    this.sweep = new RoleSweep({ clock: this.clock, leaseMs: () => LEASE_MS, foreign: this.foreign, membership: membership as unknown as RoleSweepOptions['membership'] });
  }

  hold(phase: RoleRecord['phase'], epoch: number): void {
    this.foreign.set('db', { phase, epoch, address: '10.0.0.1:6379', sinceMs: 0 });
    this.sweep.foreignSeen();
  }
}

let rig: SweepRig;
const started = (): SweepRig => (rig = new SweepRig());
afterEach(() => rig.sweep.stop());

test('after a lease, and only once whoever withdraws has nothing more to tell', async () => {
  const { clock, steps } = started();
  rig.hold('withdrawing', 7);
  await clock.advance(LEASE_MS - 1);
  expect(steps).toEqual([]);
  await clock.advance(2);
  expect(steps).toEqual(['admit 7']);
  rig.hold('admitted', 7);
  await clock.advance(LEASE_MS + 1);
  expect(steps).toEqual(['admit 7', 'remove 7']);
});

test.each([['runs another config', 'y'], ['has not said what it runs', undefined]])('not while a member %s', async (_how, sha) => {
  const { clock, steps, runs } = started();
  runs.set('b', sha);
  rig.hold('admitted', 7);
  await clock.advance(4 * LEASE_MS);
  expect(steps).toEqual([]);
  runs.set('b', 'x');
  await clock.advance(LEASE_MS + 1);
  expect(steps).toEqual(['remove 7']);
});

test('by the leader alone, and by whoever leads later', async () => {
  const { clock, steps } = started();
  rig.leads = false;
  rig.hold('admitted', 7);
  await clock.advance(4 * LEASE_MS);
  expect(steps).toEqual([]);
  rig.leads = true;
  await clock.advance(LEASE_MS + 1);
  expect(steps).toEqual(['remove 7']);
});

test('of a tier of one without asking what it runs', async () => {
  const { clock, steps, runs } = started();
  runs.clear();
  rig.hold('admitted', 7);
  await clock.advance(LEASE_MS + 1);
  expect(steps).toEqual(['remove 7']);
});
