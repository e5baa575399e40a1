/**
 * A check: an address as written with a health spec, probed once however many
 * pools name it; what it finds holds for each of their rows. A backend whose
 * pool has no health is one as well, so that it has a verdict, but is not
 * probed.
 */
import { createHash } from 'node:crypto';
import type { Verdict } from '../../shared/backend-table.ts';
import type { BackendSpec, HealthSpec } from '../../shared/snapshot.ts';
import type { PlacedBackend } from '../backend-rows.ts';
import type { Assignment } from './duty.ts';
import { EjectionPasses } from './ejections.ts';
import type { ProbeDefinition } from './probe.ts';
import { RiseFall } from './rise-fall.ts';

export interface LastResult {
  readonly passed: boolean;
  /** '' for a pass. */
  readonly reason: string;
  /** Of a pass; else 0. */
  readonly latencyMs: number;
  /** Wall time. */
  readonly atMs: number;
}

/** What a check needs to be probed. */
export interface ProbePlan {
  readonly spec: HealthSpec;
  readonly definition: ProbeDefinition;
}

/** A row that the check's verdict is written to. */
export interface CheckRow extends PlacedBackend {
  readonly ejectionPasses: EjectionPasses;
}

/** A probe under way. */
export interface Attempt {
  readonly startMs: number;
  readonly controller: AbortController;
}

export class Check {
  readonly key: string;
  readonly backend: BackendSpec;
  /** null: the pool has no health. */
  readonly plan: ProbePlan | null;
  rows: readonly CheckRow[] = [];
  riseFall = new RiseFall('unknown');
  /** What the tier holds, or was taken over from a former check of the address. */
  verdict: Verdict = 'unknown';
  /** When this proxy is to probe it; null: it is not. */
  assignment: Assignment | null = null;
  /** Of the last probe of this proxy while it is on duty for it. */
  lastResult: LastResult | null = null;
  /** Monotonic time since which it is suspected, until a probe begun after that concludes; null: it is not. */
  suspectFromMs: number | null = null;
  /** Monotonic time of this proxy's last suspicion. */
  suspectedMs = Number.NEGATIVE_INFINITY;
  /** Void results in a row. */
  voids = 0;
  attempt: Attempt | null = null;
  /** All its rows are disabled: not probed. */
  suspended = false;

  constructor(key: string, backend: BackendSpec, plan: ProbePlan | null) {
    this.key = key;
    this.backend = backend;
    this.plan = plan;
  }

  get address(): string {
    return this.backend.address;
  }

  /** Takes over the rows of a new snapshot; those it had keep their counts. */
  replaceRows(placed: readonly PlacedBackend[]): void {
    const former = this.rows;
    this.rows = placed.map(({ pool, backend, number, row, poolRow }) => {
      const ejectionPasses = former.find((known) => known.number === number)?.ejectionPasses ?? new EjectionPasses();
      return { pool, backend, number, row, poolRow, ejectionPasses };
    });
  }

  /** Its past is forgotten; `verdict` is what it starts from. */
  restart(verdict: Verdict): void {
    this.riseFall = new RiseFall(verdict);
    this.verdict = verdict;
    this.lastResult = null;
    this.voids = 0;
    this.suspectFromMs = null;
  }
}

/** The same on every proxy that runs the same config. */
export function checkKey(address: string, specDigest: string): string {
  return `${address} ${specDigest}`;
}

export function digestOf(spec: HealthSpec | null): string {
  if (spec === null) return 'unprobed';
  return createHash('sha256').update(JSON.stringify(spec)).digest('base64url').slice(0, 16);
}
