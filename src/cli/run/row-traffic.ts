/** What this proxy's workers counted on a backend's row, summed: for those who look at single backends from outside the data path. */
import type { RowTraffic } from '../../control-plane/backends.ts';
import { backendColumns, type CounterPages } from '../../shared/counter-pages.ts';

/** Answers of 1xx … 5xx. */
const CODE_CLASSES = 5;

export function rowTraffic(counters: readonly CounterPages[]): RowTraffic {
  const sum = (rowNumber: number, from: number, count: number): number => {
    let total = 0;
    for (const { backends } of counters) {
      const { cells, base } = backends.at(rowNumber);
      for (let column = from; column < from + count; column++) total += cells[base + column]!;
    }
    return total;
  };
  return {
    // Of a TCP backend only bytes tell; what matters is that it grows.
    answers: (rowNumber) => sum(rowNumber, backendColumns.codeClass, CODE_CLASSES) + sum(rowNumber, backendColumns.bytesFromBackend, 1),
    idleConnections: (rowNumber) => sum(rowNumber, backendColumns.connectionsIdle, 1),
  };
}
