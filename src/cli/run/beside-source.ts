/**
 * What this proxy leaves beside its record at each heartbeat, made from shared
 * memory and the process's own accounting. Per-backend totals are told only of
 * pools that somebody watches; the totals of pools are walked anew no more than
 * every few seconds, since 10,000 backends take a millisecond or two.
 */
import type { Clock } from '../../base/clock.ts';
import { backendTotals, firstBackends, placedOf } from '../../control-plane/admin/backend-views.ts';
import type { AdminContext } from '../../control-plane/admin/admin-context.ts';
import { poolTraffic } from '../../control-plane/admin/tier-view.ts';
import { besideText, type Beside, type Traffic } from '../../control-plane/membership/beside.ts';
import { countAnswers } from '../../observe/answers.ts';
import type { RunningConfig } from '../../observe/metrics-source.ts';

const TOTALS_EVERY_MS = 3000;
/** A watched pool is told up to so many backends: 10,000 would be half a megabyte at every heartbeat of every member. */
const WATCHED_BACKENDS_MAX = 500;

export class BesideSource {
  readonly #clock: Clock;
  readonly #context: AdminContext;
  /** Draining backends, as control-plane/backends.ts tells them. */
  readonly #draining: () => NonNullable<Beside['draining']>;
  /** While a canary is watched, as control-plane/rollout tells it. */
  readonly #rollout: () => Beside['rollout'];
  #cpu = process.cpuUsage();
  #cpuAtMs: number;
  #rssBytes = 0;
  #pools: Record<string, Traffic> = {};
  #poolsAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, context: AdminContext, draining: () => NonNullable<Beside['draining']>, rollout: () => Beside['rollout'] = () => undefined) {
    this.#clock = clock;
    this.#context = context;
    this.#draining = draining;
    this.#rollout = rollout;
    this.#cpuAtMs = clock.monotonicMs();
  }

  text(watched: readonly string[]): string {
    const config = this.#context.running();
    const beside: Beside = { usage: this.#usage(config), software: this.#context.version, config: configOf(config), draining: this.#draining() };
    const rollout = this.#rollout();
    if (rollout !== undefined) beside.rollout = rollout;
    if (config !== null) {
      beside.answers = this.#answers(config);
      beside.pools = this.#poolTotals(config);
      if (watched.length > 0) beside.watched = this.#watched(config, watched);
    }
    return besideText(beside);
  }

  #usage(config: RunningConfig | null): NonNullable<Beside['usage']> {
    const nowMs = this.#clock.monotonicMs();
    const used = process.cpuUsage(this.#cpu);
    const spanMs = Math.max(1, nowMs - this.#cpuAtMs);
    this.#cpu = process.cpuUsage();
    this.#cpuAtMs = nowMs;
    const workers = this.#context.workers();
    const connections = config === null ? 0 : config.rows.listeners.reduce((sum, row) => sum + this.#context.table.listener(row).connections, 0);
    return {
      cpu: rounded((used.user + used.system) / 1000 / spanMs),
      rssBytes: this.#residentBytes(),
      workers: workers.length,
      connections,
      busiest: rounded(workers.reduce((most, { utilization }) => Math.max(most, utilization), 0)),
    };
  }

  /** Asking takes a descriptor; a process that has none left, or may not read /proc, goes on with what it knew. */
  #residentBytes(): number {
    try {
      this.#rssBytes = process.memoryUsage.rss();
    } catch {
      // The heartbeat matters more than this figure.
    }
    return this.#rssBytes;
  }

  #answers({ rows }: RunningConfig): [number, number] {
    const { requests, errors } = countAnswers(this.#context.counters, rows);
    return [requests, errors];
  }

  #poolTotals(config: RunningConfig): Record<string, Traffic> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#poolsAtMs < TOTALS_EVERY_MS) return this.#pools;
    this.#poolsAtMs = nowMs;
    this.#pools = poolTraffic(this.#context, config);
    return this.#pools;
  }

  #watched(config: RunningConfig, watched: readonly string[]): NonNullable<Beside['watched']> {
    const firsts = firstBackends(config);
    const told: NonNullable<Beside['watched']> = {};
    for (const [i, pool] of config.snapshot.pools.entries()) {
      if (!watched.includes(pool.name)) continue;
      const placed = placedOf(config, pool, firsts[i]!).slice(0, WATCHED_BACKENDS_MAX);
      told[pool.name] = Object.fromEntries(placed.map(({ backend, row }) => [backend.address, this.#trafficOf(row)]));
    }
    return told;
  }

  #trafficOf(row: number): Traffic {
    const { requests, failures } = backendTotals(this.#context, row);
    return [requests, failures, this.#context.table.backend(row).inFlight];
  }
}

function configOf(config: RunningConfig | null): Beside['config'] {
  if (config === null) return null;
  const { number, sha, effectiveSha } = config.snapshot;
  return { number, sha, effectiveSha };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
