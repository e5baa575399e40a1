/** The log, watched pools, shared limits, messages to subscribers. See src/control-plane/store/tier-store.ts. */
import { expect, it } from 'vitest';
import { LIMIT_KEYS_MAX, LOG_MAX, OPERATOR_ENTRIES_MAX, PUBLISH_EVERY_MS, StoreAway, type LimitAsk } from '../../../src/control-plane/store/tier-store.ts';
import { operatorPut } from './calls.ts';
import { namedChecks } from './tables.ts';
import { down, suite, up } from './tier-rig.ts';

export const logContract = suite('the log', (rig) => {
  it('is read on from an id, oldest first', async () => {
    await rig().readyOnes('a', 'b', 'c');
    const all = await rig().store.log(0, 1000);
    expect(all.map(({ id }) => id)).toEqual(all.map((_, i) => all[0]!.id + i));
    expect(await rig().store.log(0, 2)).toEqual(all.slice(0, 2));
    expect(await rig().store.log(all[1]!.id, 2)).toEqual(all.slice(2, 4));
    expect(await rig().store.log(all.at(-1)!.id, 1000)).toEqual([]);
  });

  it('says when it was, by the wall', async () => {
    await rig().ready('a');
    const [first] = await rig().logged();
    expect(first!.atMs).toBeGreaterThan(Date.UTC(2025, 0, 1));
    expect(Number.isInteger(first!.atMs)).toBe(true);
  });

  it('keeps the last 10,000', async () => {
    const a = await rig().ready('a');
    const before = (await rig().store.log(0, 1000)).at(-1)!.id;
    const calls = Math.ceil((LOG_MAX + 1) / OPERATOR_ENTRIES_MAX);
    for (let stampMs = 1; stampMs <= calls; stampMs++) {
      await a.call({ operatorStates: Array.from({ length: OPERATOR_ENTRIES_MAX }, (_, i) => operatorPut(`key ${i}`, stampMs, 'ada')) });
    }
    const lastId = before + calls * OPERATOR_ENTRIES_MAX;
    const [oldest] = await rig().store.log(0, 1000);
    expect(oldest!.id).toBe(lastId - LOG_MAX + 1);
    expect((await rig().store.log(lastId - 2, 1000)).map(({ id }) => id)).toEqual([lastId - 1, lastId]);
  });
});

export const watchContract = suite('a watched pool', (rig) => {
  it('is told to members for as long as somebody looks', async () => {
    const a = await rig().ready('a');
    expect((await a.call()).watched).toEqual([]);
    await rig().store.watch('web', 60_000);
    await rig().store.watch('api', 50);
    expect((await a.call()).watched).toEqual(expect.arrayContaining(['web']));
    await rig().advance(60);
    expect((await a.call()).watched).toEqual(['web']);
    // A shorter look does not cut a longer one short.
    await rig().store.watch('web', 10);
    await rig().advance(20);
    expect((await a.call()).watched).toEqual(['web']);
  });

  it('is one of 20 at most, the newest among them', async () => {
    const a = await rig().ready('a');
    for (let i = 0; i < 25; i++) await rig().store.watch(`pool ${10 + i}`, 60_000 - i);
    const { watched } = await a.call();
    expect(watched).toHaveLength(20);
    expect(watched).toContain('pool 34');
  });
});

