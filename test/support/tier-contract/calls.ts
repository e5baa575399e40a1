/** What a call says: reports and the verdicts made of them, leadership, words of operators. See src/control-plane/store/tier-store.ts. */
import { expect, it } from 'vitest';
import { parseVerdict } from '../../../src/control-plane/store/entry-texts.ts';
import { entryHash, REPORTS_MAX, type OperatorPut } from '../../../src/control-plane/store/tier-store.ts';
import { namedChecks, reportAll } from './tables.ts';
import { digestOf, down, suite, up, withdrawn, type TestMember } from './tier-rig.ts';

export const callContract = suite('a call', (rig) => {
  it('that is sent again does nothing, and is answered like an empty one', async () => {
    const a = await rig().member('a');
    await a.call({ number: 7 });
    for (const number of [7, 6, 1]) {
      const answer = await a.call({ number, state: 'ready', record: '{"zone":"b"}', beside: 'b', reports: [up('x')], reportsDigest: 99, operatorStates: [operatorPut('k', 1, 'ada')], suspicions: ['x'] });
      expect(answer).toMatchObject({ living: true, state: 'joining', reportsDiffer: false, leader: null });
      expect(answer.verdicts.count + answer.operatorStates.count).toBe(0);
    }
    expect(await rig().store.beside(['a'])).toEqual(new Map());
    expect(await a.call({ number: 8, state: 'ready' })).toMatchObject({ state: 'ready' });
  });

  it('is counted by member', async () => {
    const [a, b] = [await rig().member('a'), await rig().member('b')];
    await a.call({ number: 100 });
    expect((await b.call({ number: 1, reports: [up('x')] })).verdicts.count).toBe(1);
  });

  it('of an incarnation that is not living does nothing, and is answered with nothing', async () => {
    const [a, b] = [await rig().ready('a'), await rig().ready('b')];
    await rig().store.leave(a.caller);
    await b.read();
    const before = b.reader.have;
    const answer = await a.call({ state: 'ready', record: '{"zone":"b"}', beside: 'b', reports: [up('x')], operatorStates: [operatorPut('k', 1, 'ada')], suspicions: ['x'] });
    expect(answer).toMatchObject({ living: false, reportsDiffer: false, publishInMs: null, watched: [], config: null });
    for (const table of [answer.members, answer.verdicts, answer.operatorStates]) expect(table).toMatchObject({ entries: [], more: false, count: 0, digest: 0 });
    await b.read();
    expect(b.reader.have).toEqual(before);
    expect(await rig().store.beside(['a', 'b'])).toEqual(new Map());
  });

  it('compares a digest of what its sender has reported', async () => {
    const a = await rig().ready('a');
    const digest = (...reports: readonly [string, string][]): number => digestOf(new Map(reports));
    expect(await a.call({ reports: [up('x'), down('ü')], reportsDigest: digest(['x', 'up'], ['ü', 'down']) })).toMatchObject({ reportsDiffer: false });
    expect(await a.call({ reportsDigest: digest(['x', 'up'], ['ü', 'down']) })).toMatchObject({ reportsDiffer: false });
    expect(await a.call({ reportsDigest: digest(['x', 'up']) })).toMatchObject({ reportsDiffer: true });
    expect(await a.call({ reportsDigest: null })).toMatchObject({ reportsDiffer: false });
    expect(await a.call({ reports: [withdrawn('ü'), down('x'), withdrawn('never said')], reportsDigest: digest(['x', 'down']) })).toMatchObject({ reportsDiffer: false });
    expect(await a.call({ reports: [down('x', 'another reason')], reportsDigest: entryHash('x', 'down') })).toMatchObject({ reportsDiffer: false });
    expect(await a.call({ reports: [withdrawn('x')], reportsDigest: 0 })).toMatchObject({ reportsDiffer: false });
  });

  it('begins with no reports in a new incarnation', async () => {
    const before = await rig().ready('a');
    await before.report(up('x'));
    const after = await rig().member('a', { previous: before.incarnation });
    expect(await after.call({ reportsDigest: 0 })).toMatchObject({ reportsDiffer: false });
    expect(await after.call({ reports: [down('x')], reportsDigest: entryHash('x', 'down') })).toMatchObject({ reportsDiffer: false });
  });

  it('sees reports missing that the leader had forgotten', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    await b!.report(up('x'), up('y'));
    expect(await rig().store.forget(b!.caller, ['x'])).toBe(false);
    expect(await rig().store.forget(a!.caller, ['x', 'never seen'])).toBe(true);
    expect(await b!.call({ reportsDigest: entryHash('y', 'up') })).toMatchObject({ reportsDiffer: false });
    await a!.read();
    expect([...a!.reader.verdicts.keys()]).toEqual(['y']);
  });

  it(`carries ${REPORTS_MAX} reports, and a digest over many of them`, async () => {
    const a = await rig().ready('a');
    const checks = namedChecks('check', 3 * REPORTS_MAX);
    await reportAll(a, checks);
    expect(await a.call({ reportsDigest: digestOf(new Map(checks.map((check) => [check, 'up']))) })).toMatchObject({ reportsDiffer: false });
  });
});

