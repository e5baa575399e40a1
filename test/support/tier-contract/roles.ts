/** What a store must do with the records of role pools (src/control-plane/store/role-records.ts). */
import { expect, it } from 'vitest';
import { parseRole, roleKey, type RoleRecord } from '../../../src/control-plane/store/role-records.ts';
import { suite, type TestMember, type TierRig } from './tier-rig.ts';

const A = '10.0.0.1:6379';
const B = '10.0.0.2:6379';

/** Reads on, and what the tier then holds of the pool. */
async function held(by: TestMember, pool = 'db'): Promise<RoleRecord | null> {
  await by.read();
  const text = by.reader.verdicts.get(roleKey(pool));
  return text === undefined ? null : parseRole(text);
}

/** By the leader. */
async function moved(rig: TierRig, leader: TestMember, address: string): Promise<RoleRecord> {
  const former = await held(leader);
  expect(await rig.store.moveRole({ ...leader.caller, pool: 'db', expectedEpoch: former?.epoch ?? 0, address })).toBe('done');
  return (await held(leader))!;
}

const acknowledged = (rig: TierRig, by: TestMember, { epoch, address }: RoleRecord): Promise<void> => rig.store.acknowledgeRoles(by.caller, [{ pool: 'db', epoch, address }]);
const admission = (leader: TestMember, expectedEpoch: number): Parameters<TierRig['store']['admitRole']>[0] => ({ ...leader.caller, pool: 'db', expectedEpoch });

