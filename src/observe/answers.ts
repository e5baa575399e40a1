/** What a proxy answered since it started, over all workers: all, and failures of ours or of a backend. */
import { routeColumns, type CounterPages } from '../shared/counter-pages.ts';
import type { SnapshotRows } from '../shared/thread-messages.ts';

const STATUS_5XX = 4;

/** Of the routes of the running config; those of routes that are gone no longer count. */
export function countAnswers(counters: readonly CounterPages[], { routes }: Pick<SnapshotRows, 'routes'>): { requests: number; errors: number } {
  let requests = 0;
  let errors = 0;
  for (const row of routes) {
    for (const pages of counters) {
      const { cells, base } = pages.routes.at(row);
      for (let column = routeColumns.codeClass; column <= routeColumns.errors; column++) requests += cells[base + column]!;
      errors += cells[base + routeColumns.codeClass + STATUS_5XX]! + cells[base + routeColumns.errors]!;
    }
  }
  return { requests, errors };
}
