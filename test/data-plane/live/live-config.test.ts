/** A worker goes on with its traffic while it makes a large config ready, and keeps what both configs have. */
import { expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { TimerWheel } from '../../../src/base/timer-wheel.ts';
import { buildLiveConfig } from '../../../src/data-plane/live/live-config.ts';
import type { WorkerContext } from '../../../src/data-plane/live/worker-context.ts';
import { TicketKeys } from '../../../src/net/ticket-keys.ts';
import { BackendTable } from '../../../src/shared/backend-table.ts';
import { CounterPages } from '../../../src/shared/counter-pages.ts';
import { LimitTable } from '../../../src/shared/limit-table.ts';
import { TicketMemory } from '../../../src/shared/ticket-memory.ts';
import type { Snapshot } from '../../../src/shared/snapshot.ts';
import type { SnapshotRows } from '../../../src/shared/thread-messages.ts';
import { largeConfig } from '../../support/large-config.ts';
import { snapshotOf } from '../../support/load-whole.ts';
import { turnsDuring } from '../../support/loop-turns.ts';

const PARTS = 4000;

function contextWith(rows: number): WorkerContext {
  const table = new BackendTable();
  const counters = new CounterPages();
  const limits = LimitTable.create(1, new Int32Array([1, 2]), 0);
  table.ensure({ backends: rows, pools: rows, listeners: 1 });
  counters.ensure({ backends: rows, pools: rows, routes: rows, listeners: 1 });
  return { index: 0, clock: systemClock, random: systemRandom, wheel: new TimerWheel(), table, counters, limits, tickets: new TicketKeys(TicketMemory.create(() => undefined)), pluginsDir: null, ownAddresses: () => [], accessLog: null, isShedding: false, isStopping: false, send: () => undefined, log: () => undefined };
}

/** Rows in the order of the file. */
function rowsOf({ listeners, pools }: Snapshot): SnapshotRows {
  const count = (length: number): Int32Array => Int32Array.from({ length }, (_, i) => i);
  return {
    listeners: count(listeners.length),
    routes: count(listeners.reduce((sum, { routes }) => sum + routes.length, 0)),
    pools: count(pools.length),
    backends: count(pools.reduce((sum, { backends }) => sum + backends.length, 0)),
  };
}

it.each([1, 2000])('with %i pools', async (pools) => {
  const snapshot = snapshotOf(largeConfig({ backends: PARTS, routes: PARTS, pools }));
  const context = contextWith(PARTS);
  const rows = rowsOf(snapshot);
  const first = await buildLiveConfig(snapshot, 1, rows, null, context);
  let second = first;
  const turns = await turnsDuring(async () => (second = await buildLiveConfig(snapshot, 2, rows, first, context)));
  expect(turns).toBeGreaterThanOrEqual((2 * PARTS) / 500);
  expect(second.backends.size).toBe(PARTS);
  expect([...second.backends.values()].every((backend) => first.backends.get(backend.rowNumber) === backend)).toBe(true);
  expect(second.listeners.get('web')!.routes).toHaveLength(PARTS);
  expect(second.pools.size).toBe(pools);
});
