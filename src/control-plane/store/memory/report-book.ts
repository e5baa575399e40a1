/**
 * Standing reports and the verdicts made of them, in the memory store: who said
 * what of a check, and when that is enough (see "Verdicts" in tier-store.ts).
 * Held by tier-state.ts; a report costs as much as its check has reporters.
 */
import { parseVerdict, verdictText } from '../entry-texts.ts';
import { entryHash, type VerdictReport } from '../tier-store.ts';
import type { LivingMember, MemberBook } from './member-book.ts';
import { TextTable } from './text-table.ts';

interface StandingReport {
  readonly incarnation: string;
  readonly verdict: 'up' | 'down';
  readonly atMs: number;
  readonly reason: string;
  readonly hash: number;
}

/** A verdict that has just changed. */
export interface VerdictChange {
  readonly check: string;
  readonly from: 'up' | 'down' | null;
  readonly to: 'up' | 'down';
  /** All that stood then, by member. */
  readonly who: readonly (readonly [member: string, verdict: string, reason: string])[];
}

export class ReportBook {
  /** By check, then member. */
  #standing = new Map<string, Map<string, StandingReport>>();
  verdicts = new TextTable();

  copy(): ReportBook {
    const copy = new ReportBook();
    copy.#standing = new Map([...this.#standing].map(([check, reports]) => [check, new Map(reports)]));
    copy.verdicts = this.verdicts.copy();
    return copy;
  }

  /** Null: no verdict changed. */
  take(by: LivingMember, report: VerdictReport, members: MemberBook, probers: number): VerdictChange | null {
    const reports = this.#standing.get(report.check) ?? new Map<string, StandingReport>();
    for (const [member, { incarnation }] of reports) {
      if (members.living({ member, incarnation }) === null) reports.delete(member);
    }
    this.#withdraw(by, reports);
    if (report.verdict === null) {
      if (reports.size === 0) this.#standing.delete(report.check);
      return null;
    }
    const hash = entryHash(report.check, report.verdict);
    reports.set(by.member, { incarnation: by.incarnation, verdict: report.verdict, atMs: report.atMs, reason: report.reason, hash });
    by.reportsDigest = (by.reportsDigest + hash) >>> 0;
    this.#standing.set(report.check, reports);
    return this.#judge({ ...report, verdict: report.verdict }, reports, quorum(members.readyCount, probers));
  }

  /** Both its verdict and its reports. */
  forget(check: string, members: MemberBook): void {
    for (const [member, { incarnation }] of this.#standing.get(check) ?? []) {
      const by = members.living({ member, incarnation });
      if (by !== null) this.#withdraw(by, this.#standing.get(check)!);
    }
    this.#standing.delete(check);
    this.verdicts.remove(check);
  }

  /** Those of living incarnations, as `TierStore.reports` gives them. */
  of(check: string, members: MemberBook): ReadonlyMap<string, string> {
    const living = [...(this.#standing.get(check) ?? [])].filter(([member, { incarnation }]) => members.living({ member, incarnation }) !== null);
    return new Map(living.sort(byMember).map(([member, { verdict, atMs, reason }]) => [member, `${verdict} ${atMs} ${reason}`]));
  }

  #withdraw(by: LivingMember, reports: Map<string, StandingReport>): void {
    const former = reports.get(by.member);
    if (former === undefined) return;
    by.reportsDigest = (by.reportsDigest - former.hash) >>> 0;
    reports.delete(by.member);
  }

  #judge(report: VerdictReport & { verdict: 'up' | 'down' }, reports: ReadonlyMap<string, StandingReport>, q: number): VerdictChange | null {
    const { check, verdict, atMs, reason } = report;
    const text = this.verdicts.get(check);
    // An entry that does not parse is missing.
    const entry = text === undefined ? null : parseVerdict(check, text);
    if (entry?.verdict === verdict) return null;
    const standing = [...reports].sort(byMember);
    const by = standing.filter(([, other]) => other.verdict === verdict).map(([member]) => member);
    if (entry !== null && by.length < q) return null;
    this.verdicts.set(check, verdictText({ verdict, atMs, by, reason }));
    return { check, from: entry?.verdict ?? null, to: verdict, who: standing.map(([member, other]) => [member, other.verdict, other.reason]) };
  }
}

function quorum(ready: number, probers: number): number {
  const k = Math.max(1, Math.min(probers, ready));
  return Math.floor(k / 2) + 1;
}

function byMember([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : Number(a > b);
}
