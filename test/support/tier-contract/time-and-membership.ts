/** Tier time, leases, joins and states: see "Tier time" and JoinCall in src/control-plane/store/tier-store.ts. */
import { expect, it } from 'vitest';
import { parseMember } from '../../../src/control-plane/store/entry-texts.ts';
import { EXPIRED_PER_CALL_MAX } from '../../../src/control-plane/store/tier-store.ts';
import { LONG_LEASE_MS, suite, TestMember, up } from './tier-rig.ts';

export const tierTimeContract = suite('tier time', (rig) => {
  it('starts at 1 in a store made anew', async () => {
    expect(await rig().store.join(rig().joinCall('a'))).toMatchObject({ kind: 'joined', tierMs: 1 });
  });

  it('moves with the clock of the store, in whole milliseconds', async () => {
    const a = await rig().member('a');
    const { tierMs } = await a.call();
    await rig().advance(100);
    const later = (await a.call()).tierMs;
    expect(later - tierMs).toBeGreaterThanOrEqual(99);
    expect(Number.isInteger(later)).toBe(true);
  });

  it('moves by half a lease at most', async () => {
    const a = await rig().member('a', { leaseMs: 100 });
    const { tierMs } = await a.call();
    await rig().advance(80);
    expect((await a.call()).tierMs).toBe(tierMs + 50);
  });

  it('expires nobody for one lease after a step that was cut short', async () => {
    const witness = await rig().member('witness');
    const silent = await rig().member('silent');
    await silent.call({ leaseMs: 50 });
    await rig().advance(110);
    await witness.read({ leaseMs: 200 });
    expect([...witness.reader.members.keys()]).toContain('silent');
    await witness.call();
    // Nor for itself.
    expect(await silent.call({ leaseMs: 50, number: silent.number })).toMatchObject({ living: true });
    await rig().advance(250);
    await witness.read();
    expect([...witness.reader.members.keys()]).toEqual(['witness']);
  });
});

export const leaseContract = suite('a lease', (rig) => {
  it('ends when no call renews it: the member is gone, its calls do nothing', async () => {
    const [witness, other] = [await rig().ready('witness'), await rig().ready('other')];
    await witness.read();
    await rig().expire(other, witness);
    const answer = await other.call({ reports: [up('x')] });
    expect(answer).toMatchObject({ living: false });
    await witness.read();
    expect([...witness.reader.verdicts.keys()]).toEqual([]);
    expect(await rig().logged()).toContainEqual(expect.objectContaining({ kind: 'member', member: 'other', incarnation: other.incarnation, change: 'expired' }));
  });

  it('has ended for its holder too, though nobody else has called since', async () => {
    const [a, witness] = [await rig().member('a'), await rig().member('witness')];
    await a.call({ leaseMs: 50 });
    await rig().advance(60);
    // Named with the long lease, so that the step is not cut short.
    expect(await a.call({ leaseMs: LONG_LEASE_MS })).toMatchObject({ living: false });
    await witness.read();
    expect([...witness.reader.members.keys()]).toEqual(['witness']);
  });

  it('is renewed by a call', async () => {
    const [a, witness] = [await rig().member('a'), await rig().member('witness')];
    await a.call({ leaseMs: 400 });
    await a.call({ leaseMs: LONG_LEASE_MS });
    await rig().advance(450);
    await witness.read();
    expect([...witness.reader.members.keys()].sort()).toEqual(['a', 'witness']);
  });

  it('is not renewed by a call that was sent again', async () => {
    const [a, witness] = [await rig().member('a'), await rig().member('witness')];
    await a.call({ leaseMs: 100 });
    await a.call({ leaseMs: LONG_LEASE_MS, number: a.number });
    await rig().advance(110);
    await witness.read();
    expect([...witness.reader.members.keys()]).toEqual(['witness']);
  });

  it('may become shorter', async () => {
    const [a, witness] = [await rig().member('a'), await rig().member('witness')];
    await rig().expire(a, witness);
  });

  it('ends for 50 members a call at most, those first that were due first', async () => {
    const witness = await rig().member('witness');
    const others: TestMember[] = [];
    for (let i = 0; i < EXPIRED_PER_CALL_MAX + 5; i++) others.push(await rig().member(`m${100 + i}`));
    // At once: none of them is to end by a call of another.
    await Promise.all(others.map((other, i) => other.call({ leaseMs: 300 + i })));
    await rig().advance(300 + others.length + 50);
    witness.reader.take(await witness.call());
    expect([...witness.reader.members.keys()].sort()).toEqual(['m150', 'm151', 'm152', 'm153', 'm154', 'witness']);
    witness.reader.take(await witness.call({ have: witness.reader.have }));
    expect([...witness.reader.members.keys()]).toEqual(['witness']);
  });

  it('ends at once when its holder leaves', async () => {
    const [a, witness] = [await rig().ready('a'), await rig().ready('witness')];
    await rig().store.leave(a.caller);
    await witness.read();
    expect([...witness.reader.members.keys()]).toEqual(['witness']);
    expect(await a.call()).toMatchObject({ living: false });
    expect(await rig().logged()).toContainEqual(expect.objectContaining({ kind: 'member', member: 'a', change: 'left' }));
  });

  it('is not ended by another incarnation that leaves', async () => {
    const [a, witness] = [await rig().ready('a'), await rig().ready('witness')];
    await rig().store.leave({ member: 'a', incarnation: 'another' });
    expect(await a.call()).toMatchObject({ living: true });
    await witness.read();
    expect(witness.reader.members.size).toBe(2);
  });
});

