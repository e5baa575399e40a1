import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hash32, mix32 } from '../../../src/base/hash.ts';
import type { Member } from '../../../src/control-plane/membership/membership.ts';
import { dutyCandidates, ProbeDuty, type DutyCandidate } from '../../../src/control-plane/membership/probe-duty.ts';
import type { MemberState } from '../../../src/control-plane/store/tier-store.ts';

const checks = (count: number): string[] => Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}:80 http`);
const candidates = (count: number, zones = 1): DutyCandidate[] => Array.from({ length: count }, (_, i) => ({ id: `proxy-${i}`, zone: zones === 1 ? '' : `z${i % zones}` }));

function dutyOf(members: readonly DutyCandidate[], k: number, of: readonly string[], self = 'proxy-0'): ProbeDuty {
  const duty = new ProbeDuty(self);
  duty.setCandidates(members, k);
  duty.setChecks(of);
  return duty;
}

/** The choice as the page says it, in the plainest way. */
function chosenPlainly(check: string, members: readonly DutyCandidate[], k: number): string[] {
  const left = members.map((member) => ({ ...member, score: mix32(hash32(check) ^ hash32(member.id)) })).sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
  const counts = new Map<string, number>();
  const chosen: string[] = [];
  while (chosen.length < k && left.length > 0) {
    const least = Math.min(...left.map(({ zone }) => counts.get(zone) ?? 0));
    const index = left.findIndex(({ zone }) => (counts.get(zone) ?? 0) === least);
    const [next] = left.splice(index, 1);
    counts.set(next!.zone, least + 1);
    chosen.push(next!.id);
  }
  return chosen;
}

const anyMembers = fc.uniqueArray(fc.record({ id: fc.string({ minLength: 1, maxLength: 4 }), zone: fc.constantFrom('', 'a', 'b', 'c') }), { selector: ({ id }) => id, minLength: 1, maxLength: 12 });

describe('duty', () => {
  it('is that of exactly k members, who all agree, each at a place of its own', () => {
    fc.assert(
      fc.property(anyMembers, fc.integer({ min: 1, max: 4 }), (members, k) => {
        const of = checks(20);
        const duties = members.map(({ id }) => dutyOf(members, k, of, id));
        const count = Math.min(k, members.length);
        for (const check of of) {
          const places = duties.map((duty) => duty.place(check)).filter((place) => place !== null);
          expect(places.map(({ index }) => index).sort()).toEqual(Array.from({ length: count }, (_, i) => i));
          expect(places.every((place) => place.of === count)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('kept through any changes is what the page says of the members there are', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyMembers, fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 8 }), (steps) => {
        const of = checks(10);
        const duty = dutyOf([], 1, of);
        for (const [members, k] of steps) {
          const before = of.map((check) => duty.place(check));
          const moved = duty.setCandidates(members, k);
          for (const check of of) expect(duty.probersOf(check)).toEqual(chosenPlainly(check, members, k));
          expect([...moved].sort()).toEqual(of.filter((check, i) => JSON.stringify(before[i]) !== JSON.stringify(duty.place(check))).sort());
        }
      }),
      { numRuns: 200 },
    );
  });

  it('has no two probers of a check in one zone while another has a candidate', () => {
    const duty = dutyOf([...candidates(12, 3), { id: 'far', zone: 'far' }], 3, checks(500));
    const zoneOf = (id: string): string => (id === 'far' ? 'far' : `z${Number(id.split('-')[1]) % 3}`);
    for (const check of checks(500)) expect(new Set(duty.probersOf(check).map(zoneOf)).size).toBe(3);
  });

  it('moves only what it must when a member leaves or joins', () => {
    const of = checks(2000);
    const members = candidates(20);
    const duty = dutyOf(members, 3, of);
    const before = new Map(of.map((check) => [check, duty.probersOf(check)]));
    duty.setCandidates(members.slice(0, 19), 3);
    for (const check of of) {
      const others = before.get(check)!.filter((id) => id !== 'proxy-19');
      expect(duty.probersOf(check)).toEqual(expect.arrayContaining([...others]));
      if (others.length === 3) expect(duty.probersOf(check)).toEqual(others);
    }
    duty.setCandidates(members, 3);
    for (const check of of) expect(duty.probersOf(check)).toEqual(before.get(check));
  });

  it('is shared out evenly', () => {
    const members = candidates(20);
    const duty = dutyOf(members, 3, checks(10_000));
    const counts = new Map<string, number>();
    for (const check of checks(10_000)) for (const id of duty.probersOf(check)) counts.set(id, (counts.get(id) ?? 0) + 1);
    // Binomial with n = 10,000 and p = 3/20: mean 1500, deviation 36; five of them either way.
    for (const { id } of members) expect(Math.abs((counts.get(id) ?? 0) - 1500)).toBeLessThan(5 * 36);
  });

  it('ends with its check', () => {
    const duty = dutyOf(candidates(1), 1, checks(2));
    const [first, second] = checks(2) as [string, string];
    duty.remove(first);
    expect(duty.place(first)).toBeNull();
    expect([...duty.mine()]).toEqual([[second, { index: 0, of: 1 }]]);
    duty.setChecks(['other']);
    expect([...duty.mine()].map(([check]) => check)).toEqual(['other']);
    expect(duty.add('other')).toEqual({ index: 0, of: 1 });
  });
});

describe('candidates', () => {
  const member = (id: string, state: MemberState, readySinceMs = 0): Member => ({
    id,
    incarnation: id,
    state,
    readySinceMs,
    record: { zone: 'z', addresses: [], sinceMs: 0, software: '', protocol: 1, reason: '', history: '' },
  });
  const ids = (members: Member[], probers = 3): string[] => dutyCandidates(members, { tierMs: 10_000, leaseMs: 3000, probers }).candidates.map(({ id }) => id);

  it('are members ready for a lease, while there are k of them', () => {
    const members = [member('a', 'ready', 1000), member('b', 'ready', 7000), member('c', 'ready', 7001), member('d', 'joining'), member('e', 'failed')];
    expect(ids(members, 2)).toEqual(['a', 'b']);
    expect(ids(members, 3)).toEqual(['a', 'b', 'c']);
  });

  it('are k of those ready: two alone do not ask for a third', () => {
    const two = dutyCandidates([member('a', 'ready', 1), member('b', 'ready', 1), member('c', 'joining')], { tierMs: 10_000, leaseMs: 3000, probers: 3 });
    expect(two).toEqual({ candidates: [{ id: 'a', zone: 'z' }, { id: 'b', zone: 'z' }], probers: 2 });
  });

  it('are others while nobody is ready: who joins, then who drains, then whoever lives', () => {
    expect(ids([member('a', 'joining'), member('b', 'draining'), member('c', 'failed')])).toEqual(['a']);
    expect(ids([member('b', 'draining'), member('c', 'failed')])).toEqual(['b']);
    expect(ids([member('c', 'failed')])).toEqual(['c']);
  });
});
