/** The tier's config over the real link and the memory store, in virtual time. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TierKey } from '../../../src/control-plane/rollout/tier-key.ts';
import { readConfig } from '../../../src/control-plane/rollout/config-texts.ts';
import type { PublishOutcome, PublishRequest } from '../../../src/control-plane/rollout/config-publisher.ts';
import { bytesOf, LEASE_MS, MemoryDisk, RolloutRig, textOf, type RigMember } from '../../support/rollout-rig.ts';

let rig: RolloutRig;
beforeEach(() => {
  rig = new RolloutRig();
});
afterEach(() => rig.stop());

/** Publishes, and lets time go by until it is known what came of it. */
async function publish(by: RigMember, text: string, more: Partial<PublishRequest> = {}): Promise<PublishOutcome> {
  let outcome: PublishOutcome | null = null;
  void by.rollout.publisher.publish({ bytes: bytesOf(text), parent: null, canary: null, by: by.id, ...more }).then((came) => (outcome = came));
  for (let waited = 0; outcome === null && waited < 60_000; waited += 100) await rig.advance(100);
  return outcome!;
}

const headOf = (): ReturnType<typeof readConfig>['head'] => readConfig(rig.members[0]!.link.config!).head;
const running = (): string[] => rig.members.map(({ runs }) => runs);

describe('the first start', () => {
  it('puts the file into an empty store after two leases, once, and all are ready with one history', async () => {
    const [a, b, c] = [rig.add('a'), rig.add('b'), rig.add('c', { file: 'other' })];
    await rig.advance(LEASE_MS);
    expect(a.started?.kind).toBe('done');
    expect(running()).toEqual(['1 first', '1 first', '1 other']);
    expect([a, b, c].some(({ isReady }) => isReady)).toBe(false);
    await rig.advance(2 * LEASE_MS + 1000);
    expect(new Set(running()).size).toBe(1);
    expect([a, b, c].every(({ isReady }) => isReady)).toBe(true);
    expect(new Set([a, b, c].map(({ rollout }) => rollout.history)).size).toBe(1);
    expect(textOf(a.disk.state.committed?.bytes)).toBe(a.runs.slice(2));
  });

  it('takes the committed version, not its own file', async () => {
    await rig.tier('a', 'b');
    const late = rig.add('late', { file: 'other' });
    await rig.advance(1000);
    expect(late.runs).toBe('1 first');
    expect(late.isReady).toBe(true);
  });

  it('without the store runs the disk’s version, else the file, unconfirmed, and is ready once autonomous', async () => {
    const disk = new MemoryDisk();
    disk.state = { ...disk.state, committed: { history: 'h', number: 7, sha: 'x', version: '', bytes: bytesOf('kept') } };
    const [kept, fresh] = [rig.add('kept', { disk, cut: true }), rig.add('fresh', { cut: true })];
    await rig.advance(LEASE_MS + 100);
    expect(running()).toEqual(['7 kept', '1 first']);
    expect([kept.rollout.isUnconfirmed, fresh.rollout.isUnconfirmed]).toEqual([false, true]);
    expect([kept.isReady, fresh.isReady]).toEqual([true, true]);
  });

  it('with a head it cannot run and nothing kept does not start', async () => {
    const [a] = await rig.tier('a', 'b');
    await publish(a!, 'second fail=late');
    const late = rig.add('late');
    await rig.advance(2000);
    expect(late.started).toMatchObject({ kind: 'refused', text: 'late cannot' });
  });
});

