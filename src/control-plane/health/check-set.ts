/**
 * Which checks a snapshot asks for, and what becomes of those there were. A
 * check whose key stays keeps everything. A changed one inherits its address's
 * verdict and counts anew. A backend new to the config is `unknown` until its
 * first result, even if its row still remembers an earlier life.
 */
import type { Verdict } from '../../shared/backend-table.ts';
import { liftEjection } from '../../shared/ejections.ts';
import type { HealthSpec, PoolSpec } from '../../shared/snapshot.ts';
import type { PlacedBackend } from '../backend-rows.ts';
import { Check, checkKey, digestOf, type ProbePlan } from './check.ts';
import { probeDefinition } from './registry.ts';
import type { Verdicts } from './verdicts.ts';

export interface CheckChanges {
  readonly added: readonly Check[];
  readonly kept: readonly Check[];
  readonly removed: readonly Check[];
}

export class CheckSet {
  readonly #verdicts: Verdicts;
  readonly #byName = new Map<string, Check[]>();
  #checks = new Map<string, Check>();
  #rows = new Map<number, PlacedBackend>();
  #byRow = new Map<number, Check>();

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  get(key: string): Check | undefined {
    return this.#checks.get(key);
  }

  values(): Iterable<Check> {
    return this.#checks.values();
  }

  /** Checks of backends given by this name. */
  named(name: string): readonly Check[] {
    return this.#byName.get(name) ?? [];
  }

  ofRow(rowNumber: number): Check | undefined {
    return this.#byRow.get(rowNumber);
  }

  apply(placed: readonly PlacedBackend[]): CheckChanges {
    const groups = groupByCheck(placed);
    const former = this.#checks;
    const formerRows = this.#rows;
    this.#rows = new Map(placed.map((row) => [row.number, row]));
    for (const [number, row] of formerRows) if (!this.#rows.has(number)) this.#depart(row);
    for (const [number, row] of this.#rows) if (!formerRows.has(number)) this.#verdicts.introduce(row);

    const added: Check[] = [];
    const kept: Check[] = [];
    this.#checks = new Map();
    for (const [key, group] of groups) {
      const check = former.get(key) ?? new Check(key, group.rows[0]!.backend, group.plan);
      if (former.has(key)) kept.push(check);
      else added.push(check);
      if (!former.has(key)) check.restart(inheritedVerdict(group.rows.filter(({ number }) => formerRows.has(number))));
      check.replaceRows(group.rows);
      this.#checks.set(key, check);
      if (check.verdict !== 'unknown') this.#verdicts.give(check.rows, check.verdict, 'as found by the same check');
    }
    this.#index();
    return { added, kept, removed: [...former.values()].filter(({ key }) => !groups.has(key)) };
  }

  #depart(row: PlacedBackend): void {
    liftEjection(row.poolRow, row.row);
    this.#verdicts.forget(row.number);
  }

  #index(): void {
    this.#byName.clear();
    this.#byRow = new Map();
    for (const check of this.#checks.values()) {
      for (const { number } of check.rows) this.#byRow.set(number, check);
      if (!check.backend.named) continue;
      const known = this.#byName.get(check.backend.host);
      if (known === undefined) this.#byName.set(check.backend.host, [check]);
      else known.push(check);
    }
  }
}

interface Group {
  readonly plan: ProbePlan | null;
  readonly rows: PlacedBackend[];
}

function groupByCheck(placed: readonly PlacedBackend[]): Map<string, Group> {
  const groups = new Map<string, Group>();
  let pool: PoolSpec | null = null;
  let digest = '';
  let plan: ProbePlan | null = null;
  for (const row of placed) {
    if (row.pool !== pool) {
      pool = row.pool;
      digest = digestOf(pool.health);
      plan = planOf(pool.health);
    }
    const key = checkKey(row.backend.address, digest);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { plan, rows: [row] });
    else group.rows.push(row);
  }
  return groups;
}

function planOf(spec: HealthSpec | null): ProbePlan | null {
  if (spec === null) return null;
  const definition = probeDefinition(spec.type);
  if (definition === undefined) throw new Error(`no probe type is called ${spec.type}`);
  return { spec, definition };
}

/** Of checks that now are one and disagreed, none is believed: their rows stay as they are until its first result. */
function inheritedVerdict(rows: readonly PlacedBackend[]): Verdict {
  const verdict = rows[0]?.row.verdict ?? 'unknown';
  return rows.every(({ row }) => row.verdict === verdict) ? verdict : 'unknown';
}
