/** Every operation of a store once, each with an effect: for tests of what an adapter needs to do them. */
import { expect } from 'vitest';
import { ticketsSha } from '../../src/control-plane/store/ticket-records.ts';
import type { JoinAnswer, LimitAsk, StoreAnswer, StoreCall, TierStore } from '../../src/control-plane/store/tier-store.ts';

const ASK: LimitAsk = { key: 'limit', tokens: 1, perSecond: 1, burst: 5 };

let walks = 0;

export async function walkStore(store: TierStore): Promise<void> {
  const walker = { member: 'walker', incarnation: `w${++walks}` };
  let number = 0;
  const call = (parts: Partial<StoreCall>): Promise<StoreAnswer> =>
    store.call({ ...walker, number: ++number, leaseMs: 60_000, probers: 3, state: null, record: null, beside: null, reports: [], reportsDigest: null, suspicions: [], suspicionEveryMs: 1, operatorStates: [], have: null, ...parts });
  let joined: JoinAnswer;
  do joined = await store.join({ ...walker, previous: `w${walks - 1}`, leaseMs: 60_000, record: '{}', protocol: 1, protocolMin: 1, history: null });
  while (joined.kind === 'wait');
  expect(joined.kind).toBe('joined');
  const { config } = await call({ state: 'ready', record: '{"a":1}', beside: 'b', suspicions: ['x'], operatorStates: [{ key: 'k', stampMs: walks, by: 'me', text: `${walks} me {}` }] });
  await call({ reports: [{ check: 'x', verdict: 'up', reason: '', atMs: 1 }, { check: 'y', verdict: 'down', reason: '', atMs: 1 }], beside: 'c' });
  await call({ reports: [{ check: 'x', verdict: null, reason: '', atMs: 1 }] });
  const version = Math.max(0, ...(await store.versions()).map((each) => each.number)) + 1;
  await store.publish({ ...walker, history: 'h', parentSha: config?.head?.sha ?? null, number: version, sha: `s${walks}`, version: '{}', rollout: '{}', bytes: new Uint8Array([1]) });
  await store.vote({ ...walker, number: version, text: 'yes' });
  await store.votes(version);
  await store.step({ ...walker, number: version, expectedStep: 1, rollout: null, headText: '{}' });
  await store.restore({ ...walker, history: 'h', number: version + 1, sha: `r${walks}`, headText: '{}', version: '{}', bytes: new Uint8Array([2]), isFirst: false });
  await store.version(version + 1);
  await store.watch('pool', 10_000);
  await call({});
  await store.beside([walker.member]);
  await store.reports(['y']);
  await store.log(0, 1000);
  await store.takeTokens(walker, [ASK]);
  await store.takeTokens(walker, [ASK, ASK]);
  await store.raiseProtocol(walker, 1, 0);
  await store.forget(walker, ['y']);
  await store.putTickets({ ...walker, expectedSha: '', text: 'keys' });
  await store.putTickets({ ...walker, expectedSha: ticketsSha('keys'), text: null });
  await store.stepOut(walker);
  await store.leave(walker);
}