export const roleContract = suite('the role of a pool', (rig) => {
  it('is withdrawn, acknowledged by all and then admitted, under one epoch', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    const record = await moved(rig(), a!, A);
    expect(record).toMatchObject({ phase: 'withdrawing', address: A });
    expect(record.epoch).toBeGreaterThan(0);
    expect(await rig().store.admitRole(admission(a!, record.epoch))).toEqual({ kind: 'waits', members: ['a', 'b'] });
    await acknowledged(rig(), a!, record);
    expect(await rig().store.admitRole(admission(a!, record.epoch))).toEqual({ kind: 'waits', members: ['b'] });
    expect(await held(b!)).toEqual(record);
    await acknowledged(rig(), b!, record);
    expect(await rig().store.admitRole(admission(a!, record.epoch))).toEqual({ kind: 'done' });
    const admitted = await held(b!);
    expect(admitted).toMatchObject({ phase: 'admitted', address: A, epoch: record.epoch });
    expect(admitted!.sinceMs).toBeGreaterThanOrEqual(record.sinceMs);
    expect(await rig().store.admitRole(admission(a!, record.epoch))).toEqual({ kind: 'changed' });
    const told = (await rig().logged()).filter(({ kind }) => kind === 'role').map(({ atMs: _, ...rest }) => rest);
    expect(told).toEqual([
      { kind: 'role', pool: 'db', epoch: record.epoch, phase: 'withdrawing', address: A, by: 'a' },
      { kind: 'role', pool: 'db', epoch: record.epoch, phase: 'admitted', address: A, by: 'a' },
    ]);
  });

  it('is moved by nobody but the leader, and from no epoch but its own', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    expect(await rig().store.moveRole({ ...b!.caller, pool: 'db', expectedEpoch: 0, address: A })).toBe('not-leader');
    const first = await moved(rig(), a!, A);
    expect(await rig().store.moveRole({ ...a!.caller, pool: 'db', expectedEpoch: 0, address: B })).toBe('changed');
    expect(await rig().store.admitRole(admission(b!, first.epoch))).toEqual({ kind: 'not-leader' });
    expect(await rig().store.admitRole(admission(a!, first.epoch + 1))).toEqual({ kind: 'changed' });
    expect(await rig().store.admitRole({ ...a!.caller, pool: 'other', expectedEpoch: first.epoch })).toEqual({ kind: 'changed' });
    const second = await moved(rig(), a!, B);
    expect(second).toMatchObject({ phase: 'withdrawing', address: B });
    expect(second.epoch).toBeGreaterThan(first.epoch);
  });

  it('forgets acknowledgements of an older epoch, and those that come late', async () => {
    const a = await rig().ready('a');
    const first = await moved(rig(), a, A);
    await acknowledged(rig(), a, first);
    const second = await moved(rig(), a, B);
    expect(await rig().store.admitRole(admission(a, second.epoch))).toEqual({ kind: 'waits', members: ['a'] });
    await acknowledged(rig(), a, first);
    expect(await rig().store.admitRole(admission(a, second.epoch))).toEqual({ kind: 'waits', members: ['a'] });
    await acknowledged(rig(), a, second);
    expect(await rig().store.admitRole(admission(a, second.epoch))).toEqual({ kind: 'done' });
  });

  it('waits for whoever joined meanwhile, and not for who has left', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    const record = await moved(rig(), a!, A);
    await acknowledged(rig(), a!, record);
    await acknowledged(rig(), b!, record);
    const c = await rig().member('c');
    expect(await rig().store.admitRole(admission(a!, record.epoch))).toEqual({ kind: 'waits', members: ['c'] });
    await rig().store.leave(c.caller);
    expect(await rig().store.admitRole(admission(a!, record.epoch))).toEqual({ kind: 'done' });
  });

  it('asks the next incarnation of a member anew', async () => {
    const a = await rig().ready('a');
    const b = await rig().ready('b');
    const record = await moved(rig(), a, A);
    await acknowledged(rig(), a, record);
    await acknowledged(rig(), b, record);
    const next = await rig().ready('b', { previous: b.incarnation });
    expect(await rig().store.admitRole(admission(a, record.epoch))).toEqual({ kind: 'waits', members: ['b'] });
    await acknowledged(rig(), b, record);
    expect(await rig().store.admitRole(admission(a, record.epoch))).toEqual({ kind: 'waits', members: ['b'] });
    await acknowledged(rig(), next, record);
    expect(await rig().store.admitRole(admission(a, record.epoch))).toEqual({ kind: 'done' });
  });

  it('waits half a lease after one that expired', async () => {
    const leaseMs = 400;
    const a = await rig().ready('a');
    const b = await rig().ready('b');
    const record = await moved(rig(), a, A);
    await acknowledged(rig(), a, record);
    await b.call({ leaseMs: 50 });
    await rig().advance(51);
    await a.read({ leaseMs });
    expect([...a.reader.members.keys()]).toEqual(['a']);
    expect(await rig().store.admitRole(admission(a, record.epoch))).toEqual({ kind: 'waits', members: [] });
    await rig().advance(leaseMs / 2 + 10);
    await a.call({ leaseMs });
    expect(await rig().store.admitRole(admission(a, record.epoch))).toEqual({ kind: 'done' });
  });

  it('is withdrawn by a member that knows of a later epoch: the store has lost it', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    const record = await moved(rig(), a!, A);
    const lost: RoleRecord = { ...record, epoch: record.epoch + 1e6, address: B };
    await acknowledged(rig(), a!, record);
    await acknowledged(rig(), b!, lost);
    const mended = await held(a!);
    expect(mended).toMatchObject({ phase: 'withdrawing', address: B, epoch: lost.epoch + 1 });
    expect(await rig().store.admitRole(admission(a!, mended!.epoch))).toEqual({ kind: 'waits', members: ['a', 'b'] });
    // Another record of the same epoch is as good a proof.
    await acknowledged(rig(), b!, { ...mended!, address: A });
    expect(await held(a!)).toMatchObject({ phase: 'withdrawing', address: A, epoch: mended!.epoch + 1 });
  });

  it('is restored by whoever knows of it in a store that has none', async () => {
    const a = await rig().ready('a');
    await acknowledged(rig(), a, { epoch: 7, address: 'db é:1', phase: 'admitted', sinceMs: 0 });
    expect(await held(a)).toMatchObject({ phase: 'withdrawing', address: 'db é:1' });
  });

  it('takes no word of who is not living', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    const record = await moved(rig(), a!, A);
    await rig().store.leave(b!.caller);
    await acknowledged(rig(), b!, { ...record, epoch: record.epoch + 5 });
    expect(await held(a!)).toEqual(record);
    await rig().store.leave(a!.caller);
    expect(await rig().store.moveRole({ ...a!.caller, pool: 'db', expectedEpoch: record.epoch, address: B })).toBe('not-leader');
  });

  it('goes when the pool has no role any more', async () => {
    const a = await rig().ready('a');
    const record = await moved(rig(), a, A);
    expect(await rig().store.moveRole({ ...a.caller, pool: 'db', expectedEpoch: record.epoch, address: null })).toBe('done');
    expect(await held(a)).toBeNull();
    expect((await rig().logged()).at(-1)).toMatchObject({ kind: 'role', phase: 'gone', epoch: record.epoch, address: '' });
    expect(await rig().store.moveRole({ ...a.caller, pool: 'db', expectedEpoch: record.epoch, address: null })).toBe('changed');
    expect(await rig().store.admitRole(admission(a, record.epoch))).toEqual({ kind: 'changed' });
  });

  it('comes back under a later epoch for whoever still goes by it, and waits for all', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    const record = await moved(rig(), a!, A);
    await rig().store.moveRole({ ...a!.caller, pool: 'db', expectedEpoch: record.epoch, address: null });
    await acknowledged(rig(), b!, record);
    const again = (await held(a!))!;
    expect(again).toMatchObject({ phase: 'withdrawing', address: A });
    expect(again.epoch).toBeGreaterThan(record.epoch);
    expect(await rig().store.admitRole(admission(a!, again.epoch))).toEqual({ kind: 'waits', members: ['a', 'b'] });
  });

  it('comes to subscribers in the message itself', async () => {
    const a = await rig().ready('a');
    const listener = await rig().listen(a);
    const record = await moved(rig(), a, A);
    const hint = await listener.hears(a, ({ verdicts }) => verdicts?.some(({ key }) => key === roleKey('db')) === true);
    expect(parseRole(hint.verdicts!.find(({ key }) => key === roleKey('db'))!.text!)).toEqual(record);
  });

  it('refuses what would not parse', async () => {
    const a = await rig().ready('a');
    await expect(rig().store.moveRole({ ...a.caller, pool: 'a\nb', expectedEpoch: 0, address: A })).rejects.toThrow('a pool has a name');
    await expect(rig().store.moveRole({ ...a.caller, pool: 'db', expectedEpoch: 0, address: '' })).rejects.toThrow('a backend has an address');
    await expect(rig().store.acknowledgeRoles(a.caller, [{ pool: 'db', epoch: 0, address: A }])).rejects.toThrow('a role has an epoch');
    await expect(a.report({ check: roleKey('db'), verdict: 'up', reason: '', atMs: 1 })).rejects.toThrow('a check is named');
  });
});
