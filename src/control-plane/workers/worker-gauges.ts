/**
 * Takes back what a dead worker still counted as open. Its pages of counters
 * hold its share of each gauge; the main thread calls this once its thread has
 * ended, so nobody else writes those cells. Totals stay: a counter never falls.
 */
import { backendColumns, listenerColumns, type CounterPages, type RowCounts } from '../../shared/counter-pages.ts';
import type { BackendTable } from '../../shared/backend-table.ts';

/** How many client and backend connections were lost with it. */
export interface LostConnections {
  readonly clients: number;
  readonly backends: number;
}

/** `highest`: the highest row that may be in use, -1 for none. */
export function takeBackGauges(table: BackendTable, counters: CounterPages, highest: Pick<RowCounts, 'backends' | 'listeners'>): LostConnections {
  const lost = { clients: 0, backends: 0 };
  for (let row = 0; row <= highest.backends; row++) {
    const { cells, base } = counters.backends.at(row);
    const inFlight = cells[base + backendColumns.inFlight]!;
    const connections = cells[base + backendColumns.connections]!;
    if (inFlight !== 0) table.backend(row).addInFlight(-inFlight);
    if (connections !== 0) table.backend(row).releaseConnections(connections);
    lost.backends += connections;
    cells[base + backendColumns.inFlight] = 0;
    cells[base + backendColumns.connections] = 0;
    cells[base + backendColumns.connectionsIdle] = 0;
  }
  for (let row = 0; row <= highest.listeners; row++) {
    const { cells, base } = counters.listeners.at(row);
    const connections = cells[base + listenerColumns.connections]!;
    if (connections !== 0) table.listener(row).addConnections(-connections);
    lost.clients += connections;
    cells[base + listenerColumns.connections] = 0;
  }
  return lost;
}

/** Zeroes rows of one worker's pages that pass to another identity. No worker uses them at this moment. */
export function clearCounters(counters: CounterPages, rows: Readonly<Record<keyof RowCounts, readonly number[]>>): void {
  for (const kind of ['backends', 'pools', 'routes', 'listeners'] as const) {
    for (const row of rows[kind]) {
      const { cells, base } = counters[kind].at(row);
      cells.fill(0, base, base + counters[kind].columns);
    }
  }
}
