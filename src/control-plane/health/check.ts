/**
 * A check: an address as written with a health spec, probed once however many
 * pools name it; what it finds counts for each of their rows, together with the
 * row's other checks. A backend whose pool has no health is one as well, so
 * that it has a verdict, but is not probed.
 */
import type { Verdict } from '../../shared/backend-table.ts';
import type { BackendSpec } from '../../shared/snapshot.ts';
import type { PlacedBackend } from '../backend-rows.ts';
import type { ProbePlan } from './check-identity.ts';
import type { Assignment } from './duty.ts';
import { EjectionPasses } from './ejections.ts';
import { RiseFall } from './rise-fall.ts';
import type { Ground } from './verdicts.ts';

export interface LastResult {
  readonly passed: boolean;
  /** '' for a pass. */
  readonly reason: string;
  /** Of a pass; else 0. */
  readonly latencyMs: number;
  /** Wall time. */
  readonly atMs: number;
}

/** A row whose verdict the check has a part in. */
export interface CheckRow extends PlacedBackend {
  readonly check: Check;
  /** Place of the check in the pool's `health`. */
  readonly place: number;
  /** What tells it from the row's other checks; '': it has none. */
  readonly label: string;
  readonly ejectionPasses: EjectionPasses;
  /** One for each check of the row, itself too, in the pool's order; empty until all of them are known. */
  peers: readonly CheckRow[];
}

/** What a config asks of a check for one row. */
export type AskedRow = PlacedBackend & Pick<CheckRow, 'place' | 'label'>;

/** A probe under way. */
export interface Attempt {
  readonly startMs: number;
  readonly controller: AbortController;
}

export const NOT_PROBED: Ground = { reason: 'not probed yet' };

export class Check {
  readonly key: string;
  readonly backend: BackendSpec;
  /** null: the pool has no health. A secret in it may change. */
  plan: ProbePlan | null;
  rows: readonly CheckRow[] = [];
  riseFall = new RiseFall('unknown');
  /** What the tier holds, or was taken over from a former check of the address. */
  verdict: Verdict = 'unknown';
  /** Why. */
  ground: Ground = NOT_PROBED;
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

  /** Takes over the rows of a new snapshot; those it had keep their counts. Their peers follow when all checks are known. */
  replaceRows(asked: readonly AskedRow[]): void {
    const former = this.rows;
    this.rows = asked.map(({ pool, backend, number, row, poolRow, place, label }) => {
      const ejectionPasses = former.find((known) => known.number === number)?.ejectionPasses ?? new EjectionPasses();
      return { check: this, pool, backend, number, row, poolRow, place, label, ejectionPasses, peers: [] };
    });
  }

  /** Its past is forgotten; `verdict` is what it starts from. */
  restart(verdict: Verdict): void {
    this.riseFall = new RiseFall(verdict);
    this.verdict = verdict;
    this.ground = NOT_PROBED;
    this.lastResult = null;
    this.voids = 0;
    this.suspectFromMs = null;
  }
}
