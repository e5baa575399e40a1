/** The three tables, their epochs, pages and digests: see "Tables" in src/control-plane/store/tier-store.ts. */
import { expect, it } from 'vitest';
import { ANSWER_BYTES_MAX, CHANGES_MAX, REPORTS_MAX, TOMBSTONES_MAX, type StoreAnswer, type VerdictReport } from '../../../src/control-plane/store/tier-store.ts';
import { down, hasMore, suite, up, type TestMember, type TierRig } from './tier-rig.ts';

export const tableContract = suite('a table', (rig) => {
  it('tells a reader what changed since, and no more', async () => {
    const [a, b] = [await rig().ready('a'), await rig().ready('b')];
    await a.report(up('x'), up('y'));
    await b.read();
    expect((await b.read())[0]!.verdicts).toMatchObject({ whole: false, entries: [], more: false, count: 2 });
    await a.report(up('z'));
    const [answer] = await b.read();
    expect(answer!.verdicts.entries.map(({ key }) => key)).toEqual(['z']);
    expect(answer!.members.entries).toEqual([]);
  });

  it('answers in the order of the last changes', async () => {
    const a = await rig().ready('a');
    await a.report(up('x'), up('y'), up('z'));
    await a.report(down('x'));
    expect((await a.call()).verdicts.entries.map(({ key }) => key)).toEqual(['y', 'z', 'x']);
  });

  it('tells what is gone to a reader who may have had it', async () => {
    const [a, b, c] = await rig().readyOnes('a', 'b', 'c');
    await a!.read();
    await rig().store.leave(b!.caller);
    const [answer] = await a!.read();
    expect(answer!.members.entries).toEqual([{ key: 'b', text: null }]);
    // And not to one who reads from the beginning.
    expect((await c!.call()).members.entries.map(({ key }) => key).sort()).toEqual(['a', 'c']);
  });

  it('takes back a key that was gone', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    await a!.read();
    await rig().store.leave(b!.caller);
    const again = await rig().ready('b');
    const [answer] = await a!.read();
    expect(answer!.members.entries).toHaveLength(1);
    expect(a!.reader.members.get('b')).toContain(again.incarnation);
  });

  it('reads from the beginning for a reader of another run, or from the future', async () => {
    const a = await rig().ready('a');
    const { run, verdicts } = await a.report(up('x'));
    for (const have of [{ run: 'another', members: 1, verdicts: verdicts.epoch, operatorStates: 0, config: 0 }, { run, members: 999, verdicts: 999, operatorStates: 999, config: 999 }]) {
      const answer = await a.call({ have });
      expect(answer.verdicts).toMatchObject({ whole: true, more: false });
      expect(answer.members).toMatchObject({ whole: true, more: false });
      expect(answer.verdicts.entries.map(({ key }) => key)).toEqual(['x']);
      expect(answer.config).not.toBeNull();
    }
  });

  it('has a digest that depends on what is in it, not on how it came about', async () => {
    const a = await rig().ready('a');
    const { verdicts: first } = await a.report(up('x'), up('y'));
    const { verdicts: changed } = await a.report(down('y', 'no route to host – nirgendwo'));
    expect(changed.digest).not.toBe(first.digest);
    const { verdicts: back } = await a.report(up('y'));
    expect(back).toMatchObject({ digest: first.digest, count: 2 });
    await a.read();
  });

  it('is a new one in another run after everything was lost', async () => {
    const a = await rig().ready('a');
    const { run } = await a.report(up('x'));
    await rig().flush();
    expect(await a.call()).toMatchObject({ living: false });
    const again = await rig().ready('a');
    const answer = await again.call();
    expect(answer.run).not.toBe(run);
    expect(answer.verdicts).toMatchObject({ count: 0, digest: 0 });
    expect(answer.config).toMatchObject({ head: null, rollout: null });
  });
});

export const pageContract = suite('an answer', (rig) => {
  it(`brings ${CHANGES_MAX} entries at most, to be read on`, async () => {
    const a = await rig().ready('a');
    const checks = namedChecks('check', 2 * CHANGES_MAX + 50);
    await reportAll(a, checks);
    const reader = await rig().member('reader');
    const answers = await reader.read();
    expect(answers.map(entryCount).every((count) => count <= CHANGES_MAX)).toBe(true);
    expect(answers).toHaveLength(3);
    expect(answers.map(({ verdicts }) => verdicts.whole)).toEqual([true, false, false]);
    expect([...reader.reader.verdicts.keys()]).toEqual(checks);
  });

  it(`brings ${ANSWER_BYTES_MAX} bytes of keys and texts at most`, async () => {
    const a = await rig().ready('a');
    // Counted in bytes, not in characters: each of these is two.
    await a.call({ reports: namedChecks('check', 300).map((check) => down(check, 'ü'.repeat(200))) });
    const reader = await rig().member('reader');
    const answers = await reader.read();
    expect(answers.length).toBeGreaterThan(1);
    for (const answer of answers) expect(byteCount(answer)).toBeLessThanOrEqual(ANSWER_BYTES_MAX);
    expect(reader.reader.verdicts.size).toBe(300);
  });

  it('brings one entry at least, however long', async () => {
    const a = await rig().ready('a', { record: JSON.stringify('x'.repeat(ANSWER_BYTES_MAX)) });
    const b = await rig().ready('b', { record: JSON.stringify('y'.repeat(ANSWER_BYTES_MAX)) });
    await a.report(up('x'));
    const answers = await b.read();
    expect(answers.map(entryCount).every((count) => count >= 1)).toBe(true);
    expect([...b.reader.members.keys()].sort()).toEqual(['a', 'b']);
    expect([...b.reader.verdicts.keys()]).toEqual(['x']);
  });

  it('says of a table it had no room for that there is more', async () => {
    const a = await rig().ready('a', { record: JSON.stringify('x'.repeat(ANSWER_BYTES_MAX)) });
    const answer = await a.report(up('x'));
    expect(answer.members).toMatchObject({ more: false });
    expect(answer.verdicts).toMatchObject({ entries: [], more: true, count: 1 });
    expect(answer.operatorStates).toMatchObject({ entries: [], more: false });
  });

  it('goes on with a reading of pages while the table changes', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    const checks = namedChecks('check', 2 * CHANGES_MAX);
    await reportAll(a!, checks);
    let answer = await b!.call();
    b!.reader.take(answer);
    for (let page = 0; hasMore(answer); page++) {
      await a!.call({ reports: [down(checks[0]!), down(checks[CHANGES_MAX + 3]!), up(`new ${page}`)], probers: 1 });
      answer = await b!.call({ have: b!.reader.have });
      b!.reader.take(answer);
    }
    expect(b!.reader.verdicts.size).toBeGreaterThan(checks.length);
    expect(b!.reader.verdicts.get(checks[0]!)).toMatch(/^down/);
    expect(b!.reader.verdicts.get(checks[CHANGES_MAX + 3]!)).toMatch(/^down/);
  });
});

