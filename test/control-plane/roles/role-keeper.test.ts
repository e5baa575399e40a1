/** Role pools in virtual time: who is served when, by which record, and by whom it is let go. */
import { afterEach, describe, expect, it } from 'vitest';
import { healthSpec } from '../../support/backend-rig.ts';
import { A, B, LEASE_MS, RoleTier, type RoleMember, type RoleTierOptions } from '../../support/role-tier.ts';

let tier: RoleTier;
afterEach(() => tier.stop());

async function started(ids: readonly string[], options: RoleTierOptions = {}): Promise<RoleMember[]> {
  tier = new RoleTier(options);
  const members = await tier.up(...ids);
  expect(tier.serving).toEqual(ids.map(() => A));
  return members;
}

const epochOf = ({ keeper }: RoleMember): number => keeper.get('db')!.known!.epoch;

describe('a role pool', () => {
  it('serves one primary on all members, by one record', async () => {
    const members = await started(['a', 'b', 'c']);
    expect(new Set(members.map(epochOf)).size).toBe(1);
    expect(members[0]!.backends.row('db', B).withdrawn).toBe(true);
    for (const { events } of members) expect(events).toEqual([{ pool: 'db', address: A, former: null, epoch: epochOf(members[0]!), byTier: true }]);
  });

  it('stays with its primary while that claims it, whoever else does; then the newest takes over', async () => {
    const [a] = await started(['a', 'b', 'c']);
    const epoch = epochOf(a!);
    tier.claim(A, B);
    await tier.clock.advance(5000);
    expect(tier.serving).toEqual([A, A, A]);
    expect(epochOf(a!)).toBe(epoch);
    tier.claim(B);
    await tier.clock.advance(1000);
    expect(tier.serving).toEqual([B, B, B]);
    expect(epochOf(a!)).toBeGreaterThan(epoch);
  });

  it('keeps its record while nobody claims it, and goes on with the same one', async () => {
    const [a] = await started(['a', 'b']);
    const epoch = epochOf(a!);
    tier.claim();
    await tier.clock.advance(5000);
    tier.claim(A);
    await tier.clock.advance(1000);
    expect(tier.serving).toEqual([A, A]);
    expect(epochOf(a!)).toBe(epoch);
  });

  it('gives nobody the next one while a connection to the former is open anywhere', async () => {
    const [, , c] = await started(['a', 'b', 'c']);
    const former = c!.backends.row('db', A);
    former.takeConnection(0);
    tier.claim(B);
    await tier.clock.advance(4000);
    expect(tier.serving).toEqual([null, null, null]);
    // Nothing new is opened to it meanwhile.
    expect(former.takeConnection(0)).toBe(false);
    const leader = tier.members.find(({ link }) => link.leads)!;
    expect(leader.keeper.get('db')!.status.waitsFor).toEqual(['c']);
    former.releaseConnections(1);
    await tier.clock.advance(1000);
    expect(tier.serving).toEqual([B, B, B]);
  });

  it('waits for a member that is cut off until its lease ended half a lease ago', async () => {
    const [a, b, c] = await started(['a', 'b', 'c']);
    c!.isCut = true;
    const cutMs = tier.clock.monotonicMs();
    a!.claim(B);
    b!.claim(B);
    while (a!.serving !== B) {
      await tier.clock.advance(10);
      expect(tier.clock.monotonicMs()).toBeLessThan(cutMs + 3 * LEASE_MS);
      if (c!.serving === A && c!.link.state.phase !== 'autonomous') expect([a!.serving, b!.serving]).not.toContain(B);
    }
    expect(tier.clock.monotonicMs() - cutMs).toBeGreaterThanOrEqual(1.5 * LEASE_MS - 1100);
    // Its own probes still see the former: without a fence it goes by them, and back it goes by the tier.
    expect(c!.serving).toBe(A);
    c!.isCut = false;
    await tier.clock.advance(1500);
    expect(c!.serving).toBe(B);
  });

  it('goes by its own probes when cut off, and by the tier again without letting go of what works', async () => {
    const [a, b] = await started(['a', 'b']);
    for (const member of [a!, b!]) member.isCut = true;
    await tier.clock.advance(LEASE_MS + 100);
    tier.claim(B);
    expect(tier.serving).toEqual([B, B]);
    expect(a!.keeper.get('db')!.status).toMatchObject({ primary: B, byTier: false });
    const told = [a!, b!].map(({ events }) => events.length);
    for (const member of [a!, b!]) member.isCut = false;
    expect(await tier.watch(10_000)).toEqual([B]);
    // Not for a moment either.
    expect([a!, b!].map(({ events }) => events.length)).toEqual(told);
    expect(a!.keeper.get('db')!.status).toMatchObject({ primary: B, byTier: true, phase: 'admitted' });
  });

  it('is restored in a store that was flushed, and serves on meanwhile', async () => {
    const [a] = await started(['a', 'b', 'c']);
    const epoch = epochOf(a!);
    tier.store.flush();
    for (let i = 0; i < 100; i++) {
      await tier.clock.advance(100);
      expect(tier.serving).toEqual([A, A, A]);
    }
    expect(epochOf(a!)).toBeGreaterThan(epoch);
    expect(a!.keeper.get('db')!.status.phase).toBe('admitted');
  });

  it('does not go back when a failover loses the switch', async () => {
    await started(['a', 'b', 'c']);
    const behind = tier.store.snapshot();
    tier.claim(B);
    await tier.clock.advance(1000);
    expect(tier.serving).toEqual([B, B, B]);
    tier.store.restoreSnapshot(behind);
    for (let i = 0; i < 100; i++) {
      await tier.clock.advance(100);
      expect(tier.serving).toEqual([B, B, B]);
    }
  });

  it('of a tier of one serves at once', async () => {
    tier = new RoleTier({ fence: true, hasStore: false });
    const [a] = [await tier.up('a')].flat();
    expect(a!.serving).toBe(A);
    a!.claim(B);
    await tier.clock.advance(200);
    expect(a!.serving).toBe(B);
  });

  it('lets its backends go when its checks ask for a role no more, and acknowledges for those who still have it', async () => {
    const [a, b] = await started(['a', 'b']);
    const placed = b!.backends.place({ name: 'db', backends: [A, B], health: healthSpec() });
    b!.keeper.apply(placed, true);
    expect(placed.map(({ row }) => row.withdrawn)).toEqual([false, false]);
    expect(b!.keeper.get('db')).toBeNull();
    a!.claim(B);
    await tier.clock.advance(2000);
    expect(a!.serving).toBe(B);
  });

  it('withdraws a primary that has left the config, and waits for its connections', async () => {
    const [a] = await started(['a']);
    const former = a!.backends.row('db', A);
    former.takeConnection(0);
    a!.keeper.apply(a!.backends.place({ name: 'db', backends: [B], health: healthSpec({ role: 'primary' }) }), true);
    a!.backends.row('db', B).verdict = 'up';
    a!.keeper.verdictsChanged(['db']);
    await tier.clock.advance(1000);
    expect(former.withdrawn).toBe(true);
    expect(a!.backends.row('db', B).withdrawn).toBe(true);
    former.releaseConnections(1);
    await tier.clock.advance(1000);
    expect(a!.backends.row('db', B).withdrawn).toBe(false);
  });
});

