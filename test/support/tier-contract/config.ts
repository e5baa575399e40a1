/** Publishing, rolling out, voting, restoring: see PublishCall and the following in src/control-plane/store/tier-store.ts. */
import { expect, it } from 'vitest';
import { VERSION_BYTES_MAX, VERSIONS_MAX, type PublishCall, type RestoreCall, type RolloutStep, type StoredVersion } from '../../../src/control-plane/store/tier-store.ts';
import { suite, type TestMember, type TierRig } from './tier-rig.ts';

const SHORT_LEASE_MS = 300;

function publishCall(by: TestMember, number: number, parts: Partial<PublishCall> = {}): PublishCall {
  return { ...by.caller, history: 'h', parentSha: number === 1 ? null : `sha${number - 1}`, number, sha: `sha${number}`, version: `{"v":${number}}`, rollout: `{"of":${number}}`, bytes: bytesOf(number), ...parts };
}

function restoreCall(by: TestMember, number: number, parts: Partial<RestoreCall> = {}): RestoreCall {
  return { ...by.caller, history: 'h', number, sha: `sha${number}`, headText: `{"head":${number}}`, version: `{"v":${number}}`, bytes: bytesOf(number), isFirst: false, ...parts };
}

function stepCall(by: TestMember, number: number, expectedStep: number, parts: Partial<RolloutStep> = {}): RolloutStep {
  return { ...by.caller, number, expectedStep, rollout: `{"step":${expectedStep + 1}}`, headText: null, ...parts };
}

/** Every value a byte can have. */
function bytesOf(number: number): Uint8Array {
  return Uint8Array.from({ length: 300 }, (_, i) => (i + number) % 256);
}

async function rolloutStep(by: TestMember): Promise<number> {
  await by.read();
  return by.reader.config!.rollout!.step;
}

/** Publishes `number` on the head before it, and makes it the head. */
async function commit(rig: TierRig, leader: TestMember, number: number): Promise<void> {
  expect(await rig.store.publish(publishCall(leader, number))).toEqual({ kind: 'started', number });
  expect(await rig.store.step(stepCall(leader, number, await rolloutStep(leader), { rollout: null, headText: `{"head":${number}}` }))).toBe('done');
}

