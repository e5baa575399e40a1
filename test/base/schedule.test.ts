import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Schedule } from '../../src/base/schedule.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

interface Item {
  readonly name: number;
}

it('runs each item once, at its last due time, in order', async () => {
  const operations = fc.array(fc.record({ name: fc.nat(20), dueMs: fc.nat(300), cancel: fc.boolean() }), { maxLength: 100 });
  await fc.assert(
    fc.asyncProperty(operations, async (steps) => {
      const clock = new VirtualClock();
      const items = Array.from({ length: 21 }, (_, name): Item => ({ name }));
      const ran: { name: number; atMs: number }[] = [];
      const schedule = new Schedule<Item>(clock, ({ name }) => void ran.push({ name, atMs: clock.monotonicMs() }));
      const expected = new Map<number, number>();
      for (const { name, dueMs, cancel } of steps) {
        if (cancel) {
          schedule.cancel(items[name]!);
          expected.delete(name);
        } else {
          schedule.at(items[name]!, dueMs);
          expected.set(name, dueMs);
        }
      }
      expect(schedule.size).toBe(expected.size);
      await clock.advance(310);
      expect(new Map(ran.map(({ name }) => [name, expected.get(name)]))).toEqual(expected);
      expect(ran).toHaveLength(expected.size);
      for (const { name, atMs } of ran) expect(atMs).toBe(Math.max(1, expected.get(name)!));
      expect(clock.pending).toBe(0);
    }),
    { numRuns: 200 },
  );
});

it('runs a slice of what is due in one turn, and the rest soon after', async () => {
  const clock = new VirtualClock();
  const turns = new Map<number, number>();
  const schedule = new Schedule<Item>(clock, () => void turns.set(clock.monotonicMs(), (turns.get(clock.monotonicMs()) ?? 0) + 1), 10);
  for (let name = 0; name < 35; name++) schedule.at({ name }, 5);
  expect(clock.pending).toBe(1);
  await clock.advance(20);
  expect([...turns.values()]).toEqual([10, 10, 10, 5]);
});

it('lets an item schedule itself again, and forgets all at stop', async () => {
  const clock = new VirtualClock();
  let runs = 0;
  const item: Item = { name: 1 };
  const schedule: Schedule<Item> = new Schedule<Item>(clock, () => {
    runs++;
    schedule.at(item, clock.monotonicMs() + 10);
  });
  schedule.at(item, 0);
  await clock.advance(95);
  expect(runs).toBe(10);
  expect(schedule.dueOf(item)).toBe(101);
  schedule.stop();
  await clock.advance(100);
  expect(runs).toBe(10);
  expect(clock.pending).toBe(0);
});