describe('publishing', () => {
  it('is validated by all and then run by all, under the next number', async () => {
    const [a] = await rig.tier('a', 'b', 'c');
    expect(await publish(a!, 'second')).toEqual({ kind: 'committed', number: 2, notes: [] });
    await rig.advance(1200);
    expect(running()).toEqual(['2 second', '2 second', '2 second']);
    expect(rig.members.map(({ disk }) => disk.state.committed?.number)).toEqual([2, 2, 2]);
  });

  it('is refused whole by one member’s refusal, with its text; the number is not used again', async () => {
    const [a, b] = await rig.tier('a', 'b', 'c');
    expect(await publish(a!, 'second refuse=c')).toEqual({ kind: 'aborted', number: 2, reason: 'c: c cannot' });
    expect(running()).toEqual(['1 first', '1 first', '1 first']);
    expect(await publish(b!, 'third')).toMatchObject({ kind: 'committed', number: 3 });
  });

  it('is refused here first, and then the tier never hears of it', async () => {
    const [a] = await rig.tier('a', 'b');
    expect(await publish(a!, 'second refuse=a')).toMatchObject({ kind: 'refused', text: 'a cannot' });
    expect(await rig.store.versions()).toHaveLength(1);
  });

  it('follows the parent it names, by content, or is stale', async () => {
    const [a, b] = await rig.tier('a', 'b');
    await publish(a!, 'second');
    expect(await publish(b!, 'third', { parent: 1 })).toEqual({ kind: 'stale', head: 2 });
    expect(await publish(b!, 'first', { parent: 2 })).toMatchObject({ kind: 'committed', number: 3 });
    expect(await publish(b!, 'fourth', { parent: 1 })).toMatchObject({ kind: 'committed', number: 4 });
  });

  it('of the same bytes twice, at once or later, is one version', async () => {
    const [a, b] = await rig.tier('a', 'b', 'c');
    const outcomes: PublishOutcome[] = [];
    for (const member of [a!, b!]) void member.rollout.publisher.publish({ bytes: bytesOf('second'), parent: 1, canary: null, by: member.id }).then((outcome) => outcomes.push(outcome));
    await rig.advance(3000);
    expect(outcomes.map(({ kind }) => kind).sort()).not.toContain('busy');
    expect(await publish(b!, 'second')).toEqual({ kind: 'same', number: 2 });
    expect(headOf()?.number).toBe(2);
  });

  it('waits for a member that is silent, and gives up after its time', async () => {
    const [a, b] = await rig.tier('a', 'b', 'c');
    b!.applier.dryRun = () => new Promise(() => undefined);
    const outcome = await publish(a!, 'second');
    expect(outcome).toEqual({ kind: 'aborted', number: 2, reason: 'b did not say within 10.015 s whether it can run it' });
  });

  it('goes on under the next leader when the first dies in the middle', async () => {
    const members = await rig.tier('a', 'b', 'c');
    const leader = members.find(({ link }) => link.leads)!;
    const [other, third] = members.filter((member) => member !== leader);
    // The third keeps the rollout open until the leader is gone.
    let release: (refusal: null) => void = () => undefined;
    third!.applier.dryRun = () => new Promise((resolve) => (release = resolve));
    let outcome: PublishOutcome | null = null;
    void other!.rollout.publisher.publish({ bytes: bytesOf('second'), parent: null, canary: null, by: 'x' }).then((came) => (outcome = came));
    await rig.advance(500);
    leader.kill();
    await rig.advance(LEASE_MS + 1500);
    expect(outcome).toBeNull();
    release(null);
    await rig.advance(1500);
    expect(outcome).toMatchObject({ kind: 'committed', number: 2 });
    expect([other!.runs, third!.runs]).toEqual(['2 second', '2 second']);
  });
});

describe('a canary', () => {
  const canary = { share: 0.3, forMs: 10_000 };

  it('runs on some first, then on all; too few requests pass and are said', async () => {
    const [a] = await rig.tier('a', 'b', 'c');
    const outcome = await publish(a!, 'second', { canary });
    expect(outcome).toEqual({ kind: 'canary', number: 2 });
    await rig.advance(1000);
    expect(running().filter((runs) => runs === '2 second')).toHaveLength(1);
    await rig.advance(11_200);
    expect(running()).toEqual(['2 second', '2 second', '2 second']);
    expect(headOf()?.text.notes.join()).toContain('too few requests');
  });

  it('that fails more than the rest is taken back, and the publisher is told why', async () => {
    const [a, b, c] = await rig.tier('a', 'b', 'c');
    await publish(a!, 'second', { canary });
    await rig.advance(1000);
    const tried = [a!, b!, c!].find(({ runs }) => runs === '2 second')!;
    for (const member of rig.members) member.applier.counted = { requests: 5000, errors: member === tried ? 2500 : 0 };
    await rig.advance(3000);
    expect(running()).toEqual(['1 first', '1 first', '1 first']);
    expect(a!.rollout.publisher.lastRefusal?.reason).toContain('fails more than the rest');
  });

  it('that cannot run it ends the rollout at once', async () => {
    const [a] = await rig.tier('a', 'b', 'c');
    await publish(a!, 'second fail=a,b,c', { canary });
    await rig.advance(2000);
    expect(headOf()?.number).toBe(1);
    expect(a!.rollout.publisher.lastRefusal?.reason).toMatch(/^([abc]): \1 cannot$/);
  });

  it('cut off goes back to the committed version by itself', async () => {
    const [a, b, c] = await rig.tier('a', 'b', 'c');
    await publish(a!, 'second', { canary: { share: 0.3, forMs: 60_000 } });
    await rig.advance(1000);
    const tried = [a!, b!, c!].find(({ runs }) => runs === '2 second')!;
    tried.wire.isCut = true;
    await rig.advance(LEASE_MS + 100);
    expect(tried.runs).toBe('1 first');
    expect(tried.isReady).toBe(true);
  });

  it('on which nobody decides goes back a lease after its time', async () => {
    const [a, b, c] = await rig.tier('a', 'b', 'c');
    await publish(a!, 'second', { canary: { share: 0.3, forMs: 5000 } });
    await rig.advance(1000);
    rig.store.step = () => Promise.resolve('not-leader' as const);
    const tried = [a!, b!, c!].find(({ runs }) => runs === '2 second')!;
    await rig.advance(4000 + LEASE_MS + 500);
    expect(tried.runs).toBe('1 first');
  });
});

