/** The bounds on health that a tier promises, in virtual time, for members over one store. */
import { afterEach, describe, expect, it } from 'vitest';
import { healthSpec } from '../../support/backend-rig.ts';
import { HealthTier } from '../../support/health-tier.ts';

const ADDRESS = '127.0.0.1:81';
const health = healthSpec();

let tier: HealthTier;
afterEach(() => tier.stop());

/** Members that have been ready for a lease and share the probing of these backends, all up. */
async function settled(members: number, { seed = 1, backends = [ADDRESS] }: { seed?: number; backends?: readonly string[] } = {}): Promise<void> {
  tier = new HealthTier(members, { seed });
  tier.apply({ name: 'web', backends, health });
  await tier.clock.advance(8000);
}

const isOut = (): boolean => tier.alive.every((member) => member.verdictOf(ADDRESS) === 'down');
const isIn = (): boolean => tier.alive.every((member) => member.verdictOf(ADDRESS) === 'up');

describe('duty', () => {
  it.each([1, 2, 3, 5, 20])('is shared: of %i proxies three or all probe a backend once an interval, evenly apart', async (members) => {
    await settled(members);
    const probers = Math.min(3, members);
    expect(isIn()).toBe(true);
    const fromMs = tier.clock.monotonicMs();
    await tier.clock.advance(10_000);
    const probes = tier.probesOf(81, fromMs);
    expect(new Set(probes.map(({ member }) => member)).size).toBe(probers);
    expect(Math.abs(probes.length - 10 * probers)).toBeLessThanOrEqual(probers);
    for (const [i, { atMs }] of probes.slice(1).entries()) expect(Math.abs(atMs - probes[i]!.atMs - 1000 / probers)).toBeLessThanOrEqual(55);
  });

  it('of many backends is spread over the members', async () => {
    const backends = Array.from({ length: 60 }, (_, i) => `127.0.0.1:${200 + i}`);
    await settled(10, { backends });
    const fromMs = tier.clock.monotonicMs();
    await tier.clock.advance(1000);
    const counts = tier.members.map(({ network }) => network.attempts.filter(({ atMs }) => atMs >= fromMs).length);
    expect(counts.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(60 * 3 * 1.1);
    // 18 each would be even.
    for (const count of counts) expect(count).toBeGreaterThan(4);
  });

  it('moves from a killed proxy to another', async () => {
    await settled(5);
    const [first] = tier.probersOf(81) as [string];
    tier.members.find(({ id }) => id === first)!.kill();
    // Its lease, a heartbeat, and an interval for the new one to begin.
    await tier.clock.advance(3000 + 1100 + 1100);
    const probers = tier.probersOf(81);
    expect(probers).toHaveLength(3);
    expect(probers).not.toContain(first);
    expect(isIn()).toBe(true);
  });

  it('is none of a proxy that has just come', async () => {
    await settled(3);
    const late = tier.add();
    late.apply({ name: 'web', backends: [ADDRESS], health });
    await tier.clock.advance(1100);
    expect(late.verdictOf(ADDRESS)).toBe('up');
    expect(late.network.attempts).toEqual([]);
  });
});

describe('a backend that falls silent', () => {
  it.each([1, 2, 3, 7])('is out on all of %i proxies within its time, and back as soon', async (members) => {
    const probers = Math.min(3, members);
    const quorum = Math.floor(probers / 2) + 1;
    for (let seed = 1; seed <= 6; seed++) {
      await settled(members, { seed });
      await tier.clock.advance(seed * 170);
      tier.ports.set(81, 'silent');
      // i × q/k + (fall − 1) f + t + 0.1 s
      expect(await tier.until(isOut)).toBeLessThanOrEqual((1000 * quorum) / probers + 2 * 500 + 500 + 100);
      expect(tier.alive[0]!.events.at(-1)).toMatchObject({ to: 'down', reason: 'timed out after 500 ms' });
      expect(tier.alive[0]!.events.at(-1)!.by).toHaveLength(quorum);
      tier.ports.set(81, 'accept');
      // Each prober may have a probe under way that is lost.
      expect(await tier.until(isIn)).toBeLessThanOrEqual(1000 + 500 + 500 + 100);
      if (seed < 6) await tier.stop();
    }
  });

  it('is out in time though two of its probers died with it', async () => {
    await settled(6);
    const [first, second] = tier.probersOf(81) as [string, string];
    for (const member of tier.members) if (member.id === first || member.id === second) member.kill();
    tier.ports.set(81, 'silent');
    // L + 1.1 H + i + (fall − 1) f + t + 0.1 s
    expect(await tier.until(isOut)).toBeLessThanOrEqual(3000 + 1100 + 1000 + 1000 + 500 + 100);
  });
});

describe('a backend that refuses under traffic', () => {
  it.each([1, 2, 5, 12])('is out on all of %i proxies within (fall + 1) × 50 ms', async (members) => {
    await settled(members);
    for (const atMs of [0, 130, 470, 810]) {
      await tier.clock.advance(atMs);
      tier.ports.set(81, 'ECONNREFUSED');
      tier.members.at(-1)!.refuse(ADDRESS);
      // Three connects take 1 ms each, and so do timers.
      expect(await tier.until(isOut)).toBeLessThanOrEqual(4 * 50 + 10);
      tier.ports.set(81, 'accept');
      await tier.until(isIn);
      await tier.clock.advance(3000);
    }
  });
});

describe('a prober that is cut off from the backends', () => {
  it('changes no verdict, and withdraws what it says', async () => {
    const backends = Array.from({ length: 8 }, (_, i) => `127.0.0.1:${81 + i}`);
    await settled(3, { backends });
    tier.cutOff.add('m1');
    await tier.clock.advance(3000);
    expect(tier.members[1]!.monitor.isolated).toBe(true);
    const keys = backends.map((address) => tier.members[0]!.monitor.checksOf(tier.members[0]!.backends.numberOf('web', address))[0]!.check.key);
    const reports = async (): Promise<string[]> => [...(await tier.store.reports(keys)).values()].map((ofCheck) => ofCheck.get('m1')?.split(' ')[0] ?? 'none');
    expect(await reports()).toContain('down');
    let withdrew = false;
    for (let ms = 0; ms < 8000 && !withdrew; ms += 100) {
      await tier.clock.advance(100);
      withdrew = (await reports()).every((verdict) => verdict === 'none');
    }
    expect(withdrew).toBe(true);
    expect(tier.members.every((member) => backends.every((address) => member.verdictOf(address) === 'up'))).toBe(true);
    expect(tier.members.flatMap(({ events }) => events).filter(({ to }) => to === 'down')).toEqual([]);
  });
});

describe('all backends that fall at once', () => {
  it('are out in time all the same: nobody doubts itself too early', async () => {
    const backends = Array.from({ length: 10 }, (_, i) => `127.0.0.1:${81 + i}`);
    await settled(4, { backends });
    for (let port = 81; port < 91; port++) tier.ports.set(port, 'silent');
    const all = (): boolean => tier.alive.every((member) => backends.every((address) => member.verdictOf(address) === 'down'));
    expect(await tier.until(all)).toBeLessThanOrEqual(667 + 1000 + 500 + 100);
  });
});

describe('without the store', () => {
  it('each proxy goes on by its own eyes, and all agree again when it is back', async () => {
    await settled(4);
    for (const member of tier.members) member.storeAway = 'refused';
    await tier.clock.advance(4000);
    expect(tier.members.map(({ link }) => link.state.phase)).toEqual(Array(4).fill('autonomous'));
    expect(isIn()).toBe(true);
    tier.ports.set(81, 'silent');
    // Each probes at i × ⌈N/k⌉.
    expect(await tier.until(isOut)).toBeLessThanOrEqual(2000 + 1000 + 500 + 100);
    for (const member of tier.members) member.storeAway = null;
    tier.ports.set(81, 'accept');
    await tier.clock.advance(12_000);
    expect(tier.members.map(({ link }) => link.state.phase)).toEqual(Array(4).fill('connected'));
    expect(isIn()).toBe(true);
    expect(tier.probersOf(81)).toHaveLength(3);
  });
});
