/** What is out of bounds is refused in words, and changes nothing: see src/control-plane/store/step-limits.ts. */
import { expect, it } from 'vitest';
import { LIMIT_KEYS_MAX, OPERATOR_ENTRIES_MAX, REPORTS_MAX, StoreAway, SUSPICIONS_MAX, VERSION_BYTES_MAX, type JoinCall, type StoreCall } from '../../../src/control-plane/store/tier-store.ts';
import { operatorPut } from './calls.ts';
import { namedChecks } from './tables.ts';
import { suite, up } from './tier-rig.ts';

const badCalls: Readonly<Record<string, Partial<StoreCall>>> = {
  'too many reports': { reports: namedChecks('check', REPORTS_MAX + 1).map((check) => up(check)) },
  'a report of two lines': { reports: [up('x', 'one\ntwo')] },
  'a check of two lines': { reports: [up('x\ny')] },
  'a long reason': { reports: [up('x', 'y'.repeat(201))] },
  'a report at half a millisecond': { reports: [up('x', 'y', 0.5)] },
  'too many suspicions': { suspicions: namedChecks('check', SUSPICIONS_MAX + 1) },
  'too many words of operators': { operatorStates: namedChecks('key', OPERATOR_ENTRIES_MAX + 1).map((key) => operatorPut(key, 1, 'ada')) },
  'a word that is not as it says': { operatorStates: [{ key: 'k', stampMs: 2, by: 'ada', text: '1 ada {}' }] },
  'an author with a space': { operatorStates: [operatorPut('k', 2, 'ada l')] },
  'a record of two lines': { record: '{\n}' },
  'no lease': { leaseMs: 0 },
  'no probers': { probers: 0 },
  'no number': { number: Number.NaN },
};

const badJoins: Readonly<Record<string, Partial<JoinCall>>> = {
  'an id with a space': { member: 'a b' },
  'an empty id': { member: '' },
  'an incarnation with a space': { incarnation: 'a b' },
  'a record of two lines': { record: '{\n}' },
  'no lease': { leaseMs: Number.POSITIVE_INFINITY },
  'no protocol': { protocolMin: 3, protocol: 2 },
};

export const badInputContract = suite('refused, and changing nothing, is', (rig) => {
  it.each(Object.entries(badCalls))('a call with %s', async (_, parts) => {
    const a = await rig().ready('a');
    await a.read();
    const before = a.reader.have;
    const refused: unknown = await a.call({ state: 'draining', reports: [up('fine')], ...parts }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Error);
    expect(refused).not.toBeInstanceOf(StoreAway);
    await a.read();
    expect(a.reader.have).toEqual(before);
  });

  it.each(Object.entries(badJoins))('a join with %s', async (_, parts) => {
    await expect(rig().store.join(rig().joinCall('a', parts))).rejects.toThrow('assertion failed');
    const witness = await rig().member('witness');
    await witness.read();
    expect([...witness.reader.members.keys()]).toEqual(['witness']);
  });

  it('any other step out of bounds', async () => {
    const { caller } = await rig().ready('a');
    const { store } = rig();
    const many = namedChecks('x', 501);
    const config = { ...caller, history: 'h', number: 1, sha: 's', version: '{}', bytes: new Uint8Array(VERSION_BYTES_MAX + 1), isFirst: false };
    const asks = namedChecks('x', LIMIT_KEYS_MAX + 1).map((key) => ({ key, tokens: 1, perSecond: 1, burst: 1 }));
    const steps = [
      () => store.publish({ ...config, parentSha: null, rollout: '{}' }),
      () => store.restore({ ...config, headText: '{}' }),
      () => store.restore({ ...config, number: 0, headText: '{}', bytes: new Uint8Array() }),
      () => store.restore({ ...config, sha: 'a b', headText: '{}', bytes: new Uint8Array() }),
      () => store.publish({ ...config, history: '', parentSha: null, rollout: '{}', bytes: new Uint8Array() }),
      () => store.forget(caller, many),
      () => store.beside(many),
      () => store.reports(many),
      () => store.log(0, 1001),
      () => store.takeTokens(caller, asks),
      () => store.takeTokens(caller, [{ key: 'x', tokens: -1, perSecond: 1, burst: 1 }]),
      () => store.takeTokens(caller, [{ key: 'x', tokens: 1, perSecond: 0, burst: 1 }]),
      () => store.watch('', 1000),
      () => store.leave({ member: 'a b', incarnation: 'c' }),
    ];
    for (const step of steps) await expect(step()).rejects.toThrow('assertion failed');
    expect(await store.versions()).toEqual([]);
  });
});