describe('a fence', () => {
  it('ends the pool a lease after the last answered call was sent, whatever this thread does', async () => {
    const [, , c] = await started(['a', 'b', 'c'], { fence: true });
    // Long enough for each to have been answered a moment ago.
    await tier.clock.advance(100);
    const sentMs = c!.link.answeredSentMs;
    c!.isCut = true;
    c!.keeper.stop();
    while (c!.serving === A) await tier.clock.advance(10);
    expect(tier.clock.monotonicMs() - sentMs).toBeGreaterThanOrEqual(LEASE_MS);
    expect(tier.clock.monotonicMs() - sentMs).toBeLessThanOrEqual(LEASE_MS + 10);
  });

  it('holds what it may have served until nobody can any more', async () => {
    const [a, b, c] = await started(['a', 'b', 'c'], { fence: true });
    c!.isCut = true;
    a!.claim(B);
    b!.claim(B);
    expect(await tier.watch(8000)).toEqual([A, '', B]);
    expect(tier.serving).toEqual([B, B, null]);
    // Its own probes count for nothing.
    c!.claim(B);
    await tier.clock.advance(5000);
    expect(c!.serving).toBeNull();
    expect(c!.keeper.get('db')!.status.isFenced).toBe(true);
    c!.isCut = false;
    await tier.clock.advance(3 * LEASE_MS);
    expect(tier.serving).toEqual([B, B, B]);
  });

  it('is not moved by a store that has lost the record', async () => {
    const [a] = await started(['a', 'b', 'c'], { fence: true });
    const behind = tier.store.snapshot();
    tier.claim(B);
    await tier.clock.advance(1500);
    expect(tier.serving).toEqual([B, B, B]);
    tier.store.restoreSnapshot(behind);
    expect((await tier.watch(15_000)).filter((served) => served !== '')).toEqual([B]);
    expect(tier.serving).toEqual([B, B, B]);
    expect(a!.record).toMatchObject({ address: B, phase: 'admitted' });
  });

  it('gives a newcomer nothing by a record that is lost, until those who went beyond it have stopped', async () => {
    const members = await started(['a', 'b', 'c'], { fence: true });
    const behind = tier.store.snapshot();
    tier.claim(B);
    await tier.clock.advance(1500);
    expect(tier.serving).toEqual([B, B, B]);
    for (const member of members) member.isCut = true;
    tier.store.restoreSnapshot(behind);
    tier.add('d');
    // The others stop within a lease of their last word; only then does the newcomer begin.
    const seen = await tier.watch(4 * LEASE_MS);
    expect(seen).not.toContain(`${A} and ${B}`);
    expect(seen[0]).toBe(B);
    expect(seen.at(-1)).toBe(A);
  });

  it('is not stepped by a newcomer who leads a store that has lost writes, until those whom it lost have stopped', async () => {
    tier = new RoleTier({ fence: true });
    const z = tier.add('z');
    const a = tier.add('a');
    a.link.setState('draining');
    await tier.clock.advance(2 * LEASE_MS);
    z.keeper.stop();
    await z.link.stop();
    tier.members.shift();
    expect(tier.serving).toEqual([A]);
    const behind = tier.store.snapshot();
    const b = tier.add('b');
    await tier.clock.advance(2 * LEASE_MS);
    tier.claim(B);
    await tier.clock.advance(1500);
    expect(tier.serving).toEqual([B, B]);
    b.isCut = true;
    tier.store.restoreSnapshot(behind);
    a.claim(A);
    tier.add('d');
    const seen = await tier.watch(4 * LEASE_MS);
    expect(seen).not.toContain(`${A} and ${B}`);
    expect(seen.at(-1)).toBe(A);
  });
});