export const publishContract = suite('to publish', (rig) => {
  it('starts a rollout, which every member reads once', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    await b!.read();
    expect(b!.reader.config).toMatchObject({ head: null, rollout: null });
    expect((await b!.read())[0]!.config).toBeNull();
    expect(await rig().store.publish(publishCall(a!, 1))).toEqual({ kind: 'started', number: 1 });
    const [answer] = await b!.read();
    expect(answer!.config).toMatchObject({ head: null, rollout: { number: 1, text: '{"of":1}' } });
    expect(answer!.config!.rollout!.startedMs).toBeLessThanOrEqual(answer!.tierMs);
    expect(answer!.config!.rollout!.startedMs).toBeGreaterThan(0);
    expect((await b!.read())[0]!.config).toBeNull();
    expect(await rig().logged()).toContainEqual({ kind: 'config', atMs: expect.any(Number), number: 1, change: 'published', by: 'a' });
  });

  it('is read again by whoever asks for it, though nothing is new', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    await commit(rig(), a!, 1);
    await rig().store.publish(publishCall(a!, 2));
    await b!.read();
    const { head, rollout } = b!.reader.config!;
    const { verdicts, members, config } = await b!.call({ have: { ...b!.reader.have!, config: 0 }, beside: '{}' });
    expect(config).toEqual({ epoch: b!.reader.have!.config, head, rollout });
    expect([members.entries, verdicts.entries]).toEqual([[], []]);
    expect(head).toMatchObject({ number: 1, text: '{"head":1}' });
    expect(rollout).toMatchObject({ number: 2 });
  });

  it('is for any living member, and for no other', async () => {
    const a = await rig().member('a');
    await rig().store.leave(a.caller);
    expect(await rig().store.publish(publishCall(a, 1))).toEqual({ kind: 'not-living' });
    const b = await rig().member('b');
    expect(await rig().store.publish(publishCall(b, 1))).toEqual({ kind: 'started', number: 1 });
  });

  it('is refused while a rollout is under way', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    await rig().store.publish(publishCall(a!, 1));
    expect(await rig().store.publish(publishCall(b!, 2, { parentSha: null }))).toEqual({ kind: 'busy', number: 1 });
  });

  it('is refused on another parent than the head', async () => {
    const a = await rig().ready('a');
    expect(await rig().store.publish(publishCall(a, 1, { parentSha: 'sha0' }))).toEqual({ kind: 'stale', head: null });
    await commit(rig(), a, 1);
    const head = { history: 'h', number: 1, sha: 'sha1', text: '{"head":1}' };
    expect(await rig().store.publish(publishCall(a, 2, { parentSha: null }))).toEqual({ kind: 'stale', head });
    expect(await rig().store.publish(publishCall(a, 2, { parentSha: 'sha0' }))).toEqual({ kind: 'stale', head });
  });

  it('the bytes of the head is no change, whatever the parent', async () => {
    const a = await rig().ready('a');
    await commit(rig(), a, 1);
    expect(await rig().store.publish(publishCall(a, 2, { sha: 'sha1', parentSha: null }))).toEqual({ kind: 'same', number: 1 });
  });

  it('takes a number once, also one whose rollout came to nothing', async () => {
    const a = await rig().ready('a');
    await rig().store.publish(publishCall(a, 5, { parentSha: null }));
    expect(await rig().store.step(stepCall(a, 5, await rolloutStep(a), { rollout: null }))).toBe('done');
    expect(await rig().store.publish(publishCall(a, 5, { parentSha: null }))).toEqual({ kind: 'number', used: 5 });
    expect(await rig().store.publish(publishCall(a, 4, { parentSha: null }))).toEqual({ kind: 'number', used: 5 });
    expect(await rig().store.publish(publishCall(a, 9, { parentSha: null }))).toEqual({ kind: 'started', number: 9 });
  });

  it('by several at once is done by one', async () => {
    const members = await rig().readyOnes('a', 'b', 'c');
    const answers = await Promise.all(members.map((by, i) => rig().store.publish(publishCall(by, 1, { sha: `sha-of-${i}` }))));
    expect(answers.filter(({ kind }) => kind === 'started')).toHaveLength(1);
    expect(answers.filter(({ kind }) => kind === 'busy')).toHaveLength(2);
  });
});