export const verdictContract = suite('a verdict', (rig) => {
  async function verdictOf(check: string, by: TestMember): Promise<string | undefined> {
    await by.read();
    return by.reader.verdicts.get(check)?.split(' ')[0];
  }

  it('is what the first report says', async () => {
    const [a] = await rig().readyOnes('a', 'b', 'c');
    await a!.report(down('x', 'connection refused: port 80', 1234));
    await a!.read();
    expect(parseVerdict('x', a!.reader.verdicts.get('x')!)).toEqual({ check: 'x', verdict: 'down', atMs: 1234, by: ['a'], reason: 'connection refused: port 80' });
    expect(await rig().logged()).toContainEqual({ kind: 'verdict', atMs: expect.any(Number), check: 'x', from: null, to: 'down', who: [['a', 'down', 'connection refused: port 80']] });
  });

  it('stands until a majority of three probers says otherwise', async () => {
    const [a, b, c] = await rig().readyOnes('a', 'b', 'c');
    await a!.report(up('x'));
    await c!.report(down('x', 'timeout', 5));
    expect(await verdictOf('x', a!)).toBe('up');
    await b!.report(down('x', 'refused', 6));
    await a!.read();
    expect(a!.reader.verdicts.get('x')).toBe('down 6 b,c refused');
    const [last] = (await rig().logged()).filter(({ kind, to }) => kind === 'verdict' && to === 'down');
    expect(last).toMatchObject({ check: 'x', from: 'up', who: [['a', 'up', 'connected'], ['b', 'down', 'refused'], ['c', 'down', 'timeout']] });
  });

  it.each([
    { ready: 1, probers: 3, needed: 1 },
    { ready: 2, probers: 3, needed: 2 },
    { ready: 3, probers: 3, needed: 2 },
    { ready: 5, probers: 3, needed: 2 },
    { ready: 5, probers: 5, needed: 3 },
    { ready: 5, probers: 1, needed: 1 },
    { ready: 4, probers: 4, needed: 3 },
  ])('of $ready ready members with $probers probers is changed by $needed', async ({ ready, probers, needed }) => {
    const members = await rig().readyOnes(...['a', 'b', 'c', 'd', 'e'].slice(0, ready));
    const first = await rig().member('first');
    await first.report(up('x'));
    await first.report(withdrawn('x'));
    for (let i = 0; i < needed; i++) {
      expect(await verdictOf('x', first)).toBe('up');
      await members[i]!.call({ reports: [down('x')], probers });
    }
    expect(await verdictOf('x', first)).toBe('down');
  });

  it('counts ready members alone for how many are needed, but anybody who reports', async () => {
    const a = await rig().ready('a');
    const [b, c] = [await rig().member('b'), await rig().member('c')];
    await c.report(up('x'));
    await b.report(down('x'));
    expect(await verdictOf('x', a)).toBe('down');
  });

  it('is not changed by a report that says the same', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    await a!.report(up('x'));
    await a!.read();
    const before = a!.reader.have;
    await a!.report(up('x', 'again', 2000));
    await b!.report(up('x', 'too', 2000));
    await a!.read();
    expect(a!.reader.have).toEqual(before);
  });

  it('is not changed by withdrawals, nor by members that go, until somebody reports again', async () => {
    const [a, b, c] = await rig().readyOnes('a', 'b', 'c');
    await a!.report(up('x'));
    await b!.report(up('x'));
    await c!.report(down('x'));
    await a!.report(withdrawn('x'));
    await rig().store.leave(b!.caller);
    expect(await verdictOf('x', c!)).toBe('up');
    await a!.report(withdrawn('x'));
    await rig().store.leave(a!.caller);
    expect(await verdictOf('x', c!)).toBe('up');
    // Now N is 1, and so is q.
    await c!.report(down('x'));
    expect(await verdictOf('x', c!)).toBe('down');
  });

  it('is not changed by what dead or superseded incarnations said', async () => {
    const [a, b, c] = await rig().readyOnes('a', 'b', 'c');
    await rig().ready('d');
    await a!.report(up('x'));
    await b!.report(down('x'));
    await rig().store.leave(b!.caller);
    await c!.report(down('x'));
    const again = await rig().ready('c', { previous: c!.incarnation });
    await again.report(down('x'));
    expect(await verdictOf('x', a!)).toBe('up');
    expect(await rig().store.reports(['x'])).toEqual(new Map([['x', new Map([['a', 'up 1000 connected'], ['c', 'down 1000 connection refused']])]]));
  });

  it('takes back what a member said before, when it says otherwise', async () => {
    const [a, b, c] = await rig().readyOnes('a', 'b', 'c');
    await a!.report(up('x'));
    await b!.report(down('x'));
    await b!.report(up('x'));
    await c!.report(down('x'));
    expect(await verdictOf('x', a!)).toBe('up');
  });

  it('comes of the last of several reports in one call', async () => {
    const a = await rig().ready('a');
    await a.report(up('x'), down('x'), up('y'), withdrawn('y'));
    expect(await verdictOf('x', a)).toBe('down');
    expect(await verdictOf('y', a)).toBe('up');
    expect(await rig().store.reports(['x', 'y', 'z'])).toEqual(new Map([['x', new Map([['a', 'down 1000 connection refused']])]]));
  });

  it('is made anew once it was forgotten', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    await a!.report(up('x'));
    await rig().store.forget(a!.caller, ['x']);
    expect(await rig().store.reports(['x'])).toEqual(new Map());
    await b!.report(down('x'));
    expect(await verdictOf('x', a!)).toBe('down');
  });

  it('takes names and reasons as they are', async () => {
    const a = await rig().ready('a');
    const odd = 'http://ü:80/?a=%20 "x"\t\\ every 1s';
    await a.report(down(odd, 'said: "no" – \\n'));
    await a.report(up('plain', ''));
    await a.read();
    expect(parseVerdict(odd, a.reader.verdicts.get(odd)!)).toMatchObject({ reason: 'said: "no" – \\n' });
    expect(parseVerdict('plain', a.reader.verdicts.get('plain')!)).toMatchObject({ reason: '' });
    expect(await rig().store.reports([odd])).toEqual(new Map([[odd, new Map([['a', 'down 1000 said: "no" – \\n']])]]));
    expect((await rig().logged()).find(({ check }) => check === odd)).toMatchObject({ who: [['a', 'down', 'said: "no" – \\n']] });
  });
});