describe('the record of a pool that has no role any more', () => {
  it('goes once every member runs that config, after a lease', async () => {
    const [a, b] = await started(['a', 'b']);
    const epoch = epochOf(b!);
    a!.dropRole('b');
    await tier.clock.advance(4 * LEASE_MS);
    // The other one still goes by it, and never had to bring it back.
    expect(tier.members[0]!.record).toMatchObject({ address: A, phase: 'admitted', epoch });
    expect(b!.serving).toBe(A);
    b!.dropRole('b');
    await tier.clock.advance(LEASE_MS - 100);
    expect(tier.members[0]!.record).not.toBeNull();
    await tier.clock.advance(2 * LEASE_MS);
    expect(tier.members[0]!.record).toBeNull();
    for (const { keeper, backends } of [a!, b!]) {
      expect(keeper.get('db')).toBeNull();
      expect([A, B].map((address) => backends.row('db', address).withdrawn)).toEqual([false, false]);
    }
  });

  it('goes in the midst of a switch too, and stays away', async () => {
    const [a, b, c] = await started(['a', 'b', 'c']);
    c!.backends.row('db', A).takeConnection(0);
    tier.claim(B);
    await tier.clock.advance(500);
    expect(tier.members[0]!.record).toMatchObject({ address: B, phase: 'withdrawing' });
    for (const member of [a!, b!, c!]) member.dropRole('b');
    await tier.clock.advance(4 * LEASE_MS);
    for (let passedMs = 0; passedMs < 2 * LEASE_MS; passedMs += 100) {
      expect(tier.members[0]!.record).toBeNull();
      await tier.clock.advance(100);
    }
  });

  it('stays while a rollout is under way, or the config is not the tier\'s', async () => {
    const members = await started(['a', 'b']);
    for (const member of members) {
      member.keeper.rolloutChanged(true);
      member.dropRole('b');
    }
    await tier.clock.advance(3 * LEASE_MS);
    expect(tier.members[0]!.record).not.toBeNull();
    for (const { keeper } of members) {
      keeper.setCommitted(false);
      keeper.rolloutChanged(false);
    }
    await tier.clock.advance(3 * LEASE_MS);
    expect(tier.members[0]!.record).not.toBeNull();
    for (const { keeper } of members) keeper.setCommitted(true);
    await tier.clock.advance(3 * LEASE_MS);
    expect(tier.members[0]!.record).toBeNull();
  });

  it('comes back where it is still gone by', async () => {
    const [a, b] = await started(['a', 'b']);
    a!.dropRole('b');
    // It says so falsely.
    b!.configSha = 'b';
    await tier.clock.advance(3 * LEASE_MS);
    expect(b!.serving).toBe(A);
    await tier.clock.advance(10 * LEASE_MS);
    expect(b!.serving).toBe(A);
  });
});
