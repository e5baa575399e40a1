/**
 * Which checks a snapshot asks for, and what becomes of those there were. A
 * check whose key stays keeps everything. A new one takes the tier's verdict; if
 * there is none, a changed one inherits its address's, and a backend new to the
 * config is `unknown` until its first result, even if its row still remembers
 * an earlier life. So is one whose pool asks for a role from now on: that it was
 * up says nothing of its role.
 */
import type { SlicedWork } from '../../base/clock.ts';
import type { Verdict } from '../../shared/backend-table.ts';
import { liftEjection } from '../../shared/ejections.ts';
import { isRolePool, type PoolSpec } from '../../shared/snapshot.ts';
import type { VerdictEntry } from '../store/entry-texts.ts';
import { BACKENDS_PER_TURN, type PlacedBackend } from '../backend-rows.ts';
import { CheckIdentities, checkKey, differHidden, type AskedCheck, type ProbePlan } from './check-identity.ts';
import { Check, type AskedRow, type CheckRow } from './check.ts';
import type { Verdicts } from './verdicts.ts';

export interface CheckChanges {
  readonly added: readonly Check[];
  readonly kept: readonly Check[];
  /** Those of `kept` that are probed with another secret now. */
  readonly renewed: readonly Check[];
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

  /** In the order of the pool's `health`. */
  ofRow(rowNumber: number): readonly CheckRow[] {
    return this.#index.byRow.get(rowNumber) ?? [];
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
      if (isNew(row, formerRows.get(row.number))) this.#verdicts.introduce(row);
      if (next.rows.size % BACKENDS_PER_TURN === 0) yield;
    }

    const added: Check[] = [];
    const kept: Check[] = [];
    const renewed: Check[] = [];
    const grounds = new Map<Check, VerdictEntry>();
    for (const [key, group] of groups) {
      const known = former.get(key);
      const check = known ?? new Check(key, group.rows[0]!.backend, group.plan);
      (known === undefined ? added : kept).push(check);
      if (renew(check, group.plan)) renewed.push(check);
      // Nobody probes what is disabled, so what the tier may still hold of it is no news.
      const ofTier = group.rows.every(({ row }) => row.state === 'disabled') ? undefined : this.#ofTier.get(key);
      if (known === undefined) check.restart(ofTier?.verdict ?? this.#inherited(group.rows.filter((row) => !isNew(row, formerRows.get(row.number))), groups));
      if (ofTier !== undefined) grounds.set(check, ofTier);
      check.replaceRows(group.rows);
      next.add(check);
      if (next.checks.size % BACKENDS_PER_TURN === 0) yield;
    }
    yield* this.#settle(next, grounds);
    this.#unlearn(next, formerRows);
    this.#index = next;
    for (const [number, row] of formerRows) if (!next.rows.has(number)) this.#depart(row);
    return { added, kept, renewed, removed: [...former.values()].filter(({ key }) => !groups.has(key)) };
  }

  /** Former checks went on until now: what they found meanwhile says nothing of a role either. */
  #unlearn(next: CheckIndex, formerRows: ReadonlyMap<number, PlacedBackend>): void {
    for (const row of next.rows.values()) {
      const former = formerRows.get(row.number);
      if (former === undefined || !isNew(row, former) || row.row.verdict !== 'up') continue;
      if (next.byRow.get(row.number)!.some(({ check }) => check.verdict !== 'up')) this.#verdicts.introduce(row);
    }
  }

  /** Rows get their verdicts once all of their checks are known. */
  *#settle(next: CheckIndex, grounds: ReadonlyMap<Check, VerdictEntry>): SlicedWork {
    let count = 0;
    for (const check of next.checks.values()) {
      for (const row of check.rows) row.peers = next.byRow.get(row.number)!;
      if (check.verdict !== 'unknown') check.ground = grounds.get(check) ?? { reason: 'as found by the same check' };
      if (++count % BACKENDS_PER_TURN === 0) yield;
    }
    for (const check of next.checks.values()) {
      if (check.verdict !== 'unknown') this.#verdicts.give(check, check.ground);
      if (++count % BACKENDS_PER_TURN === 0) yield;
    }
  }

  /**
   * Of checks that now are one and disagreed, none is believed: their rows stay
   * as they are until its first result. Neither is what another check explains,
   * which stays: its own part may have been well.
   */
  #inherited(rows: readonly PlacedBackend[], groups: ReadonlyMap<string, Group>): Verdict {
    const verdict = rows[0]?.row.verdict ?? 'unknown';
    if (!rows.every(({ row }) => row.verdict === verdict)) return 'unknown';
    const isExplained = verdict === 'down' && rows.every(({ number }) => this.ofRow(number).some(({ check }) => check.verdict === 'down' && groups.has(check.key)));
    return isExplained ? 'unknown' : verdict;
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
  readonly byRow = new Map<number, CheckRow[]>();
  readonly byName = new Map<string, Check[]>();

  add(check: Check): void {
    this.checks.set(check.key, check);
    for (const row of check.rows) {
      const peers = this.byRow.get(row.number);
      if (peers === undefined) this.byRow.set(row.number, [row]);
      else peers.splice(peers.findLastIndex(({ place }) => place < row.place) + 1, 0, row);
    }
    if (!check.backend.named) return;
    const known = this.byName.get(check.backend.host);
    if (known === undefined) this.byName.set(check.backend.host, [check]);
    else known.push(check);
  }
}

interface Group {
  readonly plan: ProbePlan | null;
  readonly rows: AskedRow[];
}

function* groupByCheck(placed: readonly PlacedBackend[]): SlicedWork<Map<string, Group>> {
  const groups = new Map<string, Group>();
  const identities = new CheckIdentities();
  let pool: PoolSpec | null = null;
  let asked: readonly AskedCheck[] = [];
  let count = 0;
  for (const row of placed) {
    if (++count % BACKENDS_PER_TURN === 0) yield;
    if (row.pool !== pool) {
      pool = row.pool;
      asked = identities.of(pool);
    }
    for (const { plan, digest, place, label } of asked) {
      const key = checkKey(row.backend.address, digest);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { plan, rows: [{ ...row, place, label }] });
      else group.rows.push({ ...row, place, label });
    }
  }
  return groups;
}

/** Whether nothing that is known of a row says what its pool asks. */
function isNew(row: PlacedBackend, former: PlacedBackend | undefined): boolean {
  return former === undefined || (isRolePool(row.pool) && !isRolePool(former.pool));
}

/** Whether a check that stays is probed with another secret, or another certificate of ours. */
function renew(check: Check, plan: ProbePlan | null): boolean {
  if (check.plan === null || plan === null || !differHidden(check.plan, plan)) return false;
  check.plan = plan;
  return true;
}