export const tokenContract = suite('a shared limit', (rig) => {
  const ask = (key: string, tokens: number, parts: Partial<LimitAsk> = {}): LimitAsk => ({ key, tokens, perSecond: 0.001, burst: 10, ...parts });

  it('grants what its bucket has, to whoever asks first', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    expect(await rig().store.takeTokens(a!.caller, [ask('x', 4)])).toEqual([4]);
    expect(await rig().store.takeTokens(b!.caller, [ask('x', 4)])).toEqual([4]);
    expect(await rig().store.takeTokens(a!.caller, [ask('x', 4), ask('y', 4), ask('x', 1)])).toEqual([2, 4, 0]);
    expect(await rig().store.takeTokens(b!.caller, [ask('x', 1)])).toEqual([0]);
  });

  it('fills at its rate', async () => {
    const a = await rig().ready('a');
    const fast = { perSecond: 100, burst: 1000 };
    expect(await rig().store.takeTokens(a.caller, [ask('x', 5000, fast)])).toEqual([1000]);
    await rig().advance(200);
    const [granted] = await rig().store.takeTokens(a.caller, [ask('x', 5000, fast)]);
    expect(granted).toBeGreaterThanOrEqual(19);
    expect(granted).toBeLessThan(900);
  });

  it('fills up to its burst, and no more', async () => {
    const a = await rig().ready('a');
    const fast = { perSecond: 1000, burst: 10 };
    await rig().store.takeTokens(a.caller, [ask('x', 10, fast)]);
    await rig().advance(100);
    expect(await rig().store.takeTokens(a.caller, [ask('x', 50, fast)])).toEqual([10]);
  });

  it('fills up to its burst among many others', async () => {
    const a = await rig().ready('a');
    const asks = namedChecks('key', 20).map((key) => ask(key, 10, { perSecond: 1000 }));
    await rig().store.takeTokens(a.caller, asks);
    await rig().advance(100);
    expect(await rig().store.takeTokens(a.caller, [ask(asks.at(-1)!.key, 50, { perSecond: 1000 })])).toEqual([10]);
  });

  it('grants whole tokens, also of small buckets', async () => {
    const a = await rig().ready('a');
    expect(await rig().store.takeTokens(a.caller, [ask('x', 5, { burst: 2.5 }), ask('y', 0), ask('z', 1.5)])).toEqual([2, 0, 1]);
    expect(await rig().store.takeTokens(a.caller, [ask('x', 5, { burst: 2.5 })])).toEqual([0]);
  });

  it(`is one of ${LIMIT_KEYS_MAX} asked for at once`, async () => {
    const a = await rig().ready('a');
    const asks = namedChecks('key', LIMIT_KEYS_MAX).map((key, i) => ask(key, (i % 12) + 1));
    expect(await rig().store.takeTokens(a.caller, asks)).toEqual(asks.map(({ tokens }) => Math.min(10, tokens)));
    expect(await rig().store.takeTokens(a.caller, asks)).toEqual(asks.map(({ tokens }) => Math.max(0, Math.min(tokens, 10 - tokens))));
  });

  it('grants nothing to an incarnation that is not living', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    await rig().store.leave(a!.caller);
    expect(await rig().store.takeTokens(a!.caller, [ask('x', 4), ask('y', 4)])).toEqual([0, 0]);
    expect(await rig().store.takeTokens(b!.caller, [ask('x', 10)])).toEqual([10]);
  });
});