export const rolloutContract = suite('a rollout', (rig) => {
  it('goes on by the steps of the leader alone, each from the step it knows', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    await rig().store.publish(publishCall(b!, 1));
    const step = await rolloutStep(a!);
    expect(await rig().store.step(stepCall(b!, 1, step))).toBe('not-leader');
    expect(await rig().store.step(stepCall(a!, 1, step + 1))).toBe('changed');
    expect(await rig().store.step(stepCall(a!, 2, step))).toBe('changed');
    expect(await rig().store.step(stepCall(a!, 1, step))).toBe('done');
    expect(await rig().store.step(stepCall(a!, 1, step))).toBe('changed');
    const started = a!.reader.config!.rollout!.startedMs;
    await b!.read();
    expect(b!.reader.config).toMatchObject({ head: null, rollout: { number: 1, step: step + 1, startedMs: started, text: `{"step":${step + 1}}` } });
  });

  it('ends with a new head, or without', async () => {
    const a = await rig().ready('a');
    await commit(rig(), a, 1);
    await a.read();
    expect(a.reader.config).toMatchObject({ head: { history: 'h', number: 1, sha: 'sha1', text: '{"head":1}' }, rollout: null });
    await rig().store.publish(publishCall(a, 2, { history: 'another' }));
    expect(await rig().store.step(stepCall(a, 2, await rolloutStep(a), { rollout: null }))).toBe('done');
    await a.read();
    expect(a.reader.config).toMatchObject({ head: { number: 1 }, rollout: null });
    expect(await rig().store.step(stepCall(a, 2, 1))).toBe('changed');
    const changes = (await rig().logged()).filter(({ kind }) => kind === 'config').map(({ number, change, by }) => [number, change, by]);
    expect(changes).toEqual([[1, 'published', 'a'], [1, 'committed', 'a'], [2, 'published', 'a'], [2, 'ended', 'a']]);
  });

  it('may go on after its version has become the head, whose history stays', async () => {
    const a = await rig().ready('a');
    await commit(rig(), a, 1);
    await rig().store.publish(publishCall(a, 2, { history: 'another' }));
    const step = await rolloutStep(a);
    expect(await rig().store.step(stepCall(a, 2, step, { headText: '{"head":2}' }))).toBe('done');
    await a.read();
    expect(a.reader.config).toMatchObject({ head: { history: 'h', number: 2, sha: 'sha2', text: '{"head":2}' }, rollout: { number: 2, step: step + 1 } });
    expect(await rig().store.publish(publishCall(a, 3))).toEqual({ kind: 'busy', number: 2 });
  });

  it('is taken on by the next leader', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    await rig().store.publish(publishCall(a!, 1));
    await rig().store.leave(a!.caller);
    const step = await rolloutStep(b!);
    expect(await rig().store.step(stepCall(a!, 1, step))).toBe('not-leader');
    expect(await rig().store.step(stepCall(b!, 1, step))).toBe('done');
  });

  it('is voted on by living members, each with one vote', async () => {
    const [a, b, c] = await rig().readyOnes('a', 'b', 'c');
    await rig().store.publish(publishCall(a!, 1));
    for (const [by, text] of [[a!, 'yes'], [b!, 'yes'], [b!, 'no: "é" port in use'], [c!, 'yes']] as const) await rig().store.vote({ ...by.caller, number: 1, text });
    await rig().store.vote({ member: 'a', incarnation: 'another', number: 1, text: 'no' });
    expect(await rig().store.votes(1)).toEqual(new Map([['a', 'yes'], ['b', 'no: "é" port in use'], ['c', 'yes']]));
    expect(await rig().store.votes(2)).toEqual(new Map());
    await rig().store.leave(c!.caller);
    const again = await rig().ready('b', { previous: b!.incarnation });
    expect(await rig().store.votes(1)).toEqual(new Map([['a', 'yes']]));
    await rig().store.vote({ ...again.caller, number: 1, text: 'yes' });
    expect([...(await rig().store.votes(1)).keys()].sort()).toEqual(['a', 'b']);
  });

  it('has no votes of one before it', async () => {
    const a = await rig().ready('a');
    await commit(rig(), a, 1);
    await rig().store.vote({ ...a.caller, number: 1, text: 'yes' });
    expect((await rig().store.votes(1)).size).toBe(1);
    await rig().store.publish(publishCall(a, 2));
    expect((await rig().store.votes(2)).size).toBe(0);
    expect((await rig().store.votes(1)).size).toBe(0);
  });
});

