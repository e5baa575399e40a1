/**
 * What a member has to say to the store, gathered until the next call, and
 * given back by a call that failed. Owned by the tier link, which takes at most
 * one letter at a time. Pure.
 */
import { OPERATOR_ENTRIES_MAX, SUSPICIONS_MAX, type MemberState, type OperatorPut, type StoreAnswer, type StoreCall, type VerdictReport } from '../store/tier-store.ts';
import { StandingReports, type ReportBatch } from './standing-reports.ts';

/** What of a call is said by the member. */
export type Letter = Pick<StoreCall, 'state' | 'record' | 'beside' | 'reports' | 'reportsDigest' | 'suspicions' | 'operatorStates'>;
export type ChosenState = Exclude<MemberState, 'failed'>;

/** Answers in a row that say the standing reports differ, all having been sent again each time: then this side cannot mend it. */
const DIFFERS_MAX = 3;

export class Outbox {
  readonly reports = new StandingReports();
  readonly #puts = new Map<string, OperatorPut>();
  readonly #suspicions = new Set<string>();
  /** Suspicions are few in any period, whatever this member sees: its own eyes may be at fault. */
  #suspicionsLeft = SUSPICIONS_MAX;
  #state: ChosenState = 'joining';
  #stateUnsent = false;
  #recordUnsent = false;
  #beside: string | null = null;
  #besideUnsent = false;
  #differed = 0;

  /** The state that was last asked for. */
  get state(): ChosenState {
    return this.#state;
  }

  /** Something waits that is worth a call before the heartbeat. */
  get isUrgent(): boolean {
    return this.reports.hasUnsent || this.#puts.size > 0 || this.#suspicions.size > 0 || this.#stateUnsent || this.#recordUnsent;
  }

  /** The store has yet to hear some report. */
  get hasReports(): boolean {
    return this.reports.hasUnsent;
  }

  setState(state: ChosenState): void {
    this.#state = state;
    this.#stateUnsent = true;
  }

  recordChanged(): void {
    this.#recordUnsent = true;
  }

  setBeside(beside: string | null): void {
    if (beside === null) return;
    this.#beside = beside;
    this.#besideUnsent = true;
  }

  put(entry: OperatorPut): void {
    this.#puts.set(entry.key, entry);
  }

  report(report: VerdictReport): void {
    this.reports.put(report);
  }

  /** False: it waits already, or too many have been raised. */
  suspect(check: string): boolean {
    if (this.#suspicions.has(check) || !this.maySuspect()) return false;
    this.#suspicions.add(check);
    return true;
  }

  /** Takes one of those that may be raised until the next heartbeat; false: there is none left. */
  maySuspect(): boolean {
    if (this.#suspicionsLeft === 0) return false;
    this.#suspicionsLeft--;
    return true;
  }

  /** Another heartbeat's worth of suspicions may be raised. */
  heartbeat(): void {
    this.#suspicionsLeft = SUSPICIONS_MAX;
  }

  /** While the store is away for long no report goes with a call: what stands is sent when it is back. */
  take(record: string, withReports: boolean): Letter {
    const batch: ReportBatch = withReports ? this.reports.take() : { reports: [], digest: null };
    const letter: Letter = {
      state: this.#stateUnsent ? this.#state : null,
      record: this.#recordUnsent ? record : null,
      beside: this.#besideUnsent ? this.#beside : null,
      reports: batch.reports,
      reportsDigest: batch.digest,
      suspicions: [...this.#suspicions],
      operatorStates: this.#takePuts(),
    };
    this.#stateUnsent = this.#recordUnsent = this.#besideUnsent = false;
    this.#suspicions.clear();
    return letter;
  }

  /** Suspicions are not given back: by then they are old. */
  putBack(letter: Letter): void {
    this.reports.putBack({ reports: letter.reports, digest: null });
    for (const entry of letter.operatorStates) if (!this.#puts.has(entry.key)) this.#puts.set(entry.key, entry);
    if (letter.state !== null) this.#stateUnsent = true;
    if (letter.record !== null) this.#recordUnsent = true;
    if (letter.beside !== null) this.#besideUnsent = true;
  }

  /** False: the store's reports of this incarnation cannot be mended by sending them again. */
  answered(letter: Letter, { reportsDiffer, state }: Pick<StoreAnswer, 'reportsDiffer' | 'state'>): boolean {
    this.reports.answered({ reports: letter.reports, digest: letter.reportsDigest });
    // `failed` is reached by another way, and left by asking anew.
    if (state !== 'failed' && state !== this.#state) this.#stateUnsent = true;
    if (letter.reportsDigest === null) return true;
    this.#differed = reportsDiffer ? this.#differed + 1 : 0;
    if (reportsDiffer) this.reports.sendAgain();
    return this.#differed <= DIFFERS_MAX;
  }

  /** A break: whatever the store had of this member may be gone. */
  sayAgain(): void {
    this.#besideUnsent = this.#beside !== null;
    this.reports.sendAgain();
  }

  /** A new incarnation: the store knows its record and nothing else. */
  startAnew(): void {
    this.#stateUnsent = this.#state !== 'joining';
    this.#recordUnsent = false;
    this.#besideUnsent = this.#beside !== null;
    this.#differed = 0;
    this.reports.startAnew();
  }

  #takePuts(): OperatorPut[] {
    const taken: OperatorPut[] = [];
    for (const [key, entry] of this.#puts) {
      if (taken.length === OPERATOR_ENTRIES_MAX) break;
      taken.push(entry);
      this.#puts.delete(key);
    }
    return taken;
  }
}
