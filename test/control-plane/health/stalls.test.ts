import { afterEach, beforeEach, expect, it } from 'vitest';
import { StallWatch } from '../../../src/control-plane/health/stalls.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

let clock: VirtualClock;
let watch: StallWatch;
beforeEach(() => {
  clock = new VirtualClock();
  watch = new StallWatch(clock);
  watch.begin();
});
afterEach(() => watch.stop());

it('sees none while the loop turns', async () => {
  await clock.advance(1000);
  expect(watch.stalledMsSince(0)).toBe(0);
});

it('measures one to within a tick, from the moment it ends', async () => {
  await clock.advance(110);
  clock.stall(300);
  expect(Math.abs(watch.stalledMsSince(0) - 300)).toBeLessThanOrEqual(20);
  await clock.advance(500);
  expect(Math.abs(watch.stalledMsSince(0) - 300)).toBeLessThanOrEqual(20);
});

it('counts only what lies after the given time', async () => {
  await clock.advance(100);
  clock.stall(300);
  await clock.advance(100);
  expect(watch.stalledMsSince(401)).toBe(0);
  expect(Math.abs(watch.stalledMsSince(300) - 100)).toBeLessThanOrEqual(20);
});

it('adds up several', async () => {
  for (let i = 0; i < 3; i++) {
    await clock.advance(100);
    clock.stall(100);
  }
  await clock.advance(100);
  expect(Math.abs(watch.stalledMsSince(0) - 300)).toBeLessThanOrEqual(60);
});

it('has no timer while nothing is measured', async () => {
  watch.begin();
  watch.end();
  expect(clock.pending).toBe(1);
  watch.end();
  expect(clock.pending).toBe(0);
  clock.stall(300);
  watch.begin();
  await clock.advance(100);
  expect(watch.stalledMsSince(0)).toBe(0);
});