export const restoreContract = suite('to restore', (rig) => {
  it('makes a head in a store that has none', async () => {
    const a = await rig().member('a');
    expect(await rig().store.restore(restoreCall(a, 7))).toBe('restored');
    await a.read();
    expect(a.reader.config).toMatchObject({ head: { history: 'h', number: 7, sha: 'sha7', text: '{"head":7}' }, rollout: null });
    expect(await rig().store.version(7)).toMatchObject({ number: 7, sha: 'sha7', text: '{"v":7}', bytes: bytesOf(7) });
    expect(await rig().store.publish(publishCall(a, 7, { parentSha: 'sha7', sha: 'new' }))).toEqual({ kind: 'number', used: 7 });
    expect(await rig().logged()).toContainEqual({ kind: 'config', atMs: expect.any(Number), number: 7, change: 'restored', by: 'a' });
  });

  it('goes forward in the same history, and never back', async () => {
    const a = await rig().member('a');
    await rig().store.restore(restoreCall(a, 5));
    expect(await rig().store.restore(restoreCall(a, 4))).toBe('kept');
    expect(await rig().store.restore(restoreCall(a, 5, { sha: 'other' }))).toBe('kept');
    expect(await rig().store.restore(restoreCall(a, 6, { history: 'another' }))).toBe('kept');
    await a.read();
    expect(a.reader.config).toMatchObject({ head: { number: 5, sha: 'sha5' } });
    expect(await rig().store.restore(restoreCall(a, 6))).toBe('restored');
    await a.read();
    expect(a.reader.config).toMatchObject({ head: { number: 6, sha: 'sha6' } });
  });

  it('ends a rollout of a number not above it, and no other', async () => {
    const a = await rig().ready('a');
    await rig().store.publish(publishCall(a, 3, { parentSha: null }));
    expect(await rig().store.restore(restoreCall(a, 2))).toBe('restored');
    await a.read();
    expect(a.reader.config).toMatchObject({ head: { number: 2 }, rollout: { number: 3 } });
    expect(await rig().store.restore(restoreCall(a, 3))).toBe('restored');
    await a.read();
    expect(a.reader.config).toMatchObject({ head: { number: 3 }, rollout: null });
  });

  it('is for living members', async () => {
    const a = await rig().member('a');
    await rig().store.leave(a.caller);
    expect(await rig().store.restore(restoreCall(a, 1))).toBe('not-living');
    const b = await rig().member('b');
    await b.read();
    expect(b.reader.config).toMatchObject({ head: null });
  });

  it('works after everything was lost', async () => {
    const a = await rig().ready('a');
    await commit(rig(), a, 1);
    await rig().flush();
    const again = await rig().ready('a');
    expect(await rig().store.versions()).toEqual([]);
    expect(await rig().store.restore(restoreCall(again, 1))).toBe('restored');
    await again.read();
    expect(again.reader.config).toMatchObject({ head: { number: 1, sha: 'sha1' } });
  });
});

export const firstContract = suite('a first config', (rig) => {
  it('does not come into a store to which members of a former run come back', async () => {
    const a = await rig().ready('a');
    await commit(rig(), a, 1);
    await a.read();
    await rig().flush();
    const newcomer = await rig().member('newcomer');
    await a.call({ have: a.reader.have });
    await newcomer.call({ leaseMs: SHORT_LEASE_MS });
    expect(await rig().store.restore(restoreCall(newcomer, 1, { isFirst: true }))).toBe('kept');
    const again = await rig().ready('a');
    expect(await rig().store.restore(restoreCall(again, 1))).toBe('restored');
  });

  it('comes once none of them has called for two leases', async () => {
    const a = await rig().ready('a');
    await a.read();
    await rig().flush();
    const newcomer = await rig().member('newcomer');
    await a.call({ have: a.reader.have });
    let answers = '';
    // As it lives on: each step is less than half a lease.
    for (let i = 0; i < 12 && !answers.endsWith('restored'); i++) {
      await newcomer.call({ leaseMs: SHORT_LEASE_MS });
      answers += ` ${await rig().store.restore(restoreCall(newcomer, 1, { isFirst: true }))}`;
      await rig().advance(SHORT_LEASE_MS / 3);
    }
    expect(answers).toMatch(/^( kept){3,} restored$/);
  });

  it('does not come for two leases after a call of one whose lease has ended: it is on its way back', async () => {
    const a = await rig().member('a', { history: 'h' });
    await rig().store.leave(a.caller);
    const newcomer = await rig().member('newcomer');
    await newcomer.call({ leaseMs: SHORT_LEASE_MS });
    let answers = '';
    for (let i = 0; i < 12; i++) {
      // The last of its calls, which alone gets through, comes when what its join said counts no more.
      if (i === 7) expect(await a.call({ leaseMs: SHORT_LEASE_MS })).toMatchObject({ living: false });
      await newcomer.call({ leaseMs: SHORT_LEASE_MS });
      if (i >= 7) answers += ` ${await rig().store.restore(restoreCall(newcomer, 1, { isFirst: true }))}`;
      await rig().advance(SHORT_LEASE_MS / 3);
    }
    expect(answers).toMatch(/^( kept){5}$/);
  });

  it('does not come while one joins who brings the config of the tier, nor for two leases after', async () => {
    const newcomer = await rig().member('newcomer');
    const a = await rig().member('a', { history: 'h' });
    await newcomer.call({ leaseMs: SHORT_LEASE_MS });
    expect(await rig().store.restore(restoreCall(newcomer, 1, { history: 'other', isFirst: true }))).toBe('kept');
    expect(await rig().store.restore(restoreCall(a, 7))).toBe('restored');
  });

  it('is not held up by a proxy whose id is in use by another', async () => {
    const newcomer = await rig().member('newcomer');
    expect(await rig().join(rig().joinCall('newcomer', { history: 'h' }))).toEqual({ kind: 'taken' });
    expect(await rig().store.restore(restoreCall(newcomer, 1, { isFirst: true }))).toBe('restored');
  });

  it('comes into a store that nobody knew before', async () => {
    const a = await rig().member('a');
    await a.read();
    expect(await rig().store.restore(restoreCall(a, 1, { isFirst: true }))).toBe('restored');
  });
});

