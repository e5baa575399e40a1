import { describe, expect, test } from 'vitest';
import { latencyCost } from '../../../src/data-plane/balance/ewma.ts';
import { latencyAge, observeLatency } from '../../../src/data-plane/balance/latency.ts';
import { BackendTable } from '../../../src/shared/backend-table.ts';
import { algorithmNamed, BalanceRig, countPicks, fakeCandidate, fakeCandidates, makeBalancer } from '../../support/balance-rig.ts';

const DECAY_MS = 10_000;

describe('the choice', () => {
  test('the slower of two gets nothing while its average is fresh', () => {
    const candidates = fakeCandidates([1, 1]);
    [candidates[0]!.latency, candidates[1]!.latency] = [1000, 5000];
    expect(countPicks(makeBalancer('ewma', candidates), 2, 1000)).toEqual([1000, 0]);
  });

  test('a queue outweighs latency', () => {
    const candidates = fakeCandidates([1, 1]);
    [candidates[0]!.latency, candidates[1]!.latency] = [1000, 5000];
    candidates[0]!.load = 5;
    expect(countPicks(makeBalancer('ewma', candidates), 2, 1000)).toEqual([0, 1000]);
  });

  test('a heavier backend may have more under way', () => {
    const candidates = fakeCandidates([9, 1]);
    for (const candidate of candidates) candidate.latency = 1000;
    [candidates[0]!.load, candidates[1]!.load] = [8, 1];
    expect(countPicks(makeBalancer('ewma', candidates), 2, 1000)).toEqual([1000, 0]);
  });

  test('a new backend is probed by one request, not by all', () => {
    const candidates = fakeCandidates([1, 1]);
    candidates[0]!.latency = 1000;
    const balancer = makeBalancer('ewma', candidates);
    expect(balancer.pick({ keyHash: 0, isPassedOver: null })).toBe(1);
    candidates[1]!.load = 1;
    expect(countPicks(balancer, 2, 1000)).toEqual([1000, 0]);
  });

  test('a pool of new backends goes by load', () => {
    const candidates = fakeCandidates([1, 1]);
    [candidates[0]!.load, candidates[1]!.load] = [2, 1];
    expect(countPicks(makeBalancer('ewma', candidates), 2, 100)).toEqual([0, 100]);
  });

  test('an idle slow backend is tried again after a while, one request at a time', () => {
    const fast = Object.assign(fakeCandidate('fast:1'), { latency: 1000 });
    const slow = Object.assign(fakeCandidate('slow:1'), { latency: 100_000 });
    const isSlowTaken = (): boolean => latencyCost(slow, 1, DECAY_MS) < latencyCost(fast, 1, DECAY_MS);
    slow.ageMs = 40_000;
    expect(isSlowTaken()).toBe(false);
    slow.ageMs = 60_000;
    expect(isSlowTaken()).toBe(true);
    slow.load = 1;
    expect(isSlowTaken(), 'while the one that tries it is under way').toBe(false);
  });

  test('the decay is a duration', () => {
    const { options } = algorithmNamed('ewma').definition;
    expect(options.parse({})).toEqual({ decay: 10_000 });
    expect(options.parse({ decay: '1.5s' })).toEqual({ decay: 1500 });
    for (const decay of ['0s', '5', 5000, 'soon']) expect(options.safeParse({ decay }).success, String(decay)).toBe(false);
  });
});

describe('the average', () => {
  const table = new BackendTable();
  table.ensure({ backends: 4, pools: 0, listeners: 0 });

  test('jumps to a peak at once and comes down by and by', () => {
    const row = table.backend(0);
    observeLatency(row, 1000, 0, DECAY_MS);
    expect(row.latencyUs).toBe(1000);
    observeLatency(row, 9000, 100, DECAY_MS);
    expect(row.latencyUs).toBe(9000);
    observeLatency(row, 1000, 100 + DECAY_MS, DECAY_MS);
    expect(row.latencyUs).toBe(Math.round(1000 + 8000 / Math.E));
    observeLatency(row, 1000, 100 + 20 * DECAY_MS, DECAY_MS);
    expect(row.latencyUs).toBe(1000);
  });

  test('an answer within no time is not mistaken for no answer', () => {
    const row = table.backend(1);
    observeLatency(row, 0, 0, DECAY_MS);
    expect(row.latencyUs).toBe(1);
  });

  test('survives the wrap of the table time after 24.8 days', () => {
    const row = table.backend(2);
    const wrapMs = 2 ** 31;
    observeLatency(row, 8000, wrapMs - 5000, DECAY_MS);
    observeLatency(row, 0, wrapMs + 5000, DECAY_MS);
    expect(row.latencyUs).toBe(Math.round(8000 / Math.E));
  });

  test('an age is never negative, and a time from before the wrap is old', () => {
    expect(latencyAge(1000, 3000)).toBe(2000);
    expect(latencyAge(1005, 1000)).toBe(0);
    expect(latencyAge(2_000_000_000, 1000)).toBe(0x7fffffff);
  });

  test('is kept only for an algorithm that reads it', () => {
    const rig = new BalanceRig([{}]);
    rig.worker(algorithmNamed('round-robin')).observeLatency(0, 500, rig.clock.nowMs);
    expect(rig.rows[0]!.latencyUs).toBe(0);
    rig.worker(algorithmNamed('ewma')).observeLatency(0, 500, rig.clock.nowMs);
    expect(rig.rows[0]!.latencyUs).toBe(500);
  });

  test('a pick sees how old it is', () => {
    const rig = new BalanceRig([{}, {}]);
    const balancer = rig.worker(algorithmNamed('ewma'));
    balancer.observeLatency(0, 1000, rig.clock.nowMs);
    balancer.observeLatency(1, 100_000, rig.clock.nowMs);
    expect(balancer.pick(0, null)).toBe(0);
    rig.clock.nowMs += 50_000;
    balancer.observeLatency(0, 1000, rig.clock.nowMs);
    expect(balancer.pick(0, null)).toBe(1);
  });
});
