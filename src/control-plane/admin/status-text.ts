/** The status as JSON text in chunks, with a turn of the loop after each few hundred backends. */
import { yieldToLoop } from '../../base/clock.ts';
import type { RunningConfig } from '../../observe/metrics-source.ts';
import type { BindSpec, PoolSpec } from '../../shared/snapshot.ts';
import { isUsable, type Standing } from '../../shared/usable-backends.ts';
import { isPanicking, standingsOf } from '../../observe/pool-standings.ts';
import type { AdminContext } from './admin-context.ts';
import type { PoolAnswer, StatusAnswer } from './answers.ts';
import { controlPlaneOf } from './tier-view.ts';
import { backendTotals, backendView, firstBackends, placedOf, ROWS_PER_TURN } from './backend-views.ts';

export interface StatusOptions {
  /** null: all. */
  readonly pool: string | null;
  readonly backends: boolean;
}

export async function* statusText(context: AdminContext, options: StatusOptions): AsyncGenerator<string, void> {
  const config = context.running();
  let text = `${JSON.stringify(statusHead(context, config)).slice(0, -1)},"pools":{`;
  let rows = 0;
  for (const piece of config === null ? [] : poolPieces(context, config, options)) {
    text += piece;
    // Counted over all pools: many small ones take as long as a large one.
    if (++rows % ROWS_PER_TURN !== 0) continue;
    yield text;
    text = '';
    await yieldToLoop();
  }
  yield `${text}}}\n`;
}

/** The text of the pools in pieces, each of which is the work of one backend at most, and often none. */
function* poolPieces(context: AdminContext, config: RunningConfig, options: StatusOptions): Generator<string, void> {
  const firsts = firstBackends(config);
  let separator = '';
  for (const [i, pool] of config.snapshot.pools.entries()) {
    if (options.pool !== null && options.pool !== pool.name) continue;
    yield `${separator}${JSON.stringify(pool.name)}:`;
    yield* piecesOfOne(context, config, pool, firsts[i]!, options.backends);
    separator = ',';
  }
}

function* piecesOfOne(context: AdminContext, config: RunningConfig, pool: PoolSpec, first: number, withBackends: boolean): Generator<string, void> {
  const standings = standingsOf(context.table, pool, config.rows.backends, first);
  const placed = placedOf(config, pool, first);
  const totals = { requests: 0, failures: 0, inFlight: 0 };
  for (const { row } of placed) {
    const { requests, failures } = backendTotals(context, row);
    totals.requests += requests;
    totals.failures += failures;
    totals.inFlight += context.table.backend(row).inFlight;
    yield '';
  }
  const head = JSON.stringify({ algorithm: pool.algorithm.name, panic: isPanicking(pool, standings), ...roleOf(context, pool), counts: countStandings(standings), ...totals });
  if (!withBackends) {
    yield head;
    return;
  }
  let separator = `${head.slice(0, -1)},"backends":[`;
  for (const one of placed) {
    yield separator + JSON.stringify(backendView(context, one));
    separator = ',';
  }
  yield placed.length === 0 ? `${separator}]}` : ']}';
}

function roleOf(context: AdminContext, { name }: PoolSpec): Pick<PoolAnswer, 'role'> {
  const status = context.roleStatus(name);
  if (status === null) return {};
  const { primary, epoch, phase, byTier, isFenced } = status;
  return { role: { primary, epoch, phase, by: byTier ? 'tier' : 'own probes', isFenced } };
}

function countStandings(standings: readonly Standing[]): PoolAnswer['counts'] {
  const counts = { total: standings.length, usable: 0, up: 0, down: 0, unknown: 0, ejected: 0, drain: 0, disabled: 0 };
  for (const standing of standings) {
    counts[standing.verdict] += 1;
    if (standing.ejected) counts.ejected += 1;
    if (standing.state !== 'ready') counts[standing.state] += 1;
    if (isUsable(standing)) counts.usable += 1;
  }
  return counts;
}

function statusHead(context: AdminContext, config: RunningConfig | null): Omit<StatusAnswer, 'pools'> {
  const listeners: StatusAnswer['listeners'] = {};
  for (const [i, listener] of (config?.snapshot.listeners ?? []).entries()) {
    const ports = config!.ports[i] ?? [];
    listeners[listener.name] = {
      protocol: listener.protocol,
      binds: listener.binds.map((bind, b) => bindText(bind, ports[b] ?? bind.port)),
      connections: context.table.listener(config!.rows.listeners[i]!).connections,
    };
  }
  return {
    node: context.node,
    state: context.state(),
    reasons: [...context.notReadyReasons()],
    version: context.version,
    startedAt: new Date(context.startedAtMs).toISOString(),
    config: configView(config),
    controlPlane: controlPlaneOf(config, context.membership()).controlPlane,
    tickets: context.ticketKeys(),
    workers: context.workers().map((worker) => ({
      index: worker.index,
      state: worker.state,
      startedAt: new Date(worker.startedAtMs).toISOString(),
      restarts: worker.restarts,
      utilization: Math.min(1, Math.max(0, worker.utilization)),
    })),
    listeners,
  };
}

/** Every address, v4 and v6, is written `*`. */
export function bindText(bind: BindSpec, port: number): string {
  if (bind.host === null) return `*:${port}`;
  return bind.host.includes(':') ? `[${bind.host}]:${port}` : `${bind.host}:${port}`;
}

export function configView(config: RunningConfig | null): StatusAnswer['config'] {
  if (config === null) return null;
  const { number, sha, effectiveSha } = config.snapshot;
  return { version: number, hash: sha, effectiveHash: effectiveSha, loadedAt: new Date(config.loadedAtMs).toISOString() };
}
