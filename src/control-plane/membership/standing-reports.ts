/**
 * What this member has concluded about checks and stands by, and which part of
 * it the store has yet to hear. Reports are owned here: whatever the store
 * loses is sent again from this. Withdrawals are remembered for a while, since
 * a store that lost one still counts the report it withdrew. Pure.
 */
import { entryHash, type VerdictReport } from '../store/tier-store.ts';

/**
 * Reports that one call says. The store takes more (REPORTS_MAX), but does nothing else meanwhile: 500 that change as
 * many verdicts hold a busy Redis for 25 ms, and whoever calls in that time waits.
 */
export const REPORTS_AT_ONCE = 125;

/** Withdrawals that are remembered. */
const WITHDRAWN_MAX = 10_000;

export interface ReportBatch {
  readonly reports: readonly VerdictReport[];
  /** null: more follow in the next call. */
  readonly digest: number | null;
}

export class StandingReports {
  readonly #standing = new Map<string, VerdictReport>();
  /** Oldest first. */
  readonly #unsent = new Map<string, VerdictReport>();
  readonly #withdrawn = new Map<string, VerdictReport>();
  /** Checks the store may hold a report of this incarnation on. */
  readonly #said = new Set<string>();
  #digest = 0;

  get hasUnsent(): boolean {
    return this.#unsent.size > 0;
  }

  standing(): Iterable<VerdictReport> {
    return this.#standing.values();
  }

  put(report: VerdictReport): void {
    const { check } = report;
    const former = this.#standing.get(check);
    if (former !== undefined) this.#digest = (this.#digest - hashOf(former)) >>> 0;
    this.#unsent.delete(check);
    if (report.verdict === null) {
      this.#standing.delete(check);
      // Nobody need hear that what was never said no longer holds.
      if (this.#said.has(check)) this.#unsent.set(check, report);
      return;
    }
    this.#standing.set(check, report);
    this.#withdrawn.delete(check);
    this.#digest = (this.#digest + hashOf(report)) >>> 0;
    this.#unsent.set(check, report);
  }

  /** What the next call says; to be handed back if it fails. */
  take(): ReportBatch {
    const reports: VerdictReport[] = [];
    for (const [check, report] of this.#unsent) {
      if (reports.length === REPORTS_AT_ONCE) break;
      reports.push(report);
      this.#unsent.delete(check);
      this.#said.add(check);
    }
    return { reports, digest: this.#unsent.size === 0 ? this.#digest : null };
  }

  /** Something said since then is newer and stays. */
  putBack({ reports }: ReportBatch): void {
    for (const report of reports) {
      const isOvertaken = this.#unsent.has(report.check) || (report.verdict === null) === this.#standing.has(report.check);
      if (!isOvertaken) this.#unsent.set(report.check, report);
    }
  }

  answered({ reports }: ReportBatch): void {
    for (const report of reports) {
      if (report.verdict !== null || this.#standing.has(report.check)) continue;
      this.#said.delete(report.check);
      this.#withdrawn.set(report.check, report);
    }
    for (const check of this.#withdrawn.keys()) {
      if (this.#withdrawn.size <= WITHDRAWN_MAX) break;
      this.#withdrawn.delete(check);
    }
  }

  /** All that stands, and what no longer does. */
  sendAgain(): void {
    for (const [check, report] of this.#withdrawn) if (!this.#standing.has(check)) this.#unsent.set(check, report);
    for (const [check, report] of this.#standing) this.#unsent.set(check, report);
  }

  /** A new incarnation: the store has no report of it. */
  startAnew(): void {
    this.#said.clear();
    this.#withdrawn.clear();
    for (const [check, { verdict }] of this.#unsent) if (verdict === null) this.#unsent.delete(check);
    this.sendAgain();
  }
}

function hashOf({ check, verdict }: VerdictReport): number {
  return entryHash(check, verdict ?? '');
}
