/**
 * Lives of a tier in virtual time. Each seed is a life of its own; one that
 * fails tells its story, and `npm run sim -- --seed N …` replays it.
 */
import { describe, expect, it } from 'vitest';
import { faultNames } from './faults.ts';
import { simulate, type Life, type LifeOptions } from './simulate.ts';

/** Of the storm alone; rise and calm come on top. */
const STORM_MS = 20_000;
const LIVES_PER_SIZE = 70;

function told({ violations, story }: Life, { seed, members, backends }: LifeOptions): string {
  if (violations.length === 0) return '';
  const again = `npm run sim -- --seed ${seed} --members ${members} --backends ${backends} --storm ${STORM_MS / 1000}`;
  return [again, ...violations.map(({ atMs, what }) => `${(atMs / 1000).toFixed(3)} ${what}`), ...story.slice(-60)].join('\n');
}

describe('a tier to which everything happens', () => {
  it.each([1, 2, 3, 5])('comes to agree, and harms nobody meanwhile, with %i members', async (members) => {
    for (let seed = 1; seed <= LIVES_PER_SIZE; seed++) {
      const options = { seed: members * 100_000 + seed, members, backends: 4, stormMs: STORM_MS };
      expect(told(await simulate(options), options)).toBe('');
    }
  });

  it.each([
    { seed: 100_033, members: 1, what: 'the last that knows the config is killed while a newcomer waits' },
    { seed: 901_084, members: 1, what: 'one that knows the config is a member, and no answer comes through to it' },
    { seed: 902_730, members: 1, what: 'one that knows the config joins, and is cut off before it puts that back' },
    { seed: 901_044, members: 1, what: 'a member whose settling is broken off again and again sees a primary go' },
    { seed: 1_001_064, members: 1, what: 'the only member starts again, and cannot run what is committed' },
    { seed: 1_001_633, members: 3, what: 'one that adopts has read the history it leaves' },
    { seed: 1_012_584, members: 2, what: 'a failover loses the config itself while all are away' },
    { seed: 1_013_443, members: 4, what: 'a member settles whose clock is behind' },
    { seed: 3_000_380, members: 5, what: 'a member that settles sees a primary go of which the tier had just told it' },
    { seed: 700_296, members: 5, what: 'a connected member hears of a new primary late, since the probers are not heard' },
  ])('$what (seed $seed)', async ({ seed, members }) => {
    const options = { seed, members, backends: 4, stormMs: STORM_MS };
    expect(told(await simulate(options), options)).toBe('');
  });

  it('lives the same life twice', async () => {
    const options = { seed: 42, members: 4, backends: 3, stormMs: STORM_MS };
    const first = await simulate(options);
    expect(first.story.length).toBeGreaterThan(20);
    expect((await simulate(options)).fingerprint).toBe(first.fingerprint);
    expect((await simulate({ ...options, seed: 43 })).fingerprint).not.toBe(first.fingerprint);
  });

  it('meets every kind of fault', async () => {
    const stories: string[] = [];
    for (let seed = 1; seed <= 15; seed++) stories.push(...(await simulate({ seed, members: 4, backends: 3, stormMs: STORM_MS })).story);
    const text = stories.join('\n');
    for (const word of ['is silent', 'ECONNREFUSED', 'the weather changes', 'the store is away', 'stands still', 'loses the last writes', 'is flushed', 'clock is set', 'cut off from the store', 'cut off from the backends', 'is paused', 'is killed', 'publishes', 'an operator of']) expect(text).toContain(word);
    expect(faultNames.length).toBeGreaterThanOrEqual(13);
  });
});