export const hintContract = suite('a subscriber', (rig) => {
  it('is told what changed of verdicts, from which epoch to which', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    const listener = await rig().listen(a!);
    await b!.read();
    await a!.report(down('x', 'refused "é"', 5));
    const hint = await listener.hears(a!, ({ verdictsTo }) => verdictsTo > b!.reader.have!.verdicts);
    expect(hint.verdictsFrom).toBeLessThanOrEqual(b!.reader.have!.verdicts);
    expect(hint.verdicts).toEqual([{ key: 'x', text: 'down 5 a refused "é"' }]);
    expect(hint.run).toBe(b!.reader.have!.run);
    await b!.read();
    expect(hint.verdictsTo).toBe(b!.reader.have!.verdicts);
    await rig().store.forget(a!.caller, ['x']);
    const gone = await listener.hears(a!, ({ verdictsFrom }) => verdictsFrom === hint.verdictsTo);
    expect(gone.verdicts).toEqual([{ key: 'x', text: null }]);
  });

  it('is told that operators or the config moved on', async () => {
    const a = await rig().ready('a');
    const listener = await rig().listen(a);
    await a.read({ operatorStates: [operatorPut('k', 1, 'ada')] });
    const { operatorStates, config } = a.reader.have!;
    expect((await listener.hears(a, (hint) => hint.operatorStates >= operatorStates)).verdicts).toEqual([]);
    await rig().store.publish({ ...a.caller, history: 'h', parentSha: null, number: 1, sha: 's', version: '{}', rollout: '{}', bytes: new Uint8Array() });
    await a.read();
    expect(a.reader.have!.config).toBeGreaterThan(config);
    expect(await listener.hears(a, (hint) => hint.config === a.reader.have!.config)).toMatchObject({ verdicts: [], suspicions: [] });
  });

  it('is told of the first suspicion of a check in its time', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    const listener = await rig().listen(a!);
    await a!.call({ suspicions: ['x', 'y "é"', 'x'], suspicionEveryMs: 60_000 });
    expect((await listener.hears(a!, ({ suspicions }) => suspicions?.length !== 0)).suspicions).toEqual(['x', 'y "é"']);
    await listener.quiet(a!);
    await b!.call({ suspicions: ['x', 'z'], suspicionEveryMs: 60_000 });
    expect((await listener.hears(b!, ({ suspicions }) => suspicions?.length !== 0)).suspicions).toEqual(['z']);
  });

  it('is told of a suspicion again after its time', async () => {
    const a = await rig().ready('a');
    const listener = await rig().listen(a);
    for (let time = 0; time < 2; time++) {
      await a.call({ suspicions: ['x'], suspicionEveryMs: 20 });
      expect((await listener.hears(a, ({ suspicions }) => suspicions?.length !== 0)).suspicions).toEqual(['x']);
      await listener.quiet(a);
    }
  });

  it('is told no more than that there is much', async () => {
    const a = await rig().ready('a');
    const listener = await rig().listen(a);
    await a.call({ reports: namedChecks('check', 100).map((check) => up(check)), suspicions: ['x'] });
    const hint = await listener.hears(a, ({ verdictsTo, verdictsFrom }) => verdictsTo > verdictsFrom);
    expect(hint).toMatchObject({ verdicts: null, suspicions: ['x'] });
    await listener.quiet(a);
    await a.call({ suspicions: namedChecks('x'.repeat(100), 20) });
    expect(await listener.hears(a, ({ suspicions }) => suspicions?.length !== 0)).toMatchObject({ verdicts: [], suspicions: null });
  });

  it('is told at most every 50 ms, and the caller when to come back for the rest', async () => {
    const a = await rig().ready('a');
    const listener = await rig().listen(a);
    const first = await a.report(up('x'));
    const second = await a.report(up('y'));
    const third = await a.report(up('z'));
    const waits = [first, second, third].map(({ publishInMs }) => publishInMs).filter((ms) => ms !== null);
    for (const ms of waits) {
      expect(ms).toBeGreaterThan(0);
      expect(ms).toBeLessThanOrEqual(PUBLISH_EVERY_MS);
    }
    expect(waits.length).toBeGreaterThan(0);
    await rig().advance(PUBLISH_EVERY_MS);
    expect((await a.call()).publishInMs).toBeNull();
    await listener.hears(a, ({ verdictsTo }) => verdictsTo === third.verdicts.epoch);
    const told = listener.hints.flatMap(({ verdicts }) => verdicts!.map(({ key }) => key));
    expect(told).toEqual(['x', 'y', 'z']);
    expect(listener.hints.length).toBeLessThanOrEqual(3);
  });

  it('is not told of what changes nothing', async () => {
    const [a, b] = await rig().readyOnes('a', 'b');
    await a!.report(up('x'));
    const listener = await rig().listen(a!);
    await b!.call({ reports: [up('x'), down('x')], record: '{"zone":"b"}', beside: 'b' });
    await rig().advance(60);
    await a!.call();
    await rig().advance(60);
    expect(listener.hints).toEqual([]);
  });

  it('is told nothing after its end', async () => {
    const a = await rig().ready('a');
    const [listener, other] = [await rig().listen(a), await rig().listen(a)];
    await listener.quiet(a);
    listener.end();
    await a.report(up('x'));
    await other.hears(a, ({ verdicts }) => verdicts?.length !== 0);
    expect(listener.hints).toEqual([]);
  });
});

export const closeContract = suite('a closed store', (rig) => {
  it('is away', async () => {
    const a = await rig().ready('a');
    await rig().store.close();
    await expect(a.call()).rejects.toThrow(StoreAway);
  });
});
