/**
 * The tier's store behind Sentinel: the contract, with a failover in the middle
 * of the suite; and what a failover does to a tier whose last writes it loses.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openedRedisStore, realTime, redisStore } from '../../support/redis-rig.ts';
import { SentinelRig } from '../../support/redis-sentinel.ts';
import { TierRig, up } from '../../support/tier-contract/tier-rig.ts';
import { tierStoreContract } from '../../support/tier-store-contract.ts';
import { until } from '../../support/weir-process.ts';

/** Contract tests before the failover. */
const BEFORE = 70;

describe('with a failover in the middle', () => {
  let rig: SentinelRig;
  let opened = 0;
  beforeAll(async () => {
    rig = await SentinelRig.start();
  });
  afterAll(() => rig.stop());

  tierStoreContract('redis behind Sentinel', async () => {
    if (++opened === BEFORE) await rig.failOver();
    const server = opened < BEFORE ? rig.master : rig.replica;
    return openedRedisStore(rig.url, () => server.client().flushall());
  });
});

describe('a failover that loses the last writes', () => {
  let rig: SentinelRig;
  beforeAll(async () => {
    rig = await SentinelRig.start();
  });
  afterAll(() => rig.stop());

  it('is an absence, then a store of the same run that members find wanting by its digests', async () => {
    const { store, tier: name } = redisStore(rig.url, { callTimeoutMs: 1000 });
    const tier = new TierRig({ store, advance: realTime, flush: () => Promise.resolve(), end: () => Promise.resolve() });
    const [a, b] = await tier.readyOnes('a', 'b');
    await a!.read({ reports: [up('kept')] });
    const { run } = a!.reader.have!;
    await until(async () => (await rig.replica.client().hexists(`weir:{${name}}:entries`, 'vkept')) === 1);
    await rig.cutReplication();
    await b!.report(up('lost'));
    await a!.read();
    expect([...a!.reader.verdicts.keys()]).toEqual(['kept', 'lost']);

    await rig.master.stop();
    const reasons = new Set<string>();
    // Each Sentinel tells of the new master in its turn, and the connection is made anew each time: until that is over.
    let answeredInRow = 0;
    await until(async () => {
      try {
        await a!.call();
        answeredInRow++;
      } catch (error) {
        reasons.add((error as Error).message);
        answeredInRow = 0;
      }
      await realTime(50);
      return answeredInRow === 10;
    });
    await rig.promoted();
    expect(reasons.size).toBeGreaterThan(0);
    expect([...reasons].filter((reason) => !/^(?:refused|connection lost|no answer in 1000 ms|no connection in time|READONLY .*)$/.test(reason))).toEqual([]);

    const [answer] = await a!.read();
    expect(answer).toMatchObject({ run, living: true });
    expect([...a!.reader.verdicts.keys()]).toEqual(['kept']);
    // What b reported is not there any more, and its next call is told so.
    expect(await b!.call({ reportsDigest: 1 })).toMatchObject({ reportsDiffer: true });
    await b!.report(up('lost'));
    await a!.read();
    expect([...a!.reader.verdicts.keys()]).toEqual(['kept', 'lost']);
    await store.close();
  });
});