describe('a committed version that cannot be run', () => {
  it('keeps nobody out of a tier that has no other: it serves on the former one, and leads', async () => {
    const [a] = await rig.tier('a');
    const { disk } = a!;
    a!.kill();
    await rig.advance(LEASE_MS + 2000);
    const other = rig.add('other');
    await rig.advance(3 * LEASE_MS);
    expect(await publish(other, 'second fail=a')).toMatchObject({ kind: 'committed', number: 2 });
    other.kill();
    await rig.advance(LEASE_MS + 2000);
    const back = rig.add('a', { disk });
    await rig.advance(1500);
    // As far as the store knows there is another yet.
    expect(back.link.members.get('other')?.state).toBe('ready');
    expect(back.rollout.failure).toMatchObject({ reason: 'a cannot', out: true });
    while (back.link.members.has('other')) await rig.advance(10);
    expect([back.runs, back.isReady, back.rollout.failure?.out]).toEqual(['1 first', true, false]);
    // And so there is one who leads the way back.
    await rig.advance(1500);
    expect([back.runs, back.isReady]).toEqual(['3 first', true]);
  });

  it('takes one out only while others that can run it are there', async () => {
    const [a, b] = await rig.tier('a', 'b');
    await publish(a!, 'second fail=b');
    await rig.advance(1500);
    expect(b!.isReady).toBe(false);
    a!.kill();
    await rig.advance(LEASE_MS + 2000);
    expect([b!.runs, b!.isReady]).toEqual(['3 first', true]);
    expect(await publish(b!, 'third')).toMatchObject({ kind: 'committed', number: 4 });
  });

  it('takes one member out, with its reason, until it can be', async () => {
    const [a, b] = await rig.tier('a', 'b', 'c');
    await publish(a!, 'second fail=b');
    await rig.advance(1500);
    expect(b!.runs).toBe('1 first');
    expect(b!.rollout.notReadyReasons()).toEqual(['config version 2 cannot be run: b cannot']);
    expect(a!.link.members.get('b')?.state).toBe('failed');
    expect(await publish(a!, 'third')).toMatchObject({ kind: 'committed', number: 3 });
    await rig.advance(1500);
    expect(b!.runs).toBe('3 third');
    expect(a!.link.members.get('b')?.state).toBe('ready');
  });

  it('by most is rolled back: a new version with the former content', async () => {
    const [a] = await rig.tier('a', 'b', 'c');
    await publish(a!, 'second fail=b,c');
    await rig.advance(5000);
    expect(running()).toEqual(['3 first', '3 first', '3 first']);
    expect(rig.members.every(({ isReady }) => isReady)).toBe(true);
  });

  it('is rolled back by hand to any version kept', async () => {
    const [a, b] = await rig.tier('a', 'b');
    await publish(a!, 'second');
    const outcome = b!.rollout.publisher.rollBack(1, 'b');
    await rig.advance(2000);
    expect(await outcome).toMatchObject({ kind: 'committed', number: 3 });
    expect(running()).toEqual(['3 first', '3 first']);
    expect(await b!.rollout.publisher.rollBack(9, 'b')).toEqual({ kind: 'no-such-version', number: 9 });
  });
});

