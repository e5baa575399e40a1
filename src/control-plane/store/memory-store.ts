/**
 * `none`: the store of a tier of one, in this process's memory. It answers at
 * once and is empty at each start; operator states come back from the state
 * directory.
 */
import { randomUUID } from 'node:crypto';
import { assert } from '../../base/assert.ts';
import { EpochTable } from './epoch-table.ts';
import { operatorKey, REPORTS_MAX, type OperatorEntry, type Store, type StoreAnswer, type StoreCall, type StoreDefinition, type VerdictEntry, type VerdictReport } from './store.ts';

export const memoryStore: StoreDefinition = {
  name: 'memory',
  summary: 'Keeps what a proxy without a tier knows, in its own memory.',
  accepts: (url) => url === 'none',
  open: () => new MemoryStore(),
};

export class MemoryStore implements Store {
  readonly #run = randomUUID();
  readonly #verdicts = new EpochTable<VerdictEntry>();
  readonly #operatorStates = new EpochTable<OperatorEntry>();
  /** Standing reports: by check, then by member. */
  readonly #reports = new Map<string, Map<string, VerdictReport>>();
  readonly #lastNumbers = new Map<string, number>();
  readonly #listeners = new Set<() => void>();

  // Not async in earnest: the answer is ready in the same turn, and still comes as the promise the contract wants.
  call(call: StoreCall): Promise<StoreAnswer> {
    assert(call.reports.length <= REPORTS_MAX && call.operatorStates.length <= REPORTS_MAX, 'a call carries too much');
    if (call.number > (this.#lastNumbers.get(call.member) ?? -1)) {
      this.#lastNumbers.set(call.member, call.number);
      for (const report of call.reports) this.#take(call.member, report);
      for (const entry of call.operatorStates) this.#takeOperatorState(entry);
      if (call.reports.length + call.operatorStates.length > 0) for (const listener of this.#listeners) listener();
    }
    const have = call.have?.run === this.#run ? call.have : null;
    return Promise.resolve({
      run: this.#run,
      verdicts: this.#verdicts.changesSince(have?.verdicts ?? null),
      operatorStates: this.#operatorStates.changesSince(have?.operatorStates ?? null),
    });
  }

  subscribe(onChange: () => void): () => void {
    this.#listeners.add(onChange);
    return () => this.#listeners.delete(onChange);
  }

  close(): Promise<void> {
    this.#listeners.clear();
    return Promise.resolve();
  }

  #take(member: string, report: VerdictReport): void {
    const reports = this.#reports.get(report.check) ?? new Map<string, VerdictReport>();
    if (report.verdict === null) reports.delete(member);
    else reports.set(member, report);
    if (reports.size === 0) {
      this.#reports.delete(report.check);
      this.#verdicts.set(report.check, null);
      return;
    }
    this.#reports.set(report.check, reports);
    if (report.verdict !== null) this.#judge(report, reports);
  }

  /** A verdict changes only on a report, and only to what more than half of the standing reports say. */
  #judge({ check, verdict, reason, atMs }: VerdictReport, reports: ReadonlyMap<string, VerdictReport>): void {
    assert(verdict !== null, 'a withdrawal is no vote');
    if (this.#verdicts.get(check)?.verdict === verdict) return;
    const agreeing = [...reports.values()].filter((report) => report.verdict === verdict).length;
    if (agreeing * 2 > reports.size) this.#verdicts.set(check, { check, verdict, reason, atMs });
  }

  #takeOperatorState(entry: OperatorEntry): void {
    const key = operatorKey(entry.pool, entry.address);
    const former = this.#operatorStates.get(key);
    if (former !== undefined && !isNewer(entry, former)) return;
    this.#operatorStates.set(key, entry);
  }
}

function isNewer(entry: OperatorEntry, former: OperatorEntry): boolean {
  return entry.stampMs === former.stampMs ? entry.by > former.by : entry.stampMs > former.stampMs;
}
