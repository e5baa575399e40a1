/** A limit that a tier shares, in virtual time over the memory store: its bound, that it gives what it promises, and what it costs the store. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom, type Random } from '../../../src/base/random.ts';
import { bucketShape } from '../../../src/shared/bucket-shape.ts';
import { LeasingTier, type LeasingMember } from '../../support/leasing-tier.ts';

const STEP_MS = 20;

/** What each step admitted of one key, with `load` requests at each member per step. */
async function run(tier: LeasingTier, forMs: number, load: (member: number, step: number) => number): Promise<number[]> {
  const admitted: number[] = [];
  for (let step = 0; step * STEP_MS < forMs; step++) {
    admitted.push(tier.members.reduce((sum, member, index) => sum + member.passes(load(index, step)), 0));
    await tier.clock.advance(STEP_MS);
  }
  return admitted;
}

/** rate × T + 2 max(burst, N) + N × batch. `rates`: how many times the rate. */
function boundOf(tier: LeasingTier, forMs: number, rates: number): number {
  const { spec, members } = tier;
  const { batch } = bucketShape(spec, members.length, true);
  return rates * (spec.count / spec.periodMs) * forMs + 2 * Math.max(spec.burst, members.length) + members.length * batch;
}

/** No window of any length admitted more than its bound. */
function expectWithin(tier: LeasingTier, admitted: readonly number[], rates = 1): void {
  // An expect for each of 80,000 windows would take most of the time.
  const bounds = admitted.map((_, steps) => boundOf(tier, steps * STEP_MS, rates) + 1e-6);
  let worst = -Infinity;
  for (let from = 0; from < admitted.length; from++) {
    let sum = 0;
    for (let to = from; to < admitted.length; to++) {
      sum += admitted[to]!;
      worst = Math.max(worst, sum - bounds[to - from]!);
    }
  }
  expect(worst).toBeLessThanOrEqual(0);
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0);
}

/** Members that are busy, quiet and busy again, each in its own time. */
function unevenLoad(random: Random, members: number, most: number): (member: number) => number {
  const busy = Array.from({ length: members }, () => random.below(2) === 1);
  return (member) => {
    if (random.next() < 0.03) busy[member] = !busy[member];
    return busy[member] === true ? random.below(most + 1) : 0;
  };
}

