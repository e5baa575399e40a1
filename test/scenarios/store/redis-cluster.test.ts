/**
 * The tier's store in a Redis Cluster: the contract, while the master of the
 * tier's slot dies in the middle of the suite and its replica takes over; and
 * what such a death is to a proxy that is connected.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClusterRig } from '../../support/redis-cluster.ts';
import { openedRedisStore, realTime, redisStore } from '../../support/redis-rig.ts';
import { TierRig, up } from '../../support/tier-contract/tier-rig.ts';
import { tierStoreContract } from '../../support/tier-store-contract.ts';
import { until } from '../../support/weir-process.ts';

const BEFORE = 70;
const TIER = 'tier';

describe('with a failover in the middle', () => {
  let rig: ClusterRig;
  let opened = 0;
  beforeAll(async () => {
    rig = await ClusterRig.start(`{${TIER}}`);
  });
  afterAll(() => rig.stop());

  tierStoreContract('redis cluster', async () => {
    if (++opened === BEFORE) await rig.failOver();
    const server = opened < BEFORE ? rig.owner : rig.replica;
    // Other tiers would lie on other masters, which do not fail over.
    await server.client().flushall();
    return openedRedisStore(rig.url, () => server.client().flushall(), { tier: TIER });
  });
});

describe('a master of the cluster that dies', () => {
  let rig: ClusterRig;
  beforeAll(async () => {
    rig = await ClusterRig.start(`{${TIER}}`);
  });
  afterAll(() => rig.stop());

  it('is an absence of a few seconds: what its replica had is still there, messages come again', async () => {
    const { store } = redisStore(rig.url, { tier: TIER, callTimeoutMs: 1000 });
    const tier = new TierRig({ store, advance: realTime, flush: () => Promise.resolve(), end: () => Promise.resolve() });
    const [a, b] = await tier.readyOnes('a', 'b');
    await tier.listen(b!);
    await a!.read({ reports: [up('x')] });
    const { run } = a!.reader.have!;
    await until(async () => (await rig.replica.client().call('READONLY')) === 'OK' && (await rig.replica.client().hexists(`weir:{${TIER}}:entries`, 'vx')) === 1);
    const failover = rig.failOver();
    const reasons = new Set<string>();
    await until(() =>
      a!.call().then(
        () => reasons.size > 0,
        (error: unknown) => {
          reasons.add((error as Error).message);
          return false;
        },
      ),
    );
    await failover;
    expect([...reasons].filter((reason) => !/^(?:refused|connection lost|no answer in 1000 ms|no connection in time|no node of the cluster answers: .*|CLUSTERDOWN .*|MOVED .*)$/.test(reason))).toEqual([]);
    const [answer] = await a!.read();
    expect(answer).toMatchObject({ run, living: true });
    expect([...a!.reader.verdicts.keys()]).toEqual(['x']);
    await tier.listen(b!);
    await store.close();
  });
});
