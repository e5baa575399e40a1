/**
 * Which checks a snapshot asks for, and what becomes of those there were. A
 * check whose key stays keeps everything. A new one takes the tier's verdict; if
 * there is none, a changed one inherits its address's, and a backend new to the
 * config is `unknown` until its first result, even if its row still remembers
 * an earlier life.
 */
import type { SlicedWork } from '../../base/clock.ts';
import type { Verdict } from '../../shared/backend-table.ts';
import { liftEjection } from '../../shared/ejections.ts';
import type { HealthSpec, PoolSpec } from '../../shared/snapshot.ts';
import type { VerdictEntry } from '../store/entry-texts.ts';
import { BACKENDS_PER_TURN, type PlacedBackend } from '../backend-rows.ts';
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
  /** What the tier holds, by check, whether or not a config here asks for it. */
  readonly #ofTier: ReadonlyMap<string, VerdictEntry>;
  #index = new CheckIndex();

  constructor(verdicts: Verdicts, ofTier: ReadonlyMap<string, VerdictEntry>) {
    this.#verdicts = verdicts;
    this.#ofTier = ofTier;
  }

  get(key: string): Check | undefined {
    return this.#index.checks.get(key);
  }

  values(): Iterable<Check> {
    return this.#index.checks.values();
  }

  /** Checks of backends given by this name. */
  named(name: string): readonly Check[] {
    return this.#index.byName.get(name) ?? [];
  }

  ofRow(rowNumber: number): Check | undefined {
    return this.#index.byRow.get(rowNumber);
  }

  /**
   * Built aside, a slice at a time, and swapped in at the end: until then
   * whoever asks sees the former checks. Checks that stay take their new rows
   * meanwhile, of which no worker runs any yet.
   */
  *apply(placed: readonly PlacedBackend[]): SlicedWork<CheckChanges> {
    const groups = yield* groupByCheck(placed);
    const { checks: former, rows: formerRows } = this.#index;
    const next = new CheckIndex();
    for (const row of placed) {
      next.rows.set(row.number, row);
      if (!formerRows.has(row.number)) this.#verdicts.introduce(row);
      if (next.rows.size % BACKENDS_PER_TURN === 0) yield;
    }

    const added: Check[] = [];
    const kept: Check[] = [];
    for (const [key, group] of groups) {
      const known = former.get(key);
      const check = known ?? new Check(key, group.rows[0]!.backend, group.plan);
      (known === undefined ? added : kept).push(check);
      // Nobody probes what is disabled, so what the tier may still hold of it is no news.
      const ofTier = group.rows.every(({ row }) => row.state === 'disabled') ? undefined : this.#ofTier.get(key);
      if (known === undefined) check.restart(ofTier?.verdict ?? inheritedVerdict(group.rows.filter(({ number }) => formerRows.has(number))));
      check.replaceRows(group.rows);
      next.add(check);
      if (check.verdict !== 'unknown') this.#verdicts.give(check.rows, check.verdict, ofTier ?? { reason: 'as found by the same check' });
      if (next.checks.size % BACKENDS_PER_TURN === 0) yield;
    }
    this.#index = next;
    for (const [number, row] of formerRows) if (!next.rows.has(number)) this.#depart(row);
    return { added, kept, removed: [...former.values()].filter(({ key }) => !groups.has(key)) };
  }

  #depart(row: PlacedBackend): void {
    liftEjection(row.poolRow, row.row);
    this.#verdicts.forget(row.number);
  }
}

/** The checks of one config, by what they are asked for. */
class CheckIndex {
  readonly checks = new Map<string, Check>();
  readonly rows = new Map<number, PlacedBackend>();
  readonly byRow = new Map<number, Check>();
  readonly byName = new Map<string, Check[]>();

  add(check: Check): void {
    this.checks.set(check.key, check);
    for (const { number } of check.rows) this.byRow.set(number, check);
    if (!check.backend.named) return;
    const known = this.byName.get(check.backend.host);
    if (known === undefined) this.byName.set(check.backend.host, [check]);
    else known.push(check);
  }
}

interface Group {
  readonly plan: ProbePlan | null;
  readonly rows: PlacedBackend[];
}

function* groupByCheck(placed: readonly PlacedBackend[]): SlicedWork<Map<string, Group>> {
  const groups = new Map<string, Group>();
  let pool: PoolSpec | null = null;
  let digest = '';
  let plan: ProbePlan | null = null;
  let count = 0;
  for (const row of placed) {
    if (++count % BACKENDS_PER_TURN === 0) yield;
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
