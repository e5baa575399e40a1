/**
 * This proxy's side of the tier: it joins, keeps its lease by heartbeats, says
 * what there is to say and hands on what it reads. One numbered call is in
 * flight at a time, and nothing else waits for any of them. Whatever the store
 * does is one of: a good answer; a refusal to let this proxy join; away.
 *
 *   joining     no good answer yet, or the first tables are being read
 *   connected   the store's word holds
 *   settling    it answers again after a break (`rebuilt`, `rewound`), under a
 *               new incarnation or after autonomy: hand-over (tier-reader.ts)
 *   autonomous  no good answer for a lease, or it may not join: own reports
 *               are the verdicts, and none is sent
 *
 * On leaving autonomy onState(`settling`) comes before any report is sent, so
 * that a prober can withdraw what is not its to say. The process makes one and
 * hands it to health, rollout and admin. It does not close the store.
 */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Log } from '../../observe/log.ts';
import { PROTOCOL, type ConfigState, type Leader, type OperatorPut, type TierStore, type VerdictReport } from '../store/tier-store.ts';
import { LinkPhases } from './link-phase.ts';
import type { LinkPhase, LinkState, Member, MemberRecord, Membership, MembershipEvents } from './membership.ts';
import { Outbox, type ChosenState } from './outbox.ts';
import { TierCalls } from './tier-calls.ts';
import { TierClock } from './tier-clock.ts';
import { TierReader } from './tier-reader.ts';
import { isOneLine, isPut, wellFormed } from './well-formed.ts';

export interface TierLinkOptions {
  readonly store: TierStore;
  /** `--node`. */
  readonly id: string;
  /** The incarnation that the disk names; null: none. */
  readonly previousIncarnation: string | null;
  /** History of the config it has committed, asked at each join; null: none. */
  readonly history: () => string | null;
  readonly clock: Clock;
  readonly random: Random;
  /** Of the running config. */
  readonly timing: () => { readonly heartbeatMs: number; readonly leaseMs: number; readonly probers: number };
  readonly record: Pick<MemberRecord, 'zone' | 'addresses' | 'software' | 'sinceMs'>;
  readonly events: MembershipEvents;
  readonly log: Pick<Log, 'warn' | 'error'>;
  /** To be written to the disk, so that a restart can name it. */
  readonly onJoined?: (incarnation: string) => void;
  /** Absent: as random as can be. */
  readonly newIncarnation?: () => string;
}

export class TierLink implements Membership {
  besideSource: (watched: readonly string[]) => string | null = () => null;
  readonly #options: TierLinkOptions;
  readonly #tierClock: TierClock;
  readonly #phases: LinkPhases;
  readonly #outbox = new Outbox();
  readonly #reader: TierReader;
  readonly #calls: TierCalls;
  #record: MemberRecord;

  constructor(options: TierLinkOptions) {
    const { clock, random, events, log, id } = options;
    this.#options = options;
    this.#record = { ...options.record, protocol: PROTOCOL, reason: '', history: '' };
    this.#tierClock = new TierClock(clock);
    const leaseMs = (): number => this.#leaseMs;
    this.#phases = new LinkPhases({ clock, leaseMs, onChange: (state, former) => this.#phaseChanged(state, former) });
    this.#reader = new TierReader({ id, clock, random, leaseMs, tierMs: () => this.tierMs(), events, log, phases: this.#phases, outbox: this.#outbox });
    this.#calls = new TierCalls(options, {
      phases: this.#phases,
      outbox: this.#outbox,
      reader: this.#reader,
      tierClock: this.#tierClock,
      record: () => this.#recordText,
      beside: (watched) => this.besideSource(watched),
    });
  }

  get id(): string {
    return this.#options.id;
  }

  get incarnation(): string {
    return this.#calls.incarnation;
  }

  get state(): LinkState {
    return this.#phases.state;
  }

  get steadyMs(): number {
    return this.#phases.steadyMs;
  }

  get members(): ReadonlyMap<string, Member> {
    return this.#reader.members.members;
  }

  get readyCount(): number {
    return this.#reader.members.readyCount;
  }

  get leader(): Leader | null {
    return this.#calls.leader;
  }

  get run(): string | null {
    return this.#reader.run;
  }

  get config(): ConfigState | null {
    return this.#reader.config;
  }

  get leads(): boolean {
    return this.#calls.isJoined && this.#phases.phase !== 'autonomous' && this.leader?.incarnation === this.incarnation;
  }

  get store(): TierStore {
    return this.#options.store;
  }

  /** Monotonic time at which the last call that was answered well was sent: the lease is held for `leaseMs` from then at least. */
  get answeredSentMs(): number {
    return this.#calls.answeredSentMs;
  }

  caller(): { readonly member: string; readonly incarnation: string } {
    return this.#calls.caller();
  }

  tierMs(): number {
    return this.#tierClock.now();
  }

  report(report: VerdictReport): void {
    if (!isOneLine(report.check)) return this.#options.log.error('a report names no check', { check: report.check });
    const formed = wellFormed(report);
    this.#outbox.report(formed);
    if (this.#phases.phase === 'autonomous') return this.#handBack(formed);
    if (this.#phases.phase === 'settling') this.#reader.conclude(formed);
    this.#calls.now();
  }

  suspect(check: string): void {
    if (!isOneLine(check)) return;
    if (this.#phases.phase === 'autonomous') {
      if (this.#outbox.maySuspect()) this.#options.events.onSuspicions([check]);
    } else if (this.#outbox.suspect(check)) this.#calls.now();
  }

  putOperatorState(entry: OperatorPut): void {
    if (!isPut(entry)) return this.#options.log.error('an operator entry is not well formed', { key: entry.key });
    if (!this.#reader.view.say(entry)) return;
    this.#outbox.put(entry);
    if (this.#phases.phase === 'autonomous') this.#options.events.onOperatorState(entry.key, entry.text);
    this.#calls.now();
  }

  setState(state: ChosenState): void {
    this.#outbox.setState(state);
    this.#calls.now();
  }

  setRecord(record: Partial<MemberRecord>): void {
    const former = this.#recordText;
    this.#record = { ...this.#record, ...record };
    if (this.#recordText === former) return;
    this.#outbox.recordChanged();
    this.#calls.now();
  }

  hurry(): void {
    this.#calls.now();
  }

  rejoin(): void {
    this.#calls.rejoin();
  }

  async stop(): Promise<void> {
    this.#phases.stop();
    this.#reader.stop();
    await this.#calls.stop();
  }

  get #leaseMs(): number {
    return this.#options.timing().leaseMs;
  }

  get #recordText(): string {
    return JSON.stringify({ ...this.#record, history: this.#options.history() ?? '' });
  }

  #phaseChanged(state: LinkState, former: LinkPhase): void {
    this.#options.events.onState(state);
    if (state.phase !== 'autonomous' || former === 'autonomous') return;
    for (const report of this.#outbox.reports.standing()) this.#handBack(report);
  }

  /** Autonomous, this proxy's own conclusions are the verdicts. */
  #handBack({ check, verdict, reason, atMs }: VerdictReport): void {
    this.#options.events.onVerdict(check, verdict === null ? null : { check, verdict, reason, atMs, by: [this.#options.id] });
  }
}