export const versionContract = suite('the versions', (rig) => {
  it('are listed newest first, each with its very bytes', async () => {
    const a = await rig().ready('a');
    for (const number of [1, 2, 3]) await commit(rig(), a, number);
    expect(await rig().store.versions()).toEqual([3, 2, 1].map((number): StoredVersion => ({ number, sha: `sha${number}`, text: `{"v":${number}}` })));
    const version = await rig().store.version(2);
    expect(version).toMatchObject({ number: 2, sha: 'sha2', text: '{"v":2}' });
    expect(Buffer.compare(version!.bytes, bytesOf(2))).toBe(0);
    expect(await rig().store.version(4)).toBeNull();
  });

  it('keep the bytes as they were when they came', async () => {
    const a = await rig().ready('a');
    const bytes = [bytesOf(1), bytesOf(2)];
    await rig().store.restore(restoreCall(a, 1, { bytes: bytes[0]! }));
    await rig().store.publish(publishCall(a, 2, { bytes: bytes[1]! }));
    for (const each of bytes) each.fill(0);
    for (const number of [1, 2]) expect(Buffer.compare((await rig().store.version(number))!.bytes, bytesOf(number))).toBe(0);
  });

  it(`are ${VERSIONS_MAX} at most, the head among them`, async () => {
    const a = await rig().ready('a');
    await commit(rig(), a, 1);
    const lastNumber = VERSIONS_MAX + 3;
    for (let number = 2; number <= lastNumber; number++) {
      expect(await rig().store.publish(publishCall(a, number, { parentSha: 'sha1' }))).toEqual({ kind: 'started', number });
      expect(await rig().store.step(stepCall(a, number, await rolloutStep(a), { rollout: null }))).toBe('done');
    }
    const kept = (await rig().store.versions()).map(({ number }) => number);
    expect(kept).toEqual([...Array.from({ length: VERSIONS_MAX - 1 }, (_, i) => lastNumber - i), 1]);
    expect(await rig().store.version(2)).toBeNull();
  });

  it('have 32 MiB together at most', async () => {
    const a = await rig().ready('a');
    const bytes = new Uint8Array(VERSION_BYTES_MAX / 2 - 10);
    await rig().store.restore(restoreCall(a, 1, { bytes }));
    await rig().store.restore(restoreCall(a, 2, { bytes }));
    expect((await rig().store.versions()).map(({ number }) => number)).toEqual([2, 1]);
    await rig().store.restore(restoreCall(a, 3));
    expect((await rig().store.versions()).map(({ number }) => number)).toEqual([3, 2]);
    expect((await rig().store.version(2))!.bytes).toHaveLength(bytes.length);
  });
});
