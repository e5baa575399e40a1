/** A tier of one without a store: what is reported is the verdict a moment later, all checks are this member's. */
import type { Clock } from '../../src/base/clock.ts';
import type { DutyRoster } from '../../src/control-plane/health/duty.ts';
import type { LinkState, Member, Membership, MembershipEvents } from '../../src/control-plane/membership/membership.ts';
import type { OperatorPut, TierStore, VerdictReport } from '../../src/control-plane/store/tier-store.ts';

export class LoneMembership implements Membership {
  readonly id: string = 'a';
  readonly incarnation: string = 'first';
  readonly steadyMs = 0;
  readonly members = new Map<string, Member>();
  readonly leader = null;
  readonly run = 'run';
  readonly config = null;
  leads = true;
  state: LinkState = { phase: 'connected', reason: '' };
  readyCount = 1;
  besideSource = (): string | null => null;
  readonly reports: VerdictReport[] = [];
  readonly suspicions: string[] = [];
  readonly operatorPuts: OperatorPut[] = [];
  /** False: reports are heard, and change nothing. */
  answers = true;
  events: Pick<MembershipEvents, 'onVerdict'> = { onVerdict: () => undefined };
  place: (check: string) => { readonly index: number; readonly of: number } | null = () => ({ index: 0, of: 1 });
  readonly roster: DutyRoster = { add: (check) => this.place(check), remove: () => undefined, setCandidates: () => [] };
  readonly forgotten: string[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get store(): TierStore {
    return {
      forget: (_caller: unknown, checks: readonly string[]) => {
        this.forgotten.push(...checks);
        for (const check of checks) queueMicrotask(() => this.events.onVerdict(check, null));
        return Promise.resolve(true);
      },
    } as unknown as TierStore;
  }

  addMember(id: string): void {
    const record = { zone: '', addresses: [], sinceMs: 0, software: 'x', protocol: 1, reason: '', history: '' };
    this.members.set(id, { id, incarnation: `${id}-1`, state: 'ready', readySinceMs: 1, record });
  }

  tierMs(): number {
    return this.#clock.monotonicMs() + 1;
  }

  report(report: VerdictReport): void {
    this.reports.push(report);
    const { check, verdict, reason, atMs } = report;
    if (verdict !== null && this.answers) queueMicrotask(() => this.events.onVerdict(check, { check, verdict, reason, atMs, by: [this.id] }));
  }

  suspect(check: string): void {
    this.suspicions.push(check);
  }
  putOperatorState(entry: OperatorPut): void {
    this.operatorPuts.push(entry);
  }
  setState(): void {}
  setRecord(): void {}
  hurry(): void {}
  rejoin(): void {}
  caller(): { member: string; incarnation: string } {
    return { member: this.id, incarnation: this.incarnation };
  }
  stop(): Promise<void> {
    return Promise.resolve();
  }
}
