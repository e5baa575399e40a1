/** One picture of `weir top`: rates between two status answers, busiest first, cut to the screen. */
import type { StatusAnswer } from '../../control-plane/admin/answers.ts';
import { allBackends, headLines, latencyText, left, right, verdictText, type PooledBackend } from './status-view.ts';
import { grouped, tableLines } from './text-table.ts';

export interface Sample {
  readonly status: StatusAnswer;
  /** Monotonic time at which it was taken. */
  readonly atMs: number;
}

export interface Screen {
  readonly rows: number;
  readonly columns: number;
}

/** Lines for one screen; `previous` null: no rates yet. `nowMs`: wall time. */
export function topLines(previous: Sample | null, current: Sample, nowMs: number, screen: Screen): string[] {
  const before = new Map(previous === null ? [] : allBackends(previous.status).map((backend) => [keyOf(backend), backend]));
  const seconds = previous === null ? 0 : (current.atMs - previous.atMs) / 1000;
  const rated = allBackends(current.status)
    .map((backend) => ({ backend, requests: rate(backend, before, seconds, 'requests'), failures: rate(backend, before, seconds, 'failures') }))
    .sort((a, b) => b.failures - a.failures || b.requests - a.requests);
  const pools = Object.entries(current.status.pools).map(([name, pool]) => {
    const own = rated.filter(({ backend }) => backend.pool === name);
    return [name, `${grouped(pool.counts.usable)}/${grouped(pool.counts.total)}`, total(own, 'requests'), total(own, 'failures'), grouped(pool.inFlight), pool.panic ? 'PANIC' : ''];
  });
  const rows = rated.slice(0, screen.rows).map(({ backend, requests, failures }) => {
    const { pool, address, state, inFlight, latencyMs } = backend;
    return [`${pool}/${address}`, verdictText(backend), state, requests.toFixed(0), failures.toFixed(0), grouped(inFlight), latencyText(latencyMs)];
  });
  const lines = [
    ...headLines(current.status, nowMs),
    '',
    ...tableLines([left('POOL'), right('USABLE'), right('REQ/S'), right('FAIL/S'), right('IN FLIGHT'), left('')], pools),
    '',
    ...tableLines([left('BACKEND'), left('VERDICT'), left('STATE'), right('REQ/S'), right('FAIL/S'), right('IN FLIGHT'), right('LATENCY')], rows),
  ];
  return lines.slice(0, screen.rows).map((line) => line.slice(0, screen.columns));
}

interface Rated {
  readonly requests: number;
  readonly failures: number;
}

function total(rows: readonly Rated[], kind: keyof Rated): string {
  return rows.reduce((sum, row) => sum + row[kind], 0).toFixed(0);
}

/** Of a backend that was not there before nothing is known yet; a proxy that restarted counts from zero. */
function rate(backend: PooledBackend, before: ReadonlyMap<string, PooledBackend>, seconds: number, kind: keyof Rated): number {
  const former = before.get(keyOf(backend));
  return former === undefined || seconds <= 0 ? 0 : Math.max(0, backend[kind] - former[kind]) / seconds;
}

function keyOf({ pool, address }: PooledBackend): string {
  return `${pool}/${address}`;
}