export const leaderContract = suite('the leader', (rig) => {
  it('is the first ready member that calls', async () => {
    const a = await rig().member('a');
    expect(await a.call()).toMatchObject({ leader: null });
    const b = await rig().ready('b');
    expect(await a.call({ state: 'ready' })).toMatchObject({ leader: { member: 'b', incarnation: b.incarnation, term: 1 } });
    expect((await rig().logged()).filter(({ kind }) => kind === 'leader')).toEqual([{ kind: 'leader', atMs: expect.any(Number), member: 'b', term: 1 }]);
  });

  it('stays while it lives, draining too', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    await a!.call({ state: 'draining' });
    expect(await b!.call()).toMatchObject({ leader: { member: 'a' } });
  });

  it('is followed by the next ready member that calls once it has left', async () => {
    const [a, b, c] = await rig().readyOnes('a', 'b', 'c');
    await rig().store.leave(a!.caller);
    await c!.call();
    expect(await b!.call()).toMatchObject({ leader: { member: 'c', incarnation: c!.incarnation, term: 2 } });
  });

  it('is followed when its lease has ended', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    await rig().expire(a!, b!);
    expect(await b!.call()).toMatchObject({ leader: { member: 'b', term: 2 } });
    expect(await rig().store.raiseProtocol(a!.caller, 9, await membersEpoch(b!))).toBe(false);
  });

  it('does not lead on in a new incarnation', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    const again = await rig().member('a', { previous: a!.incarnation });
    expect(await rig().store.raiseProtocol(again.caller, 9, await membersEpoch(again))).toBe(false);
    await again.call({ state: 'ready' });
    expect(await b!.call()).toMatchObject({ leader: { member: 'a', incarnation: again.incarnation, term: 2 } });
    expect(await rig().store.raiseProtocol(a!.caller, 9, await membersEpoch(b!))).toBe(false);
  });

  it('alone lifts the protocol of the tier', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    expect(await rig().store.raiseProtocol(b!.caller, 2, await membersEpoch(b!))).toBe(false);
    expect(await b!.call()).toMatchObject({ protocol: 1 });
    expect(await rig().store.raiseProtocol(a!.caller, 2, await membersEpoch(b!))).toBe(true);
    expect(await b!.call()).toMatchObject({ protocol: 2 });
  });

  it('does not lift it over the heads of members that it has not read', async () => {
    const [a] = await rig().readyOnes('a', 'b');
    const epoch = await membersEpoch(a!);
    await rig().member('c');
    expect(await rig().store.raiseProtocol(a!.caller, 2, epoch)).toBe(false);
    expect(await a!.call()).toMatchObject({ protocol: 1 });
    expect(await rig().store.raiseProtocol(a!.caller, 2, await membersEpoch(a!))).toBe(true);
  });
});

