/** What a store must do with the keys of session tickets (src/control-plane/store/ticket-records.ts). */
import { expect, it } from 'vitest';
import { TICKETS_CHARS_MAX, TICKETS_KEY, ticketsSha, type TicketPutAnswer } from '../../../src/control-plane/store/ticket-records.ts';
import { suite, up, type TestMember, type TierRig } from './tier-rig.ts';

/** Reads on, and what the tier then holds. */
async function held(by: TestMember): Promise<string | null> {
  await by.read();
  return by.reader.verdicts.get(TICKETS_KEY) ?? null;
}

function put(rig: TierRig, by: TestMember, after: string | null, text: string | null): Promise<TicketPutAnswer> {
  return rig.store.putTickets({ ...by.caller, expectedSha: ticketsSha(after), text });
}

export const ticketContract = suite('the keys of session tickets', (rig) => {
  it('are put by the leader, one after the other, and read by all', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    expect(await put(rig(), a!, null, 'one')).toBe('done');
    expect(await held(b!)).toBe('one');
    expect(await put(rig(), a!, 'one', 'twö "é"')).toBe('done');
    expect([await held(a!), await held(b!)]).toEqual(['twö "é"', 'twö "é"']);
    expect(await put(rig(), a!, 'twö "é"', null)).toBe('done');
    expect(await held(b!)).toBeNull();
    expect(await put(rig(), a!, null, null)).toBe('done');
  });

  it('are put by nobody else', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    expect(await put(rig(), b!, null, 'mine')).toBe('not-leader');
    expect(await rig().store.putTickets({ member: 'a', incarnation: 'another', expectedSha: '', text: 'mine' })).toBe('not-leader');
    await rig().store.leave(a!.caller);
    expect(await put(rig(), a!, null, 'mine')).toBe('not-leader');
    expect(await held(b!)).toBeNull();
  });

  it('follow the text that the leader thinks of, or nothing is done', async () => {
    const a = await rig().ready('a');
    expect(await put(rig(), a, 'never', 'one')).toBe('changed');
    await put(rig(), a, null, 'one');
    expect(await put(rig(), a, null, 'two')).toBe('changed');
    expect(await put(rig(), a, 'never', null)).toBe('changed');
    expect(await held(a)).toBe('one');
  });

  it('come to subscribers in the message itself', async () => {
    const a = await rig().ready('a');
    const listener = await rig().listen(a);
    await put(rig(), a, null, 'one');
    expect((await listener.hears(a, ({ verdicts }) => verdicts?.length !== 0)).verdicts).toEqual([{ key: TICKETS_KEY, text: 'one' }]);
  });

  it('are gone with all the rest', async () => {
    await put(rig(), await rig().ready('a'), null, 'one');
    await rig().flush();
    const a = await rig().ready('a');
    expect(await held(a)).toBeNull();
    expect(await put(rig(), a, null, 'two')).toBe('done');
  });

  it('are no check, and one line of bounded length', async () => {
    const a = await rig().ready('a');
    await expect(a.report(up(TICKETS_KEY))).rejects.toThrow('a check is named');
    await expect(put(rig(), a, null, 'a\nb')).rejects.toThrow('one line');
    await expect(put(rig(), a, null, 'x'.repeat(TICKETS_CHARS_MAX + 1))).rejects.toThrow('one line');
    await expect(rig().store.putTickets({ ...a.caller, expectedSha: 'one', text: 'x' })).rejects.toThrow('named by its sha');
    expect(await put(rig(), a, null, 'x'.repeat(TICKETS_CHARS_MAX))).toBe('done');
    expect(await held(a)).toHaveLength(TICKETS_CHARS_MAX);
  });
});