export const joinContract = suite('a join', (rig) => {
  it('makes a member that is joining, with its record as given', async () => {
    const a = await rig().member('a', { record: '{"zone":"ä b"}' });
    await a.read();
    expect(parseMember(a.reader.members.get('a')!)).toEqual({ state: 'joining', incarnation: a.incarnation, readySinceMs: 0, record: '{"zone":"ä b"}' });
    expect(await rig().logged()).toEqual([expect.objectContaining({ kind: 'member', member: 'a', incarnation: a.incarnation, change: 'joined' })]);
  });

  it('waits for its turn', async () => {
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map((id) => rig().store.join(rig().joinCall(id))));
    const waits = answers.filter((answer) => answer.kind === 'wait');
    expect(waits.length).toBeGreaterThan(0);
    for (const { waitMs } of waits) expect(waitMs).toBeGreaterThan(0);
    expect(waits[0]!.waitMs).toBeLessThanOrEqual(10);
    // Each its own: who waits is not to come back only to wait again.
    expect(new Set(waits.map(({ waitMs }) => waitMs)).size).toBe(waits.length);
  });

  it('is refused while its id lives under another incarnation', async () => {
    const a = await rig().member('a');
    expect(await rig().join(rig().joinCall('a'))).toEqual({ kind: 'taken' });
    expect(await rig().join(rig().joinCall('a', { previous: 'another' }))).toEqual({ kind: 'taken' });
    expect(await a.call()).toMatchObject({ living: true });
  });

  it('takes the id over from the incarnation its disk names', async () => {
    const before = await rig().ready('a');
    await before.call({ beside: 'b', reports: [up('x')] });
    const after = await rig().member('a', { previous: before.incarnation });
    expect(await before.call({ state: 'draining' })).toMatchObject({ living: false });
    expect(await after.call({ number: 1 })).toMatchObject({ living: true, state: 'joining' });
    expect(await rig().store.beside(['a'])).toEqual(new Map());
    expect(await rig().store.reports(['x'])).toEqual(new Map());
    const changes = (await rig().logged()).filter(({ kind }) => kind === 'member').map(({ incarnation, change }) => [incarnation, change]);
    expect(changes).toEqual([[before.incarnation, 'joined'], [before.incarnation, 'ready'], [before.incarnation, 'superseded'], [after.incarnation, 'joined']]);
  });

  it('keeps the superseded one out', async () => {
    const before = await rig().member('a');
    await rig().member('a', { previous: before.incarnation });
    expect(await rig().join(rig().joinCall('a', { previous: before.incarnation }))).toEqual({ kind: 'taken' });
  });

  it('is open again once the lease has ended', async () => {
    const witness = await rig().ready('witness');
    const before = await rig().expired('a', witness);
    const after = await rig().member('a', { previous: before.incarnation });
    expect(await after.call()).toMatchObject({ living: true });
    expect(await before.call()).toMatchObject({ living: false });
  });

  it('finds an id free whose lease has ended unnoticed', async () => {
    const before = await rig().member('a');
    await before.call({ leaseMs: 50 });
    await rig().advance(60);
    expect(await rig().join(rig().joinCall('a'))).toMatchObject({ kind: 'joined' });
  });

  it('that is sent twice changes nothing the second time', async () => {
    const call = rig().joinCall('a');
    await rig().join(call);
    const a = new TestMember(rig().store, call, LONG_LEASE_MS);
    await a.call({ state: 'ready' });
    expect(await rig().join(call)).toMatchObject({ kind: 'joined' });
    expect(await a.call({ number: 1, state: 'draining' })).toMatchObject({ living: true, state: 'ready' });
  });

  it('does not revive an incarnation that has ended', async () => {
    const call = rig().joinCall('a');
    await rig().join(call);
    await rig().store.leave(call);
    expect(await rig().join(call)).toEqual({ kind: 'taken' });
    const witness = await rig().member('witness');
    await witness.read();
    expect([...witness.reader.members.keys()]).toEqual(['witness']);
  });

  it('is refused to a release that does not speak the protocol of the tier', async () => {
    const a = await rig().member('a', { protocolMin: 3, protocol: 4 });
    expect(await rig().join(rig().joinCall('b', { protocolMin: 1, protocol: 2 }))).toEqual({ kind: 'protocol', protocol: 3 });
    expect(await rig().join(rig().joinCall('b', { protocolMin: 4, protocol: 5 }))).toEqual({ kind: 'protocol', protocol: 3 });
    expect(await rig().join(rig().joinCall('b', { protocolMin: 2, protocol: 3 }))).toMatchObject({ kind: 'joined' });
    expect(await a.call()).toMatchObject({ protocol: 3 });
  });

  it('is refused to a proxy whose config has another history', async () => {
    const a = await rig().ready('a');
    await rig().store.restore({ ...a.caller, history: 'h1', number: 1, sha: 's1', headText: '{}', version: '{}', bytes: new Uint8Array([1]), isFirst: false });
    expect(await rig().join(rig().joinCall('b', { history: 'h2' }))).toEqual({ kind: 'history', history: 'h1' });
    expect(await rig().join(rig().joinCall('b', { history: 'h1' }))).toMatchObject({ kind: 'joined' });
    expect(await rig().join(rig().joinCall('c'))).toMatchObject({ kind: 'joined' });
  });
});

