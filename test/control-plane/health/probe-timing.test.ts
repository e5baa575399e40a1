/** What the monitor promises about time, for any seed and any interval. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HealthSpec } from '../../../src/shared/snapshot.ts';
import { healthSpec } from '../../support/backend-rig.ts';
import { MonitorRig } from '../../support/monitor-rig.ts';

const RUNS = 25;
/** The share and the most that jitter may move a start, either way, and what a timer's rounding to milliseconds adds. */
const jitterMs = (baseMs: number): number => Math.min(baseMs * 0.05, 50) + 2;

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const intervals = fc.integer({ min: 100, max: 5000 });

/** Gaps between the starts of the probes of one backend while `run` goes on. */
async function gapsOf(seed: number, spec: HealthSpec, behaviour: 'accept' | 'ECONNREFUSED', forMs: number): Promise<number[]> {
  const rig = new MonitorRig({ seed });
  rig.network.ports.set(81, behaviour);
  rig.apply({ name: 'web', backends: ['127.0.0.1:81'], health: spec });
  await rig.clock.advance(forMs);
  rig.monitor.stop();
  const times = rig.network.timesOf(81);
  return times.slice(1).map((time, index) => time - times[index]!);
}

describe('probes', () => {
  it('start an interval apart, but for jitter; only the first gap is shorter, to spread them', async () => {
    await fc.assert(
      fc.asyncProperty(seeds, intervals, fc.constantFrom('accept' as const, 'ECONNREFUSED' as const), async (seed, intervalMs, behaviour) => {
        const [first, ...gaps] = await gapsOf(seed, healthSpec({ intervalMs }), behaviour, 6 * intervalMs);
        expect(first).toBeLessThanOrEqual(intervalMs + jitterMs(intervalMs));
        expect(gaps.length).toBeGreaterThanOrEqual(3);
        for (const gap of gaps) expect(Math.abs(gap - intervalMs)).toBeLessThanOrEqual(jitterMs(intervalMs));
      }),
      { numRuns: RUNS },
    );
  });

  it('never overlap, and follow one another at once, when they take longer than the interval', async () => {
    const rig = new MonitorRig();
    rig.network.ports.set(81, 'silent');
    rig.apply({ name: 'web', backends: ['127.0.0.1:81'], health: healthSpec({ intervalMs: 100, fastIntervalMs: 100, timeoutMs: 300 }) });
    await rig.clock.advance(3000);
    rig.monitor.stop();
    const times = rig.network.timesOf(81);
    for (const [index, time] of times.slice(1).entries()) expect(time - times[index]!).toBeGreaterThanOrEqual(300);
    expect(times.length).toBeGreaterThanOrEqual(9);
  });

  it('of a backend that turned bad or well find out within the documented time', async () => {
    await fc.assert(
      fc.asyncProperty(seeds, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 2000 }), async (seed, rise, fall, turnAfterMs) => {
        const rig = new MonitorRig({ seed });
        rig.apply({ name: 'web', backends: ['127.0.0.1:81'], health: healthSpec({ rise, fall }) });
        await rig.clock.advance(1000 + turnAfterMs);
        rig.network.ports.set(81, 'silent');
        const turnedMs = rig.clock.monotonicMs();
        await advanceUntil(rig, 2);
        // i + (fall − 1) f + t + 0.1 s, a millisecond for each timer's rounding.
        expect(rig.clock.monotonicMs() - turnedMs).toBeLessThanOrEqual(1000 + (fall - 1) * 500 + 500 + 100 + fall * 26);
        rig.network.ports.set(81, 'accept');
        const wellMs = rig.clock.monotonicMs();
        await advanceUntil(rig, 3);
        expect(rig.clock.monotonicMs() - wellMs).toBeLessThanOrEqual(1000 + (rise - 1) * 500 + 100 + rise * 26);
        rig.monitor.stop();
      }),
      { numRuns: RUNS },
    );
  });

  it('repeat after `fastInterval` while they contradict the verdict, unless that is the longer one', async () => {
    await fc.assert(
      fc.asyncProperty(seeds, intervals, intervals, async (seed, intervalMs, fastIntervalMs) => {
        const rig = new MonitorRig({ seed });
        rig.apply({ name: 'web', backends: ['127.0.0.1:81'], health: healthSpec({ intervalMs, fastIntervalMs, fall: 4 }) });
        await rig.clock.advance(3 * intervalMs);
        rig.network.ports.set(81, 'ECONNREFUSED');
        await advanceUntil(rig, 2);
        rig.monitor.stop();
        const last = rig.network.timesOf(81).slice(-4);
        const expectedMs = Math.min(intervalMs, fastIntervalMs);
        for (const [index, time] of last.slice(1).entries()) expect(Math.abs(time - last[index]! - expectedMs)).toBeLessThanOrEqual(jitterMs(expectedMs));
      }),
      { numRuns: RUNS },
    );
  });

  it('of checks added together spread over the interval', async () => {
    const rig = new MonitorRig({ seed: 7 });
    const count = 400;
    rig.apply({ name: 'web', backends: Array.from({ length: count }, (_, i) => `127.0.0.1:${1000 + i}`), health: healthSpec() });
    await rig.clock.advance(8000);
    rig.monitor.stop();
    const inBuckets = new Array<number>(10).fill(0);
    for (const { atMs } of rig.network.attempts) if (atMs >= 6000 && atMs < 7000) inBuckets[Math.floor((atMs - 6000) / 100)]!++;
    // 40 in each of ten would be even; six standard deviations either way.
    for (const inBucket of inBuckets) expect(Math.abs(inBucket - count / 10)).toBeLessThan(36);
  });

  it('replay exactly from a seed', async () => {
    const run = async (seed: number): Promise<unknown> => {
      const rig = new MonitorRig({ seed });
      rig.network.ports.set(82, 'ECONNREFUSED');
      rig.apply({ name: 'web', backends: ['127.0.0.1:81', '127.0.0.1:82'], health: healthSpec() });
      await rig.clock.advance(5000);
      rig.monitor.stop();
      return rig.network.attempts;
    };
    expect(await run(5)).toEqual(await run(5));
    expect(await run(5)).not.toEqual(await run(6));
  });

  async function advanceUntil(rig: MonitorRig, events: number): Promise<void> {
    for (let ms = 0; rig.events.length < events && ms < 60_000; ms++) await rig.clock.advance(1);
  }
});
