/**
 * Rows over random histories of reloads: identities keep theirs, no two share
 * one, and none passes on while anything is open on it or any worker runs a
 * snapshot that has its former owner.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RowBook, type RowAssignment } from '../../../src/control-plane/rollout/row-book.ts';
import type { Snapshot } from '../../../src/shared/snapshot.ts';
import { plainListener, plainPool } from '../../support/plain-snapshot.ts';

type Parts = Pick<Snapshot, 'listeners' | 'pools'>;

const names = fc.subarray(['a', 'b', 'c']);
const parts: fc.Arbitrary<Parts> = fc
  .record({
    pools: fc.uniqueArray(fc.tuple(fc.constantFrom('p', 'q', 'r'), fc.subarray(['1:1', '2:2', '3:3', '4:4'])), { selector: ([name]) => name }),
    listeners: fc.uniqueArray(fc.tuple(fc.constantFrom('x', 'y'), names), { selector: ([name]) => name }),
  })
  .map(({ pools, listeners }) => ({
    pools: pools.map(([name, addresses]) => plainPool(name, addresses)),
    listeners: listeners.map(([name, routes]) => plainListener(name, 0, null, routes)),
  }));

/** One reload: the config, whether it is accepted, and which rows are busy meanwhile. */
const steps = fc.array(fc.record({ parts, accepted: fc.boolean(), busy: fc.array(fc.nat(12), { maxLength: 6 }) }), { maxLength: 25 });

function owners({ pools, listeners }: Parts, { rows }: RowAssignment): Map<string, number> {
  const map = new Map<string, number>();
  const put = (kind: string, keys: readonly string[], numbers: Int32Array): void => {
    expect(numbers).toHaveLength(keys.length);
    keys.forEach((key, index) => map.set(`${kind} ${key}`, numbers[index]!));
  };
  put('backend', pools.flatMap((pool) => pool.backends.map(({ address }) => `${pool.name} ${address}`)), rows.backends);
  put('pool', pools.map(({ name }) => name), rows.pools);
  put('listener', listeners.map(({ name }) => name), rows.listeners);
  put('route', listeners.flatMap((listener) => listener.routes.map(({ name }) => `${listener.name} ${name}`)), rows.routes);
  return map;
}

const kindOf = (key: string): string => key.slice(0, key.indexOf(' '));
const place = (key: string, row: number): string => `${kindOf(key)} ${row}`;

test('over any history of reloads', () => {
  fc.assert(
    fc.property(steps, (history) => {
      const book = new RowBook();
      let running = new Map<string, number>();
      /** Who may still count on a row though no running snapshot has it. */
      const lingering = new Map<string, string>();
      for (const { parts: wanted, accepted, busy } of history) {
        const isIdle = (row: number): boolean => !busy.includes(row);
        for (const [held, key] of lingering) {
          const row = Number(held.split(' ')[1]);
          if ((kindOf(key) === 'backend' || kindOf(key) === 'listener') && isIdle(row)) lingering.delete(held);
        }
        const assignment = book.assign(wanted, { backend: isIdle, listener: isIdle });
        const now = owners(wanted, assignment);
        const taken = [...now].map(([key, row]) => place(key, row));
        expect(new Set(taken).size).toBe(taken.length);
        for (const [key, row] of now) {
          if (running.has(key)) expect(row).toBe(running.get(key));
          for (const [other, held] of running) if (place(other, held) === place(key, row)) expect(other).toBe(key);
          const waiting = lingering.get(place(key, row));
          if (waiting !== undefined && (kindOf(key) === 'backend' || kindOf(key) === 'listener')) expect(waiting).toBe(key);
          expect(row).toBeLessThanOrEqual(assignment.highest[`${kindOf(key)}s` as keyof typeof assignment.highest]);
        }
        if (!accepted) {
          book.abort();
          continue;
        }
        book.commit();
        for (const [key, row] of running) if (!now.has(key)) lingering.set(place(key, row), key);
        for (const [key, row] of now) lingering.delete(place(key, row));
        running = now;
      }
    }),
    { numRuns: 300 },
  );
});

const busyNow = { backend: () => false, listener: () => false };
const idleNow = { backend: () => true, listener: () => true };

test('a removed backend that is still busy gets its own row back; once idle the row is free for another', () => {
  const book = new RowBook();
  const first = book.assign({ listeners: [], pools: [plainPool('p', ['1:1', '2:2'])] }, busyNow);
  book.commit();
  book.assign({ listeners: [], pools: [plainPool('p', ['1:1'])] }, busyNow);
  book.commit();
  const back = book.assign({ listeners: [], pools: [plainPool('p', ['1:1', '2:2'])] }, busyNow);
  expect(back.rows.backends).toEqual(first.rows.backends);
  expect(back.fresh.backends).toEqual([]);
  book.abort();
  const other = book.assign({ listeners: [], pools: [plainPool('p', ['1:1', '3:3'])] }, idleNow);
  expect(other.rows.backends).toEqual(first.rows.backends);
  expect(other.fresh.backends).toEqual([first.rows.backends[1]]);
});

test("a removed pool's row stays until its last backend is idle, a route's until its listener has no connection", () => {
  const book = new RowBook();
  const before = book.assign({ listeners: [plainListener('x', 0, null, ['a'])], pools: [plainPool('p', ['1:1'])] }, busyNow);
  book.commit();
  book.assign({ listeners: [plainListener('x', 0, null, ['b'])], pools: [] }, busyNow);
  book.commit();
  const busy = book.assign({ listeners: [plainListener('x', 0, null, ['c'])], pools: [plainPool('q', ['2:2'])] }, busyNow);
  expect(busy.rows.pools[0]).not.toBe(before.rows.pools[0]);
  expect(busy.rows.routes[0]).not.toBe(before.rows.routes[0]);
  book.abort();
  const idle = book.assign({ listeners: [plainListener('x', 0, null, ['c'])], pools: [plainPool('q', ['2:2'])] }, idleNow);
  const freed = [idle.rows.pools[0], idle.rows.routes[0]];
  expect(freed).toEqual([expect.toBeOneOf([before.rows.pools[0], busy.rows.pools[0]]), expect.toBeOneOf([before.rows.routes[0], busy.rows.routes[0]])]);
});
