/** What every store must do, over the registry: see src/control-plane/store/store.ts. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { storeDefinitions } from '../../src/control-plane/store/registry.ts';
import { CHANGES_MAX, operatorKey, REPORTS_MAX, type OperatorEntry, type ReadUpTo, type Store, type StoreAnswer, type StoreCall, type VerdictReport } from '../../src/control-plane/store/store.ts';

/** Where each store is in a test; one that cannot run here is skipped with its reason. */
const urls: Readonly<Record<string, { readonly url: string; readonly skip?: string }>> = {
  memory: { url: 'none' },
};

const report = (check: string, verdict: VerdictReport['verdict'], reason = 'because'): VerdictReport => ({ check, verdict, reason, atMs: 1000 });
const operator = (address: string, changes: Partial<OperatorEntry> = {}): OperatorEntry => ({ pool: 'web', address, state: 'drain', weight: null, reason: '', by: 'a', stampMs: 100, ...changes });
const readUpTo = ({ run, verdicts, operatorStates }: StoreAnswer): ReadUpTo => ({ run, verdicts: verdicts.epoch, operatorStates: operatorStates.epoch });

it('are listed in order, once each, and no two take the same URL', () => {
  const names = storeDefinitions.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)].sort());
  for (const name of names) expect(storeDefinitions.filter((definition) => definition.accepts(urls[name]!.url)).map((definition) => definition.name)).toEqual([name]);
});

