/** The tier's store in memory, by the contract all adapters share; and what may befall it in a simulation. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { TierMemoryStore } from '../../src/control-plane/store/tier-memory-store.ts';
import { LONG_LEASE_MS, TierRig, up, type OpenedTierStore } from '../support/tier-contract/tier-rig.ts';
import { compareTierStores } from '../support/tier-contract/tier-step-runner.ts';
import { randomTierSteps } from '../support/tier-contract/tier-steps.ts';
import { tierStoreContract } from '../support/tier-store-contract.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function openMemory(): OpenedTierStore & { readonly store: TierMemoryStore } {
  const clock = new VirtualClock();
  const store = new TierMemoryStore({ clock, random: seededRandom(1) });
  return { store, advance: (ms) => clock.advance(ms), flush: () => Promise.resolve(store.flush()), end: () => Promise.resolve() };
}

tierStoreContract('memory', () => Promise.resolve(openMemory()));

describe('the store in memory', () => {
  it('goes back to a snapshot and stays in its run: readers find out by epochs and digests', async () => {
    const opened = openMemory();
    const rig = new TierRig(opened);
    const a = await rig.ready('a');
    await a.report(up('x'));
    const snapshot = opened.store.snapshot();
    await a.report(up('y'));
    await a.read();
    const { run } = a.reader.have!;
    for (let failover = 0; failover < 2; failover++) {
      opened.store.restoreSnapshot(snapshot);
      const [answer] = await a.read();
      expect(answer).toMatchObject({ run, living: true });
      expect(answer!.verdicts).toMatchObject({ whole: true, count: 1 });
      expect([...a.reader.verdicts.keys()]).toEqual(['x']);
      await a.read({ reports: [up(`z${failover}`)] });
      expect([...a.reader.verdicts.keys()]).toEqual(['x', `z${failover}`]);
    }
  });

  it.each([{ seed: 2 }, { seed: 3 }])('answers from a snapshot as if nothing had happened since (seed $seed)', async ({ seed }) => {
    const [plain, restored] = [openMemory(), openMemory()];
    const lostSteps = randomTierSteps(1000 + seed, 700).values();
    await compareTierStores(seed, [plain, restored], async (runner) => {
      const snapshot = restored.store.snapshot();
      const lost = runner.fork();
      for (let count = 0; count < 3; count++) await lost.run(lostSteps.next().value!);
      restored.store.restoreSnapshot(snapshot);
    });
  });

  it('ends the leases of a snapshot once more', async () => {
    const opened = openMemory();
    const rig = new TierRig(opened);
    const [witness, other] = await rig.readyOnes('witness', 'other');
    await other!.call({ leaseMs: 50 });
    const snapshot = opened.store.snapshot();
    for (let failover = 0; failover < 2; failover++) {
      await opened.advance(60);
      await witness!.read();
      expect([...witness!.reader.members.keys()]).toEqual(['witness']);
      opened.store.restoreSnapshot(snapshot);
      expect((await witness!.call({ leaseMs: 100 })).members.count).toBe(2);
      await witness!.call();
      await opened.advance(100);
    }
  });

  it('keeps in a snapshot what has been granted, and what subscribers have been told', async () => {
    const opened = openMemory();
    const rig = new TierRig(opened);
    const a = await rig.ready('a');
    const listener = await rig.listen(a);
    const ask = { key: 'x', tokens: 7, perSecond: 0.001, burst: 10 };
    expect(await opened.store.takeTokens(a.caller, [ask])).toEqual([7]);
    const snapshot = opened.store.snapshot();
    for (let failover = 0; failover < 2; failover++) {
      expect(await opened.store.takeTokens(a.caller, [ask])).toEqual([3]);
      opened.store.restoreSnapshot(snapshot);
    }
    await listener.quiet(a);
    await a.report(up('x'));
    await listener.hears(a, ({ verdicts }) => verdicts?.length === 1);
    expect(listener.hints).toHaveLength(1);
    opened.store.restoreSnapshot(opened.store.snapshot());
    await opened.advance(60);
    await a.call();
    expect(listener.hints).toHaveLength(1);
  });

  it('gives the config another epoch after a failover, though the number of changes is the same', async () => {
    const opened = openMemory();
    const rig = new TierRig(opened);
    const a = await rig.ready('a');
    const publish = (sha: string): Promise<unknown> => opened.store.publish({ ...a.caller, history: 'h', parentSha: null, number: 1, sha, version: '{}', rollout: sha, bytes: new Uint8Array() });
    const snapshot = opened.store.snapshot();
    await publish('lost');
    await a.read();
    opened.store.restoreSnapshot(snapshot);
    await opened.advance(1);
    await publish('found');
    await a.read();
    expect(a.reader.config).toMatchObject({ rollout: { text: 'found' } });
  });

  it.each([{ byMs: -3_600_000 }, { byMs: 3_600_000 }])('expires nobody for one lease when its clock is set by $byMs ms', async ({ byMs }) => {
    const opened = openMemory();
    const rig = new TierRig(opened);
    const [a, b] = await rig.readyOnes('a', 'b');
    await b!.call({ leaseMs: 1000 });
    await opened.advance(900);
    const { tierMs } = await a!.call({ leaseMs: 3000 });
    opened.store.timeOffsetMs += byMs;
    const answer = await a!.call({ leaseMs: 3000 });
    expect(answer.tierMs - tierMs).toBe(byMs < 0 ? 0 : 1500);
    expect(answer.members.count).toBe(2);
    for (let passedMs = 0; passedMs < 3000; passedMs += 500) {
      expect((await a!.call({ leaseMs: 3000 })).members.count).toBe(2);
      await opened.advance(500);
    }
    expect((await a!.call({ leaseMs: 3000 })).members.count).toBe(1);
  });

  it('expires the dead in the order in which their leases ended', async () => {
    const opened = openMemory();
    const rig = new TierRig(opened);
    const witness = await rig.ready('witness');
    const leases: Readonly<Record<string, number>> = { f: 300, c: 300, a: 200, e: 300, d: 100, b: 300 };
    const others = await rig.readyOnes(...Object.keys(leases));
    for (const other of others) await other.call({ leaseMs: leases[other.member]! });
    await opened.advance(301);
    await witness.call({ leaseMs: LONG_LEASE_MS });
    expect((await rig.logged()).filter(({ change }) => change === 'expired').map(({ member }) => member)).toEqual(['d', 'a', 'b', 'c', 'e', 'f']);
  });

  it('asks one caller at a time to come back for a message, and another once that one is gone', async () => {
    const opened = openMemory();
    const [a, b, c] = await new TierRig(opened).readyOnes('a', 'b', 'c');
    await opened.advance(60);
    expect((await a!.report(up('x'))).publishInMs).toBeNull();
    expect((await a!.report(up('y'))).publishInMs).toBe(50);
    expect((await b!.report(up('z'))).publishInMs).toBeNull();
    expect((await a!.call()).publishInMs).toBe(50);
    await opened.store.leave(a!.caller);
    expect((await c!.call()).publishInMs).toBe(50);
    await opened.advance(50);
    expect((await b!.call()).publishInMs).toBeNull();
  });

  it('is the same run for the same seed, and another one after a flush', async () => {
    const [one, other] = [openMemory(), openMemory()];
    const runOf = async ({ store }: OpenedTierStore): Promise<string> => (await (await new TierRig({ ...one, store }).member('a')).call()).run;
    const run = await runOf(one);
    expect(await runOf(other)).toBe(run);
    one.store.flush();
    expect(await runOf(one)).not.toBe(run);
  });
});