async function membersEpoch(by: TestMember): Promise<number> {
  return (await by.call()).members.epoch;
}

export function operatorPut(key: string, stampMs: number, by: string, word = 'drain'): OperatorPut {
  return { key, stampMs, by, text: `${stampMs} ${by} ${JSON.stringify({ state: word })}` };
}

export const operatorContract = suite('the word of an operator', (rig) => {
  it('stands if it is the newest, and of two at once if its author is the greater', async () => {
    const a = await rig().ready('a');
    async function standsAfter(put: OperatorPut): Promise<string | undefined> {
      await a.read({ operatorStates: [put] });
      return a.reader.operatorStates.get('web 1:80');
    }
    const first = operatorPut('web 1:80', 200, 'bob');
    expect(await standsAfter(first)).toBe(first.text);
    expect(await standsAfter(operatorPut('web 1:80', 199, 'zoe'))).toBe(first.text);
    expect(await standsAfter(operatorPut('web 1:80', 200, 'ada'))).toBe(first.text);
    expect(await standsAfter(operatorPut('web 1:80', 200, 'bob', 'other'))).toBe(first.text);
    const greater = operatorPut('web 1:80', 200, 'bobby');
    expect(await standsAfter(greater)).toBe(greater.text);
    const newer = operatorPut('web 1:80', 1000, 'ada', 'ready "é"');
    expect(await standsAfter(newer)).toBe(newer.text);
    expect((await rig().logged()).filter(({ kind }) => kind === 'operator').map(({ key, by }) => [key, by])).toEqual([['web 1:80', 'bob'], ['web 1:80', 'bobby'], ['web 1:80', 'ada']]);
  });

  it('is kept by key, and outlives who brought it', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    await a!.call({ operatorStates: [operatorPut('x', 1, 'ada'), operatorPut('y', 1, 'ada')] });
    await rig().store.leave(a!.caller);
    await b!.read();
    expect([...b!.reader.operatorStates.keys()]).toEqual(['x', 'y']);
  });
});