describe.each(storeDefinitions.map((definition) => ({ name: definition.name, definition })))('$name', ({ name, definition }) => {
  let store: Store;
  const numbers = new Map<string, number>();
  beforeEach(() => {
    numbers.clear();
    store = definition.open(urls[name]!.url);
  });
  afterEach(() => store.close());

  function call(member: string, parts: Partial<StoreCall> = {}): Promise<StoreAnswer> {
    const number = (numbers.get(member) ?? 0) + 1;
    numbers.set(member, number);
    return store.call({ member, number, reports: [], operatorStates: [], have: null, ...parts });
  }

  /** Everything a newcomer reads. */
  async function readAll(member = 'reader'): Promise<{ verdicts: Map<string, string>; operatorStates: Map<string, OperatorEntry> }> {
    const verdicts = new Map<string, string>();
    const operatorStates = new Map<string, OperatorEntry>();
    let have: ReadUpTo | null = null;
    while (true) {
      const answer: StoreAnswer = await call(member, { have });
      for (const { key, value } of answer.verdicts.entries) if (value !== null) verdicts.set(key, value.verdict);
      for (const { key, value } of answer.operatorStates.entries) if (value !== null) operatorStates.set(key, value);
      have = readUpTo(answer);
      if (!answer.verdicts.more && !answer.operatorStates.more) return { verdicts, operatorStates };
    }
  }

  it('makes the only report of a check its verdict', async () => {
    const answer = await call('a', { reports: [report('x', 'up'), report('y', 'down', 'connection refused')] });
    expect(answer.verdicts.entries).toEqual([
      { key: 'x', value: { check: 'x', verdict: 'up', reason: 'because', atMs: 1000 } },
      { key: 'y', value: { check: 'y', verdict: 'down', reason: 'connection refused', atMs: 1000 } },
    ]);
    expect(answer.verdicts).toMatchObject({ count: 2, more: false });
  });

  it('changes a verdict on a report only, to what more than half say', async () => {
    await call('a', { reports: [report('x', 'up')] });
    await call('b', { reports: [report('x', 'down')] });
    expect((await readAll()).verdicts.get('x')).toBe('up');
    await call('c', { reports: [report('x', 'down')] });
    expect((await readAll()).verdicts.get('x')).toBe('down');
    // Two of three fall silent: the verdict stays, though the one left says otherwise, until it says so again.
    await call('b', { reports: [report('x', null)] });
    await call('c', { reports: [report('x', null)] });
    expect((await readAll()).verdicts.get('x')).toBe('down');
    await call('a', { reports: [report('x', 'up')] });
    expect((await readAll()).verdicts.get('x')).toBe('up');
  });

  it('drops a verdict when nobody speaks about its check any more', async () => {
    const { verdicts } = await call('a', { reports: [report('x', 'up')] });
    const answer = await call('a', { reports: [report('x', null)], have: { ...readUpTo(await call('b')), verdicts: verdicts.epoch } });
    expect(answer.verdicts.entries).toEqual([{ key: 'x', value: null }]);
    expect(answer.verdicts).toMatchObject({ count: 0, digest: 0 });
  });

  it('answers only what changed since', async () => {
    const first = await call('a', { reports: [report('x', 'up'), report('y', 'up')] });
    const have = readUpTo(first);
    expect((await call('a', { have })).verdicts).toMatchObject({ entries: [], whole: false, epoch: have.verdicts });
    const second = await call('b', { reports: [report('y', 'down'), report('z', 'up')], operatorStates: [operator('1')], have });
    expect(second.verdicts.entries.map(({ key }) => key)).toEqual(['z']);
    expect(second.operatorStates.entries.map(({ key }) => key)).toEqual([operatorKey('web', '1')]);
  });

  it('says nothing new for a report that changes nothing', async () => {
    const have = readUpTo(await call('a', { reports: [report('x', 'up')] }));
    const again = await call('a', { reports: [report('x', 'up', 'still')], have });
    expect(again.verdicts).toMatchObject({ entries: [], epoch: have.verdicts });
  });

  it('does nothing for a call whose number is not above the last', async () => {
    await call('a', { number: 7, reports: [report('x', 'up')] });
    const answer = await call('a', { number: 7, reports: [report('x', 'down')], operatorStates: [operator('1')] });
    expect(answer.verdicts.entries.map(({ value }) => value?.verdict)).toEqual(['up']);
    expect(answer.operatorStates.entries).toEqual([]);
    await call('b', { number: 1, reports: [report('y', 'up')] });
    expect((await readAll()).verdicts.size).toBe(2);
  });

  it('answers in pages that can be read on', async () => {
    const checks = Array.from({ length: 3 * CHANGES_MAX + 7 }, (_, i) => `check ${i}`);
    for (let i = 0; i < checks.length; i += REPORTS_MAX) await call('a', { reports: checks.slice(i, i + REPORTS_MAX).map((check) => report(check, 'up')) });
    const page = await call('b');
    expect(page.verdicts).toMatchObject({ more: true, whole: true, count: checks.length });
    expect(page.verdicts.entries).toHaveLength(CHANGES_MAX);
    expect([...(await readAll()).verdicts.keys()].sort()).toEqual([...checks].sort());
  });

  it('brings a reader that missed many removals to the same end', async () => {
    const have = readUpTo(await call('a', { reports: [report('old', 'up')] }));
    await call('a', { reports: [report('old', null)] });
    for (let round = 0; round < 4; round++) {
      const checks = Array.from({ length: REPORTS_MAX }, (_, i) => `${round} ${i}`);
      await call('a', { reports: checks.map((check) => report(check, 'up')) });
      await call('a', { reports: checks.map((check) => report(check, null)) });
    }
    await call('a', { reports: [report('new', 'down')] });
    const answer = await call('b', { have });
    const removesOld = answer.verdicts.whole || answer.verdicts.more || answer.verdicts.entries.some(({ key, value }) => key === 'old' && value === null);
    expect(removesOld).toBe(true);
    expect([...(await readAll()).verdicts]).toEqual([['new', 'down']]);
  });

  it('has a digest that depends on what is in it, not on how it came about', async () => {
    const { verdicts: first } = await call('a', { reports: [report('x', 'up'), report('y', 'up')] });
    const { verdicts: changed } = await call('a', { reports: [report('y', 'down')] });
    expect(changed.digest).not.toBe(first.digest);
    const { verdicts: back } = await call('a', { reports: [report('y', 'up')] });
    expect(back).toMatchObject({ digest: first.digest, count: 2 });
  });

  it('reads from the beginning for a reader of another run', async () => {
    const { run } = await call('a', { reports: [report('x', 'up')] });
    const answer = await call('b', { have: { run: `${run} no more`, verdicts: 99, operatorStates: 99 } });
    expect(answer.verdicts).toMatchObject({ whole: true });
    expect(answer.verdicts.entries.map(({ key }) => key)).toEqual(['x']);
  });

  it('keeps the newest word of operators, and the greater author of two at once', async () => {
    const newest = async (): Promise<OperatorEntry | undefined> => (await readAll()).operatorStates.get(operatorKey('web', '1'));
    await call('a', { operatorStates: [operator('1', { stampMs: 200 })] });
    await call('b', { operatorStates: [operator('1', { stampMs: 199, state: 'disabled' })] });
    expect(await newest()).toMatchObject({ state: 'drain' });
    await call('b', { operatorStates: [operator('1', { stampMs: 200, state: 'disabled', by: 'b' })] });
    expect(await newest()).toMatchObject({ state: 'disabled' });
    await call('a', { operatorStates: [operator('1', { stampMs: 200, state: 'drain', by: 'a' })] });
    expect(await newest()).toMatchObject({ state: 'disabled' });
    await call('a', { operatorStates: [operator('1', { stampMs: 201, state: 'ready', weight: 5 })] });
    expect(await newest()).toMatchObject({ state: 'ready', weight: 5 });
  });

  it('hints at changes, until told to stop', async () => {
    let hints = 0;
    const changed = Promise.withResolvers<void>();
    const end = store.subscribe(() => {
      hints++;
      changed.resolve();
    });
    await call('a', { reports: [report('x', 'up')] });
    await changed.promise;
    end();
    const before = hints;
    await call('a', { reports: [report('x', 'down')] });
    expect(hints).toBe(before);
  });
});
