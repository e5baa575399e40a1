/** Pools over real shared rows, with a clock and a seed that the test owns. */
import type { Clock } from '../../src/base/clock.ts';
import { mix32 } from '../../src/base/hash.ts';
import { seededRandom, type Random } from '../../src/base/random.ts';
import type { Balancer, BalancerDefinition, Candidate, PickRequest } from '../../src/data-plane/balance/balancer.ts';
import { PoolBalancer, type PoolEnvironment } from '../../src/data-plane/balance/candidates.ts';
import type { Algorithm } from '../../src/data-plane/balance/load-module.ts';
import { findBalancer } from '../../src/data-plane/balance/registry.ts';
import { BackendTable, type BackendRow, type PoolRow } from '../../src/shared/backend-table.ts';
import type { BackendSpec, OutlierSpec, PoolSpec } from '../../src/shared/snapshot.ts';
import { plainBackend, plainPool } from './plain-snapshot.ts';

export class TestClock implements Clock {
  nowMs = 1_000_000;
  monotonicMs(): number {
    return this.nowMs;
  }
  wallMs(): number {
    return this.nowMs;
  }
  after(): never {
    throw new Error('this clock has no timers');
  }
  every(): never {
    throw new Error('this clock has no timers');
  }
}

export interface FakeCandidate extends Candidate {
  weight: number;
  load: number;
  latency: number;
  ageMs: number;
}

export function fakeCandidate(address: string, weight = 1): FakeCandidate {
  return {
    address,
    weight,
    load: 0,
    latency: 0,
    ageMs: 0,
    inFlight(): number {
      return this.load;
    },
    latencyUs(): number {
      return this.latency;
    },
    latencyAgeMs(): number {
      return this.ageMs;
    },
  };
}

export function fakeCandidates(weights: readonly number[]): FakeCandidate[] {
  return weights.map((weight, i) => fakeCandidate(`10.0.${i >> 8}.${i & 255}:8080`, weight));
}

/** With the options the schema makes of `options`. */
export function makeBalancer(name: string, candidates: readonly Candidate[], seed = 1, options: Record<string, unknown> = {}): Balancer {
  const { definition, options: checked } = algorithmNamed(name, options);
  return definition.create(candidates, checked, { random: seededRandom(seed), previous: null });
}

export function algorithmNamed(name: string, options: Record<string, unknown> = {}): Algorithm {
  const definition = findBalancer(name)!;
  return { definition, options: definition.options.parse(options) };
}

/** Like a definition of an operator's own. */
export function ownAlgorithm(create: BalancerDefinition['create']): Algorithm {
  return { definition: { ...findBalancer('random')!, name: 'own', create }, options: {} };
}

/** How often each index was picked; each pick with another key. */
export function countPicks(balancer: Balancer, count: number, picks: number, isPassedOver: PickRequest['isPassedOver'] = null): number[] {
  const counts = new Array<number>(count).fill(0);
  for (let i = 0; i < picks; i++) counts[balancer.pick({ keyHash: mix32(i), isPassedOver })]!++;
  return counts;
}

/** Σ (seen - expected)² / expected. */
export function chiSquare(counts: readonly number[], weights: readonly number[]): number {
  const picks = counts.reduce((sum, count) => sum + count, 0);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return counts.reduce((sum, count, i) => {
    const expected = (picks * weights[i]!) / total;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
}

/** What chi square stays below but once in a million seeds (Wilson and Hilferty's approximation). */
export function chiSquareBound(degrees: number): number {
  const spread = 2 / (9 * degrees);
  return degrees * (1 - spread + 4.75 * Math.sqrt(spread)) ** 3;
}

export const outlierDefaults: OutlierSpec = { consecutiveFailures: 5, ejectForMs: 30_000, maxEjectedShare: 0.5 };

export class BalanceRig {
  readonly clock = new TestClock();
  readonly table = new BackendTable();
  readonly logged: string[] = [];
  readonly ejections: { backendIndex: number; forMs: number; reason: string }[] = [];
  spec: PoolSpec;
  readonly rows: BackendRow[];
  readonly poolRow: PoolRow;

  /** Every backend ready and up. */
  constructor(backends: readonly Partial<BackendSpec>[], pool: Partial<PoolSpec> = {}) {
    this.table.ensure({ backends: 64, pools: 4, listeners: 0 });
    const specs = backends.map((backend, i) => ({ ...plainBackend(`10.0.0.${i + 1}:80`), ...backend }));
    this.spec = { ...plainPool('web', []), backends: specs, ...pool };
    this.rows = specs.map((backend, i) => {
      const row = this.table.backend(i);
      row.verdict = 'up';
      row.state = backend.state;
      row.weight = backend.weight;
      return row;
    });
    this.poolRow = this.table.pool(0);
  }

  environment(random: Random = seededRandom(7)): PoolEnvironment {
    return {
      clock: this.clock,
      random,
      log: (_level, text) => void this.logged.push(text),
      ejected: (backendIndex, forMs, reason) => void this.ejections.push({ backendIndex, forMs, reason }),
    };
  }

  /** As one worker has it; several share the rows. */
  worker(algorithm: Algorithm = algorithmNamed('round-robin'), previous: PoolBalancer | null = null): PoolBalancer {
    const { spec, poolRow: pool, rows: backends } = this;
    const balancer = new PoolBalancer({ spec, algorithm, pool, backends }, this.environment(), previous);
    balancer.activate(previous);
    return balancer;
  }

  /** As the main thread does it. */
  change(run: (rows: readonly BackendRow[]) => void): void {
    run(this.rows);
    this.poolRow.bumpEpoch();
  }
}

/** The distinct file indexes of so many picks, sorted. */
export function pickedIndexes(balancer: PoolBalancer, picks = 200): number[] {
  const seen = new Set<number>();
  for (let i = 0; i < picks; i++) seen.add(balancer.pick(mix32(i), null));
  return [...seen].sort((a, b) => a - b);
}