export const stateContract = suite('the state of a member', (rig) => {
  it('is what it says, with the tier time at which it became ready', async () => {
    const a = await rig().member('a');
    const { tierMs } = await a.call({ state: 'ready' });
    await rig().advance(20);
    // To say it again is no news.
    expect(await a.call({ state: 'ready' })).toMatchObject({ state: 'ready' });
    await a.read();
    expect(parseMember(a.reader.members.get('a')!)).toMatchObject({ state: 'ready', readySinceMs: tierMs });
    await a.call({ state: 'joining' });
    await a.read({ state: 'draining' });
    expect((await rig().logged()).filter(({ kind }) => kind === 'member').map(({ change }) => change)).toEqual(['joined', 'ready', 'draining']);
    expect(parseMember(a.reader.members.get('a')!)).toMatchObject({ state: 'draining', readySinceMs: 0 });
    await a.read({ state: 'ready' });
    expect(parseMember(a.reader.members.get('a')!)!.readySinceMs).toBeGreaterThan(tierMs);
  });

  it('stays without a word, as does the record', async () => {
    const a = await rig().ready('a', { record: '{"zone":"x"}' });
    await a.read();
    const before = a.reader.have;
    await a.read();
    await a.read({ record: '{"zone":"x"}' });
    expect(a.reader.have).toEqual(before);
    await a.read({ record: '{"zone":"y"}' });
    expect(parseMember(a.reader.members.get('a')!)).toMatchObject({ state: 'ready', record: '{"zone":"y"}' });
  });

  it('leaves what stands beside the record out of the table', async () => {
    const [a, b] = [await rig().ready('a'), await rig().ready('b')];
    await a.read();
    const before = a.reader.have;
    await b.call({ beside: '{"load":1}' });
    await b.call({ beside: '{"load":2}' });
    await b.call();
    await a.read();
    expect(a.reader.have).toEqual(before);
    expect(await rig().store.beside(['b', 'a', 'nobody'])).toEqual(new Map([['b', '{"load":2}']]));
    await rig().store.leave(b.caller);
    expect(await rig().store.beside(['b'])).toEqual(new Map());
  });

  it('becomes failed only while half of the others are ready', async () => {
    const [a, b, c] = await rig().readyOnes('a', 'b', 'c');
    const joining = await rig().member('joining');
    expect(await rig().store.stepOut(a!.caller)).toBe(true);
    expect(await rig().store.stepOut(b!.caller)).toBe(false);
    expect(await a!.call()).toMatchObject({ state: 'failed' });
    expect(await b!.call()).toMatchObject({ state: 'ready' });
    // Two of three are ready without it.
    expect(await rig().store.stepOut(joining.caller)).toBe(true);
    // Now two of four.
    expect(await rig().store.stepOut(c!.caller)).toBe(false);
    expect((await rig().logged()).filter(({ change }) => change === 'failed').map(({ member }) => member)).toEqual(['a', 'joining']);
  });

  it('does not become failed before it was ready where nobody else is', async () => {
    const a = await rig().member('a');
    expect(await rig().store.stepOut(a.caller)).toBe(false);
    await rig().ready('b');
    expect(await rig().store.stepOut(a.caller)).toBe(true);
  });

  it('does not become failed in a tier of one, but in one of two', async () => {
    const a = await rig().ready('a');
    expect(await rig().store.stepOut(a.caller)).toBe(false);
    const b = await rig().ready('b');
    expect(await rig().store.stepOut(b.caller)).toBe(true);
    expect(await rig().store.stepOut(a.caller)).toBe(false);
  });

  it('is left behind by a failed member that says so', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    await rig().store.stepOut(a!.caller);
    expect(await a!.call({ state: null })).toMatchObject({ state: 'failed' });
    expect(await a!.call({ state: 'ready' })).toMatchObject({ state: 'ready' });
    expect(await rig().store.stepOut(b!.caller)).toBe(true);
  });

  it('is not changed by a step of another incarnation', async () => {
    await rig().readyOnes('a', 'b', 'c');
    expect(await rig().store.stepOut({ member: 'a', incarnation: 'another' })).toBe(false);
  });
});
