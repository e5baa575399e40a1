import { expect, test } from 'vitest';
import { TierMemoryStore } from '../../../src/control-plane/store/tier-memory-store.ts';
import { timedStore, type OperationResult } from '../../../src/control-plane/store/timed-store.ts';
import { OperationTimes } from '../../../src/observe/operation-times.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { FickleTierStore } from '../../support/fickle-tier-store.ts';

const countOf = (times: OperationTimes<OperationResult>, result: OperationResult): number => times.results.get(result)!.buckets.reduce((sum, count) => sum + count, 0);

test('each step is timed, by whether its answer was a good one', async () => {
  const clock = new VirtualClock();
  const times = new OperationTimes<OperationResult>(['ok', 'away']);
  const inner = new TierMemoryStore({ clock });
  const way = new FickleTierStore(inner, clock);
  const store = timedStore(way.store, clock, times);
  const caller = { member: 'a', incarnation: 'i' };
  way.lateMs = 250;
  const left = store.leave(caller);
  await clock.advance(1000);
  await left;
  expect([countOf(times, 'ok'), countOf(times, 'away'), times.results.get('ok')!.sumSeconds]).toEqual([1, 0, expect.closeTo(0.25, 3)]);
  way.lateMs = 0;
  way.away = 'refused';
  await expect(store.leave(caller)).rejects.toThrow('refused');
  expect([countOf(times, 'ok'), countOf(times, 'away')]).toEqual([1, 1]);
});

test('every step of a store can be taken through it', () => {
  const clock = new VirtualClock();
  const store = timedStore(new TierMemoryStore({ clock }), clock, new OperationTimes<OperationResult>(['ok', 'away']));
  const steps = ['acknowledgeRoles', 'admitRole', 'beside', 'call', 'close', 'forget', 'join', 'leave', 'log', 'moveRole', 'publish', 'putTickets', 'raiseProtocol', 'reports', 'restore', 'step', 'stepOut', 'subscribe', 'takeTokens', 'version', 'versions', 'vote', 'votes', 'watch'];
  expect(Object.keys(store).sort()).toEqual(steps);
});
