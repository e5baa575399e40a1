import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { NameResolver, systemLookup } from '../../src/net/resolve-name.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

let clock: VirtualClock;
let resolver: NameResolver;
/** What each name has; a code fails; `never` does not answer. */
let zone: Map<string, readonly string[] | `E${string}` | 'never'>;
let asked: { name: string; atMs: number }[];
let changed: string[];
let underWay: number;
let underWayMax: number;

beforeEach(() => {
  clock = new VirtualClock();
  zone = new Map();
  asked = [];
  changed = [];
  underWay = 0;
  underWayMax = 0;
  resolver = new NameResolver({
    clock,
    random: seededRandom(1),
    onChange: (name) => changed.push(name),
    lookup: (name) =>
      new Promise((resolve, reject) => {
        asked.push({ name, atMs: clock.monotonicMs() });
        underWayMax = Math.max(underWayMax, ++underWay);
        const found = zone.get(name) ?? 'ENOTFOUND';
        if (found === 'never') return;
        clock.after(20, () => {
          underWay--;
          if (typeof found === 'string') reject(Object.assign(new Error(found), { code: found }));
          else resolve(found);
        });
      }),
  });
});
afterEach(() => resolver.stop());

const want = (...names: string[]): void => resolver.want(new Set(names));

describe('a name', () => {
  it('is looked up when first wanted, and has no failure before its first answer', async () => {
    zone.set('a', ['10.0.0.1', '10.0.0.2']);
    want('a');
    expect([resolver.addressOf('a'), resolver.failureOf('a')]).toEqual([null, null]);
    await clock.advance(25);
    expect(resolver.addressOf('a')).toBe('10.0.0.1');
    expect(changed).toEqual(['a']);
  });

  it('is looked up every 30 s or so', async () => {
    zone.set('a', ['10.0.0.1']);
    want('a');
    await clock.advance(200_000);
    const gaps = asked.slice(1).map(({ atMs }, i) => atMs - asked[i]!.atMs);
    expect(gaps.length).toBeGreaterThanOrEqual(6);
    for (const gap of gaps) expect(Math.abs(gap - 30_000)).toBeLessThanOrEqual(3001);
    expect(changed).toEqual(['a']);
  });

  it('keeps its address while that is among the answers, and takes another when it is not', async () => {
    zone.set('a', ['10.0.0.1', '10.0.0.2']);
    want('a');
    await clock.advance(25);
    zone.set('a', ['10.0.0.2', '10.0.0.1']);
    await clock.advance(40_000);
    expect(resolver.addressOf('a')).toBe('10.0.0.1');
    zone.set('a', ['10.0.0.3']);
    await clock.advance(40_000);
    expect(resolver.addressOf('a')).toBe('10.0.0.3');
    expect(changed).toEqual(['a', 'a']);
  });

  it('keeps the last address when a lookup fails', async () => {
    zone.set('a', ['10.0.0.1']);
    want('a');
    await clock.advance(25);
    zone.set('a', 'EAI_AGAIN');
    await clock.advance(100_000);
    expect(resolver.addressOf('a')).toBe('10.0.0.1');
    expect(resolver.failureOf('a')).toBeNull();
  });

  it('says why it has none, and that it has one at last', async () => {
    want('a');
    await clock.advance(25);
    expect(resolver.failureOf('a')).toBe('name does not resolve: ENOTFOUND');
    zone.set('a', ['10.0.0.1']);
    await clock.advance(40_000);
    expect([resolver.addressOf('a'), resolver.failureOf('a')]).toEqual(['10.0.0.1', null]);
    expect(changed).toEqual(['a', 'a']);
  });

  it('counts as failed when its lookup takes too long, and its answer is still taken', async () => {
    zone.set('a', 'never');
    want('a');
    await clock.advance(5001);
    expect(resolver.failureOf('a')).toBe('name does not resolve: timed out after 5000 ms');
    expect(changed).toEqual(['a']);
  });

  it('no longer wanted is forgotten', async () => {
    zone.set('a', ['10.0.0.1']);
    want('a');
    want('b');
    await clock.advance(60_000);
    expect(resolver.addressOf('a')).toBeNull();
    expect(changed).not.toContain('a');
  });
});

describe('after a failed connect', () => {
  it('it is looked up again, once a second at most', async () => {
    zone.set('a', ['10.0.0.1']);
    want('a');
    await clock.advance(100);
    for (let i = 0; i < 30; i++) {
      resolver.connectFailed('a');
      await clock.advance(100);
    }
    expect(asked.map(({ atMs }) => atMs)).toEqual([0, 1000, 2000, 3000]);
  });

  it('the next of its addresses follows, and the first again after the last', async () => {
    zone.set('a', ['::1', '127.0.0.1']);
    want('a');
    await clock.advance(1000);
    const used: (string | null)[] = [];
    for (let i = 0; i < 3; i++) {
      used.push(resolver.addressOf('a'));
      resolver.connectFailed('a');
      await clock.advance(2000);
    }
    expect(used).toEqual(['::1', '127.0.0.1', '::1']);
  });

  it('an only address stays', async () => {
    zone.set('a', ['10.0.0.1']);
    want('a');
    await clock.advance(1000);
    resolver.connectFailed('a');
    await clock.advance(2000);
    expect(resolver.addressOf('a')).toBe('10.0.0.1');
  });
});

it('looks up four names at a time, each once', async () => {
  const names = Array.from({ length: 30 }, (_, i) => `name-${i}`);
  for (const name of names) zone.set(name, ['10.0.0.1']);
  resolver.want(new Set(names));
  resolver.want(new Set(names));
  await clock.advance(1000);
  expect(underWayMax).toBe(4);
  expect(asked.map(({ name }) => name)).toEqual(names);
});

it('asks this machine', async () => {
  const found = await systemLookup('localhost');
  expect(found.some((address) => address === '127.0.0.1' || address === '::1')).toBe(true);
  const found2 = Promise.withResolvers<string>();
  const real = new NameResolver({ clock: systemClock, random: seededRandom(1), lookup: systemLookup, onChange: (name) => found2.resolve(name) });
  real.want(new Set(['localhost']));
  expect(await found2.promise).toBe('localhost');
  expect(found).toContain(real.addressOf('localhost'));
  real.stop();
});