describe('a store that lost the config', () => {
  it('is restored at once by a running member, whatever newcomers’ files say', async () => {
    const [a] = await rig.tier('a', 'b');
    await publish(a!, 'second');
    await rig.advance(1500);
    rig.store.flush();
    const late = rig.add('late', { file: 'other' });
    await rig.advance(3000);
    expect([...running()]).toEqual(['2 second', '2 second', '2 second']);
    expect(late.runs).toBe('2 second');
    expect(new Set(rig.members.map(({ rollout }) => rollout.history)).size).toBe(1);
  });

  it('is restored from a disk before any file', async () => {
    const [a, b] = await rig.tier('a', 'b');
    await publish(a!, 'second');
    await rig.advance(1500);
    const { disk } = b!;
    a!.kill();
    b!.kill();
    await rig.advance(LEASE_MS + 2000);
    rig.store.flush();
    const fresh = rig.add('fresh', { file: 'other' });
    await rig.advance(500);
    const back = rig.add('b', { disk, file: 'other' });
    await rig.advance(3 * LEASE_MS);
    expect([fresh.runs, back.runs]).toEqual(['2 second', '2 second']);
  });

  it('gets no file while one that knows the config is a member, nor for two leases after', async () => {
    const [a] = await rig.tier('a');
    const { disk } = a!;
    a!.kill();
    await rig.advance(LEASE_MS + 2000);
    rig.store.flush();
    const fresh = rig.add('fresh', { file: 'other' });
    await rig.advance(1000);
    const back = rig.add('a', { disk });
    await rig.advance(1000);
    back.wire.isCut = true;
    const hasBegun = (): boolean => fresh.rollout.history !== null;
    await rig.advance(LEASE_MS);
    while (fresh.link.members.has('a')) await rig.advance(10);
    await rig.advance(2 * LEASE_MS - 200);
    expect(hasBegun()).toBe(false);
    await rig.advance(2000);
    expect(hasBegun()).toBe(true);
  });

  it('of its first version gets it back from who was away meanwhile', async () => {
    const members = [rig.add('a'), rig.add('b')];
    await rig.advance(1000);
    const before = rig.store.snapshot();
    await rig.advance(3 * LEASE_MS);
    expect(headOf()).toMatchObject({ number: 1 });
    for (const { wire } of members) wire.isCut = true;
    await rig.advance(2 * LEASE_MS);
    rig.store.restoreSnapshot(before);
    for (const { wire } of members) wire.isCut = false;
    await rig.advance(5000);
    expect(await rig.store.versions()).toMatchObject([{ number: 1 }]);
  });

  it('of its newest version gets it back from who runs it', async () => {
    const [a] = await rig.tier('a', 'b');
    const before = rig.store.snapshot();
    await publish(a!, 'second');
    await rig.advance(1500);
    rig.store.restoreSnapshot(before);
    await rig.advance(5000);
    expect(headOf()).toMatchObject({ number: 2 });
    expect(running()).toEqual(['2 second', '2 second']);
  });
});

describe('another history', () => {
  it('is not taken, and said, until it is adopted', async () => {
    await rig.tier('a', 'b');
    const disk = new MemoryDisk();
    disk.state = { ...disk.state, committed: { history: 'elsewhere', number: 9, sha: 'x', version: '', bytes: bytesOf('theirs') } };
    const stranger = rig.add('stranger', { disk });
    await rig.advance(LEASE_MS + 2000);
    expect(stranger.runs).toBe('9 theirs');
    expect(stranger.link.state).toMatchObject({ phase: 'autonomous', reason: expect.stringContaining('another history') });
    await stranger.rollout.adopt();
    await rig.advance(8000);
    expect(stranger.runs).toBe('1 first');
    expect(disk.state.committed?.history).toBe(rig.members[0]!.rollout.history);
  });
});

describe('the tier’s key', () => {
  it('lets its members publish, and none of them take what is not signed with it', async () => {
    const key = new TierKey(Buffer.alloc(32, 1));
    const members = ['a', 'b'].map((id) => rig.add(id, { key }));
    await rig.advance(3 * LEASE_MS + 2000);
    expect(await publish(members[0]!, 'second')).toMatchObject({ kind: 'committed', number: 2 });
    const forger = rig.add('forger');
    await rig.advance(2000);
    expect(await publish(forger, 'forged')).toMatchObject({ kind: 'aborted', reason: expect.stringContaining('wrong key') });
    await rig.advance(1500);
    expect([members[0]!.runs, members[1]!.runs]).toEqual(['2 second', '2 second']);
  });
});