describe('a limit shared by a tier', () => {
  it('admits no more than its bound, whoever is asked, however late the store answers', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 300 }), fc.constantFrom(1, 30, 120), fc.integer(), async (members, count, burst, delayMs, seed) => {
        const random = seededRandom(seed);
        const tier = await LeasingTier.start(members, { count, burst });
        tier.delayMs = () => random.below(delayMs) + 1;
        const admitted = await run(tier, 8000, unevenLoad(random, members, Math.ceil(count / 10) + 3));
        tier.stop();
        expectWithin(tier, admitted);
      }),
      { seed: 11, numRuns: 40 },
    );
  });

  it('admits rate / N at each member that has lost the store, besides what the store grants the others', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 5, max: 200 }), fc.integer({ min: 1, max: 200 }), fc.integer(), async (members, count, burst, seed) => {
        const random = seededRandom(seed);
        const tier = await LeasingTier.start(members, { count, burst });
        const load = unevenLoad(random, members, Math.ceil(count / 10) + 3);
        const admitted = await run(tier, 12_000, (member) => {
          const each = tier.members[member]!;
          if (random.next() < 0.01) each.isCutOff = !each.isCutOff;
          if (random.next() < 0.02) each.phase = each.isCutOff ? 'autonomous' : 'connected';
          return load(member);
        });
        tier.stop();
        expectWithin(tier, admitted, 2);
      }),
      { seed: 12, numRuns: 30 },
    );
  });

  it('keeps its bound while all have lost the store, and when all have it back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 5, max: 200 }), fc.integer({ min: 1, max: 200 }), fc.boolean(), fc.integer(), async (members, count, burst, isKnown, seed) => {
        const random = seededRandom(seed);
        const tier = await LeasingTier.start(members, { count, burst });
        const load = unevenLoad(random, members, Math.ceil(count / 10) + 3);
        let admitted: number[] = [];
        for (const isAway of [false, true, false]) {
          for (const each of tier.members) {
            each.isCutOff = isAway;
            each.phase = isAway && isKnown ? 'autonomous' : 'connected';
          }
          // Members do not all have it back in the same moment: until then the others' rate / N comes on top.
          if (!isAway) await run(tier, 3000, () => 0);
          admitted = [...(isAway ? admitted : []), ...(await run(tier, 6000, load))];
          expectWithin(tier, admitted);
        }
        tier.stop();
      }),
      { seed: 13, numRuns: 30 },
    );
  });

  it.each([
    ['all members', (member: number) => (member >= 0 ? 5 : 0)],
    ['one member', (member: number) => (member === 2 ? 20 : 0)],
    ['two members', (member: number) => (member < 2 ? 10 : 0)],
  ])('gives the whole rate to a client that comes by %s', async (_, load) => {
    const tier = await LeasingTier.start(4, { count: 100, burst: 100 });
    await run(tier, 3000, load);
    const admitted = sumOf(await run(tier, 10_000, load));
    tier.stop();
    expect(admitted).toBeGreaterThanOrEqual(950);
    expect(admitted).toBeLessThanOrEqual(1050);
  });

  it('gives a new client its burst before the store was asked, and all of it once it was', async () => {
    const tier = await LeasingTier.start(4, { count: 10, burst: 100 });
    expect(tier.members[0]!.passes(200)).toBe(25);
    const admitted = 25 + sumOf(await run(tier, 1000, (member) => (member === 0 ? 20 : 0)));
    tier.stop();
    expect(admitted).toBeGreaterThanOrEqual(100);
    expect(admitted).toBeLessThanOrEqual(140);
  });

  it('goes on at rate / N without the store, and at the whole rate again with it', async () => {
    const tier = await LeasingTier.start(4, { count: 100, burst: 100 });
    const one = (member: number): number => (member === 0 ? 20 : 0);
    await run(tier, 3000, one);
    for (const member of tier.members) member.isCutOff = true;
    // Until the leases lapse nobody knows.
    await run(tier, 1000, one);
    const away = sumOf(await run(tier, 10_000, one));
    expect(away).toBeGreaterThanOrEqual(240);
    expect(away).toBeLessThanOrEqual(260);
    for (const member of tier.members) member.isCutOff = false;
    await run(tier, 5000, one);
    const back = sumOf(await run(tier, 10_000, one));
    tier.stop();
    expect(back).toBeGreaterThanOrEqual(950);
  });

  it('leases nothing from a store that did not answer last, however quiet it was since', async () => {
    const tier = await LeasingTier.start(4, { count: 100, burst: 100 });
    for (const member of tier.members) member.isCutOff = true;
    await run(tier, 1500, (member) => (member === 0 ? 20 : 0));
    await tier.clock.advance(5000);
    const [member] = tier.members as [LeasingMember];
    expect(member.passes(100)).toBe(25);
    expect(sumOf(await run(tier, 400, (index) => (index === 0 ? 20 : 0)))).toBeGreaterThanOrEqual(9);
    tier.stop();
  });

  it('divides anew when the number of members changes', async () => {
    const tier = await LeasingTier.start(2, { count: 100, burst: 100 });
    for (const member of tier.members) {
      member.phase = 'autonomous';
      member.readyCount = 10;
    }
    await run(tier, 1000, () => 20);
    const admitted = sumOf(await run(tier, 10_000, () => 20));
    tier.stop();
    expect(admitted).toBeGreaterThanOrEqual(190);
    expect(admitted).toBeLessThanOrEqual(210);
  });

  it('follows a reload that changes the rate', async () => {
    const tier = await LeasingTier.start(3, { count: 100, burst: 50 });
    await run(tier, 3000, () => 5);
    tier.spec = { ...tier.spec, count: 20, burst: 10 };
    for (const member of tier.members) member.apply();
    await run(tier, 2000, () => 5);
    const admitted = sumOf(await run(tier, 10_000, () => 5));
    tier.stop();
    expect(admitted).toBeGreaterThanOrEqual(180);
    expect(admitted).toBeLessThanOrEqual(220);
  });
});

describe('what it costs the store', () => {
  it('is nothing while nobody comes', async () => {
    const tier = await LeasingTier.start(2);
    await tier.clock.advance(10_000);
    tier.members[0]!.passes(1);
    await tier.clock.advance(10_000);
    tier.stop();
    expect(tier.members.map(({ calls }) => calls.length)).toEqual([1, 0]);
  });

  it('is a call in 100 ms at most, with 500 keys at most, the busiest first', async () => {
    const tier = await LeasingTier.start(1, { count: 1, periodMs: 60_000, burst: 20 });
    const [member] = tier.members as [(typeof tier.members)[0]];
    for (let key = 0; key < 450; key++) member.passes(1, `quiet ${key}`);
    for (let key = 0; key < 100; key++) member.passes(3, `busy ${key}`);
    await tier.clock.advance(100);
    expect(member.calls).toEqual([500]);
    for (let key = 0; key < 100; key++) expect(member.passes(21, `busy ${key}`)).toBe(20);
    await tier.clock.advance(10_000);
    tier.stop();
    expect(Math.max(...member.calls)).toBeLessThanOrEqual(500);
    expect(member.calls.length).toBeLessThanOrEqual(102);
  });

  it('names no key in the clear, and the same in each member', async () => {
    const tier = await LeasingTier.start(2);
    const asked = new Set<string>();
    const take = tier.store.takeTokens.bind(tier.store);
    tier.store.takeTokens = (caller, asks) => {
      for (const { key } of asks) asked.add(key);
      return take(caller, asks);
    };
    for (const member of tier.members) member.passes(1, '10.1.2.3');
    await tier.clock.advance(200);
    tier.stop();
    expect(asked.size).toBe(1);
    expect([...asked][0]).toMatch(/^[A-Za-z0-9_-]{22}$/);
  });
});