export const tombstoneContract = suite('after many removals', (rig) => {
  it(`a reader who missed more than ${TOMBSTONES_MAX} reads whole`, async () => {
    const [a, reader] = await rig().readyOnes('a', 'reader');
    await a!.report(up('stays'), up('goes'));
    await reader!.read();
    await rig().store.forget(a!.caller, ['goes']);
    await comeAndGo(rig(), a!, TOMBSTONES_MAX);
    const [answer] = await reader!.read();
    expect(answer!.verdicts.whole).toBe(true);
    expect([...reader!.reader.verdicts.keys()]).toEqual(['stays']);
  });

  it('a reader who missed few is told of them', async () => {
    const [a, reader] = await rig().readyOnes('a', 'reader');
    await a!.report(up('stays'), up('goes'));
    await comeAndGo(rig(), a!, TOMBSTONES_MAX);
    await reader!.read();
    await rig().store.forget(a!.caller, ['goes']);
    const [answer] = await reader!.read();
    expect(answer!.verdicts).toMatchObject({ whole: false, entries: [{ key: 'goes', text: null }] });
    expect([...reader!.reader.verdicts.keys()]).toEqual(['stays']);
  });

  it('what came back is no longer counted among them', async () => {
    const [a, reader] = await rig().readyOnes('a', 'reader');
    const back = namedChecks('back', 500);
    await reportAll(a!, back);
    await reader!.read();
    await rig().store.forget(a!.caller, back);
    await reportAll(a!, back);
    await comeAndGo(rig(), a!, TOMBSTONES_MAX - 100);
    const answers = await reader!.read();
    expect(answers.map(({ verdicts }) => verdicts.whole)).not.toContain(true);
    expect(reader!.reader.verdicts.size).toBe(back.length);
  });

  it('a reading of many old entries still comes to its end, and begins once', async () => {
    const [a, reader] = await rig().readyOnes('a', 'reader');
    const old = namedChecks('old', 2 * CHANGES_MAX + 10);
    await reportAll(a!, old);
    await comeAndGo(rig(), a!, TOMBSTONES_MAX + 10);
    const answers = await reader!.read();
    expect(answers.map(({ verdicts }) => verdicts.whole)).toEqual(answers.map((_, i) => i === 0));
    expect([...reader!.reader.verdicts.keys()]).toEqual(old);
    expect((await reader!.read())[0]!.verdicts).toMatchObject({ whole: false, entries: [] });
  });

  it('such a reading is told of what goes meanwhile', async () => {
    const [a, reader] = await rig().readyOnes('a', 'reader');
    const old = namedChecks('old', CHANGES_MAX + 10);
    await reportAll(a!, old);
    await comeAndGo(rig(), a!, TOMBSTONES_MAX + 10);
    reader!.reader.take(await reader!.call());
    await rig().store.forget(a!.caller, [old[0]!, old[CHANGES_MAX + 5]!]);
    await reader!.read();
    expect([...reader!.reader.verdicts.keys()]).toEqual(old.filter((_, i) => i !== 0 && i !== CHANGES_MAX + 5));
  });
});

export function namedChecks(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name} ${10_000 + i}`);
}

export async function reportAll(by: TestMember, checks: readonly string[], report: (check: string) => VerdictReport = (check) => up(check)): Promise<void> {
  for (let i = 0; i < checks.length; i += REPORTS_MAX) await by.call({ reports: checks.slice(i, i + REPORTS_MAX).map(report) });
}

/** `count` entries appear and are gone. */
async function comeAndGo(rig: TierRig, leader: TestMember, count: number): Promise<void> {
  const checks = namedChecks('passing', count);
  await reportAll(leader, checks);
  for (let i = 0; i < count; i += 500) expect(await rig.store.forget(leader.caller, checks.slice(i, i + 500))).toBe(true);
}

function entryCount({ members, verdicts, operatorStates }: StoreAnswer): number {
  return members.entries.length + verdicts.entries.length + operatorStates.entries.length;
}

function byteCount({ members, verdicts, operatorStates }: StoreAnswer): number {
  const entries = [...members.entries, ...verdicts.entries, ...operatorStates.entries];
  return entries.reduce((sum, { key, text }) => sum + Buffer.byteLength(key) + Buffer.byteLength(text ?? ''), 0);
}
