/** A status answer as text for a person: who and how, then listeners, pools, and backends. */
import type { BackendAnswer, PoolAnswer, StatusAnswer } from '../../control-plane/admin/answers.ts';
import { grouped, spanText, tableLines, visibleText, type TextColumn } from './text-table.ts';

/** With more backends than this only those that are not well are listed. */
const LISTED_MAX = 50;

export interface PooledBackend extends BackendAnswer {
  readonly pool: string;
}

/** `nowMs`: wall time, for ages. */
export function statusText(status: StatusAnswer, nowMs: number): string {
  const sections = [headLines(status, nowMs), listenerLines(status), poolLines(status), backendLines(status, nowMs)];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

export function headLines(status: StatusAnswer, nowMs: number): string[] {
  const { node, state, reasons, version, startedAt, config, controlPlane, workers } = status;
  const running = workers.filter((worker) => worker.state === 'running').length;
  const restarts = workers.reduce((total, worker) => total + worker.restarts, 0);
  const parts = [
    `${visibleText(node)}: ${state}`,
    config === null ? 'no config' : `config ${config.version} (${config.hash.slice(0, 8)}, ${spanText(nowMs - Date.parse(config.loadedAt))} ago)`,
    `up ${spanText(nowMs - Date.parse(startedAt))}`,
    `workers ${running}/${workers.length}${restarts === 0 ? '' : `, ${restarts} restarted`}`,
    `weir ${visibleText(version)}, ${controlPlane}`,
  ];
  return [parts.join(' · '), ...reasons.map((reason) => `  not ready: ${visibleText(reason)}`)];
}

function listenerLines({ listeners }: StatusAnswer): string[] {
  const rows = Object.entries(listeners).map(([name, { protocol, binds, connections }]) => [name, protocol, binds.join(' '), grouped(connections)]);
  if (rows.length === 0) return [];
  return tableLines([left('LISTENER'), left('PROTOCOL'), left('ADDRESS'), right('CONNECTIONS')], rows);
}

function poolLines({ pools }: StatusAnswer): string[] {
  const rows = Object.entries(pools).map(([name, pool]) => {
    const { counts } = pool;
    return [name, pool.algorithm, `${grouped(counts.usable)}/${grouped(counts.total)}`, grouped(pool.inFlight), grouped(pool.requests), grouped(pool.failures), poolNotes(pool)];
  });
  if (rows.length === 0) return [];
  return tableLines([left('POOL'), left('ALGORITHM'), right('USABLE'), right('IN FLIGHT'), right('REQUESTS'), right('FAILURES'), left('')], rows);
}

function roleNote({ primary, epoch, phase, by, isFenced }: NonNullable<PoolAnswer['role']>): string {
  if (isFenced) return 'stopped by its fence';
  if (primary === null) return phase === 'withdrawing' ? `no primary yet (epoch ${epoch})` : 'no primary';
  return `primary ${visibleText(primary)} (${by === 'tier' ? `epoch ${epoch}` : by})`;
}

function poolNotes({ panic, role, counts }: PoolAnswer): string {
  const notes = (['down', 'unknown', 'ejected', 'drain', 'disabled'] as const).filter((kind) => counts[kind] > 0).map((kind) => `${grouped(counts[kind])} ${kind}`);
  return [...(role === undefined ? [] : [roleNote(role)]), ...(panic ? ['PANIC: verdicts are ignored'] : []), ...notes].join(', ');
}

export function allBackends({ pools }: StatusAnswer): PooledBackend[] {
  return Object.entries(pools).flatMap(([pool, { backends = [] }]) => backends.map((backend) => ({ pool, ...backend })));
}

/** Takes traffic as it should. */
export function isWell({ verdict, state, ejected, weight }: BackendAnswer): boolean {
  return verdict === 'up' && state === 'ready' && !ejected && weight > 0;
}

function backendLines(status: StatusAnswer, nowMs: number): string[] {
  const all = allBackends(status);
  if (all.length === 0) return [];
  if (all.length <= LISTED_MAX) return backendTable(all, nowMs);
  const unwell = all.filter((backend) => !isWell(backend));
  if (unwell.length === 0) return [`All ${grouped(all.length)} backends are well.`];
  const lines = [`${grouped(unwell.length)} of ${grouped(all.length)} backends are not well:`, ...backendTable(unwell.slice(0, LISTED_MAX), nowMs)];
  if (unwell.length > LISTED_MAX) lines.push(`… and ${grouped(unwell.length - LISTED_MAX)} more`);
  return lines;
}

function backendTable(backends: readonly PooledBackend[], nowMs: number): string[] {
  const columns = [left('BACKEND'), left('VERDICT'), left('STATE'), right('WEIGHT'), right('IN FLIGHT'), right('REQUESTS'), right('FAILURES'), right('LATENCY'), right('SINCE'), left('REASON')];
  const rows = backends.map((backend) => [
    `${backend.pool}/${backend.address}`,
    verdictText(backend),
    backend.state,
    String(backend.weight),
    grouped(backend.inFlight),
    grouped(backend.requests),
    grouped(backend.failures),
    latencyText(backend.latencyMs),
    spanText(nowMs - Date.parse(backend.since)),
    backend.reason,
  ]);
  return tableLines(columns, rows);
}

export function verdictText({ verdict, ejected }: BackendAnswer): string {
  return ejected ? `${verdict}, ejected` : verdict;
}

export function latencyText(ms: number | null): string {
  if (ms === null) return '-';
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${grouped(ms)} ms`;
}

export function left(title: string): TextColumn {
  return { title, align: 'left' };
}

export function right(title: string): TextColumn {
  return { title, align: 'right' };
}
