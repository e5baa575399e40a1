/**
 * All that a tier leaves in the memory store, and the steps on it, by the rules
 * of tier-store.ts. Held by TierMemoryStore, which calls `begin` before each
 * step and `takeHint` after it, and has seen to it that what is passed in is
 * well formed.
 */
import {
  EXPIRED_PER_CALL_MAX,
  JOIN_EVERY_MS,
  RETURNED_LEASES,
  type Caller,
  type JoinAnswer,
  type JoinCall,
  type Leader,
  type LimitAsk,
  type LogEntry,
  type OperatorPut,
  type PublishAnswer,
  type PublishCall,
  type ReadUpTo,
  type RestoreAnswer,
  type RestoreCall,
  type RolloutStep,
  type StepAnswer,
  type StoreAnswer,
  type StoreCall,
  type StoreHint,
  type TableChanges,
  type Vote,
} from '../tier-store.ts';
import { TICKETS_KEY, ticketsSha, type TicketPut, type TicketPutAnswer } from '../ticket-records.ts';
import type { RoleAck, RoleAdmission, RoleAdmissionAnswer, RoleMove, RoleMoveAnswer, RoleRecord } from '../role-records.ts';
import { ConfigBook, type ConfigChange } from './config-book.ts';
import { EventBook } from './event-book.ts';
import { HintBox, type HintSources } from './hint-box.ts';
import { MemberBook, type LivingMember } from './member-book.ts';
import { ReportBook } from './report-book.ts';
import { RoleBook } from './role-book.ts';
import { AnswerBudget, TextTable } from './text-table.ts';
import { TierTime } from './tier-time.ts';
import { TokenBuckets } from './token-buckets.ts';
import { WatchedPools } from './watched-pools.ts';

/** No proxy is told to wait longer for its turn to join, however many were told before it. */
const JOIN_WAIT_MAX_MS = 10_000;

const NOTHING: TableChanges = { whole: false, entries: [], epoch: 0, more: false, count: 0, digest: 0 };

export class TierState {
  readonly run: string;
  #time = new TierTime();
  #wallMs = 0;
  #members = new MemberBook();
  #reports = new ReportBook();
  #roles = new RoleBook();
  #operatorStates = new TextTable();
  #config = new ConfigBook();
  #events = new EventBook();
  #hints = new HintBox();
  #buckets = new TokenBuckets();
  #watched = new WatchedPools();
  /** Tier time at which a lease expired last. */
  #lastExpiryMs = Number.NEGATIVE_INFINITY;
  /** Tier time at which one who knows the tier from before it was emptied called or joined last. */
  #returnedMs = Number.NEGATIVE_INFINITY;
  #leader: Leader | null = null;
  /** 0: nobody has joined yet. */
  #protocol = 0;
  #lastJoinMs = -JOIN_EVERY_MS;
  /** The turn given to the last who had to wait. */
  #lastTurnMs = -JOIN_EVERY_MS;
  #due: StoreHint | null = null;

  constructor(run: string) {
    this.run = run;
  }

  copy(): TierState {
    const copy = new TierState(this.run);
    copy.#time = this.#time.copy();
    copy.#wallMs = this.#wallMs;
    copy.#members = this.#members.copy();
    copy.#reports = this.#reports.copy();
    copy.#roles = this.#roles.copy();
    copy.#lastExpiryMs = this.#lastExpiryMs;
    copy.#returnedMs = this.#returnedMs;
    copy.#operatorStates = this.#operatorStates.copy();
    copy.#config = this.#config.copy();
    copy.#events = this.#events.copy();
    copy.#hints = this.#hints.copy();
    copy.#buckets = this.#buckets.copy();
    copy.#watched = this.#watched.copy();
    copy.#leader = this.#leader;
    copy.#protocol = this.#protocol;
    copy.#lastJoinMs = this.#lastJoinMs;
    copy.#lastTurnMs = this.#lastTurnMs;
    return copy;
  }

  /** `clockMs` and `wallMs`: what the store's clocks say. `leaseMs` null: the step does not name it. */
  begin(clockMs: number, wallMs: number, leaseMs: number | null): void {
    this.#time.advance(clockMs, leaseMs);
    this.#wallMs = Math.floor(wallMs);
  }

  /** The message that the step just taken sends, once. */
  takeHint(): StoreHint | null {
    const hint = this.#due;
    this.#due = null;
    return hint;
  }

  call(call: StoreCall): StoreAnswer {
    const held = this.#present(call);
    if (held === null) {
      if (this.#config.head === null || (call.have !== null && call.have.run !== this.run)) this.#returnedMs = this.#time.nowMs;
      return this.#nothing();
    }
    if (call.number <= held.lastNumber) return this.#answer(call, held, { reportsDiffer: false, publishInMs: null });
    held.lastNumber = call.number;
    this.#members.renew(held, this.#time.nowMs + call.leaseMs);
    this.#expireDead();
    this.#takeOwn(call, held);
    this.#lead(held);
    for (const report of call.reports) this.#takeReport(held, report, call.probers);
    for (const check of call.suspicions) this.#hints.suspect(check, call.suspicionEveryMs, this.#time.nowMs);
    for (const put of call.operatorStates) this.#takeOperatorState(put);
    this.#publishDue();
    const reportsDiffer = call.reportsDigest !== null && call.reportsDigest !== held.reportsDigest;
    const publishInMs = this.#hints.askBack(held.member, this.#sources(), this.#time.nowMs, (member) => this.#members.get(member) !== null);
    return this.#answer(call, held, { reportsDiffer, publishInMs });
  }

  join(call: JoinCall): JoinAnswer {
    const nowMs = this.#time.nowMs;
    const joined: JoinAnswer = { kind: 'joined', tierMs: nowMs, run: this.run };
    if (this.#protocol > call.protocol || (this.#protocol > 0 && this.#protocol < call.protocolMin)) return { kind: 'protocol', protocol: this.#protocol };
    const history = this.#config.head?.history ?? null;
    if (history !== null && call.history !== null && history !== call.history) return { kind: 'history', history };
    this.#expireIfLapsed(call.member);
    const held = this.#members.get(call.member);
    if (history === null && call.history !== null && [undefined, call.previous, call.incarnation].includes(held?.incarnation)) this.#returnedMs = nowMs;
    // The same join again, since its answer was lost or it was doubled on its way.
    if (held?.incarnation === call.incarnation) return joined;
    if (this.#members.hasEnded(call.incarnation) || (held !== null && held.incarnation !== call.previous)) return { kind: 'taken' };
    if (nowMs - this.#lastJoinMs < JOIN_EVERY_MS) return { kind: 'wait', waitMs: this.#nextTurnIn(nowMs) };
    this.#lastJoinMs = nowMs;
    if (this.#protocol === 0) this.#protocol = call.protocolMin;
    if (held !== null) {
      this.#members.end(held);
      this.#logMember(held, 'superseded');
    }
    this.#members.add(call, call.record, nowMs + call.leaseMs);
    this.#logMember(call, 'joined');
    return joined;
  }

  leave(caller: Caller): void {
    const held = this.#present(caller);
    if (held !== null) this.#remove(held, 'left');
  }

  stepOut(caller: Caller): boolean {
    const held = this.#present(caller);
    if (held === null) return false;
    const { readyCount, failedCount } = this.#members;
    const isCounted = held.state === 'ready' || held.state === 'failed';
    const readyWithout = readyCount - (held.state === 'ready' ? 1 : 0);
    if (readyWithout < Math.ceil((readyCount + failedCount + (isCounted ? 0 : 1)) / 2)) return false;
    this.#setState(held, 'failed');
    return true;
  }

  publish(call: PublishCall): PublishAnswer {
    if (this.#present(call) === null) return { kind: 'not-living' };
    const answer = this.#config.publish(call, this.#time.nowMs, this.#wallMs);
    if (answer.kind === 'started') this.#configChanged('published', answer.number, call.member);
    return answer;
  }

  step(step: RolloutStep): StepAnswer {
    if (!this.#leads(step)) return 'not-leader';
    const change = this.#config.step(step, this.#wallMs);
    if (change === null) return 'changed';
    this.#configChanged(change, step.number, step.member);
    return 'done';
  }

  vote(vote: Vote): void {
    if (this.#present(vote) !== null) this.#config.vote(vote);
  }

  votes(number: number): ReadonlyMap<string, string> {
    return this.#config.votes(number, this.#members);
  }

  restore(call: RestoreCall): RestoreAnswer {
    if (this.#present(call) === null) return 'not-living';
    if (call.isFirst && this.#config.head === null && this.#time.nowMs < this.#returnedMs + RETURNED_LEASES * this.#time.leaseMs) return 'kept';
    if (!this.#config.restore(call, this.#wallMs)) return 'kept';
    this.#configChanged('restored', call.number, call.member);
    return 'restored';
  }

  get config(): Pick<ConfigBook, 'versions' | 'version'> {
    return this.#config;
  }

  raiseProtocol(caller: Caller, protocol: number, membersEpoch: number): boolean {
    if (!this.#leads(caller) || this.#members.table.epoch !== membersEpoch) return false;
    this.#protocol = Math.max(this.#protocol, protocol);
    return true;
  }

  forget(caller: Caller, checks: readonly string[]): boolean {
    if (!this.#leads(caller)) return false;
    for (const check of checks) this.#reports.forget(check, this.#members);
    this.#publishDue();
    return true;
  }

  moveRole(move: RoleMove): RoleMoveAnswer {
    if (!this.#leads(move)) return 'not-leader';
    const record = this.#roles.move(this.#reports.verdicts, move, this.#times);
    if (record === undefined) return 'changed';
    this.#roleChanged(move.pool, record, move.expectedEpoch, move.member);
    return 'done';
  }

  admitRole({ pool, expectedEpoch, ...caller }: RoleAdmission): RoleAdmissionAnswer {
    if (!this.#leads(caller)) return { kind: 'not-leader' };
    const record = this.#roles.get(this.#reports.verdicts, pool);
    if (record?.epoch !== expectedEpoch || record.phase !== 'withdrawing') return { kind: 'changed' };
    this.#expireDead();
    const members = this.#roles.missing(pool, expectedEpoch, this.#members);
    if (members.length > 0 || this.#time.nowMs < this.#lastExpiryMs + this.#time.halfLeaseMs) return { kind: 'waits', members };
    this.#roleChanged(pool, this.#roles.admit(this.#reports.verdicts, pool, record, this.#times), expectedEpoch, caller.member);
    return { kind: 'done' };
  }

  acknowledgeRoles(caller: Caller, acks: readonly RoleAck[]): void {
    if (this.#present(caller) === null) return;
    for (const ack of acks) {
      const record = this.#roles.acknowledge(this.#reports.verdicts, caller, ack, this.#times);
      if (record !== null) this.#roleChanged(ack.pool, record, record.epoch, caller.member);
    }
  }

  putTickets({ expectedSha, text, ...caller }: TicketPut): TicketPutAnswer {
    if (!this.#leads(caller)) return 'not-leader';
    const { verdicts } = this.#reports;
    if (ticketsSha(verdicts.get(TICKETS_KEY) ?? null) !== expectedSha) return 'changed';
    if (text === null) verdicts.remove(TICKETS_KEY);
    else verdicts.set(TICKETS_KEY, text);
    this.#publishDue();
    return 'done';
  }

  beside(ids: readonly string[]): ReadonlyMap<string, string> {
    const found = ids.map((id) => [id, this.#members.get(id)?.beside ?? null] as const);
    return new Map(found.filter((entry): entry is readonly [string, string] => entry[1] !== null));
  }

  reports(checks: readonly string[]): ReadonlyMap<string, ReadonlyMap<string, string>> {
    const found = checks.map((check) => [check, this.#reports.of(check, this.#members)] as const);
    return new Map(found.filter(([, reports]) => reports.size > 0));
  }

  log(after: number, limit: number): readonly LogEntry[] {
    return this.#events.after(after, limit);
  }

  watch(pool: string, forMs: number): void {
    this.#watched.watch(pool, forMs, this.#time.nowMs);
  }

  takeTokens(caller: Caller, asks: readonly LimitAsk[]): readonly number[] {
    if (this.#present(caller) === null) return asks.map(() => 0);
    return asks.map((ask) => this.#buckets.take(ask, this.#time.nowMs));
  }

  /** The caller's entry; null: it is not living. A lease that has ended counts as ended even if nobody has expired it yet. */
  #present(caller: Caller): LivingMember | null {
    this.#expireIfLapsed(caller.member);
    return this.#members.living(caller);
  }

  #leads(caller: Caller): boolean {
    return this.#present(caller) !== null && this.#leader?.member === caller.member && this.#leader.incarnation === caller.incarnation;
  }

  #expireIfLapsed(id: string): void {
    const held = this.#members.get(id);
    if (held !== null && this.#time.mayExpire && held.deadlineMs <= this.#time.nowMs) this.#remove(held, 'expired');
  }

  #expireDead(): void {
    if (!this.#time.mayExpire) return;
    for (let count = 0; count < EXPIRED_PER_CALL_MAX; count++) {
      const held = this.#members.nextLapsed(this.#time.nowMs);
      if (held === null) return;
      this.#remove(held, 'expired');
    }
  }

  #remove(held: LivingMember, change: 'left' | 'expired'): void {
    this.#members.remove(held);
    if (change === 'expired') this.#lastExpiryMs = this.#time.nowMs;
    this.#logMember(held, change);
  }

  #takeOwn({ state, record, beside }: StoreCall, held: LivingMember): void {
    if (beside !== null) held.beside = beside;
    if (record !== null) this.#members.setRecord(held, record);
    if (state !== null && state !== held.state) this.#setState(held, state);
  }

  #setState(held: LivingMember, state: LivingMember['state']): void {
    if (held.state === state) return;
    this.#members.setState(held, state, this.#time.nowMs);
    if (state !== 'joining') this.#logMember(held, state);
  }

  #lead(held: LivingMember): void {
    if (held.state !== 'ready' || (this.#leader !== null && this.#members.living(this.#leader) !== null)) return;
    const { member, incarnation } = held;
    this.#leader = { member, incarnation, term: (this.#leader?.term ?? 0) + 1 };
    this.#events.add('leader', this.#wallMs, { member, term: this.#leader.term });
  }

  #takeReport(held: LivingMember, report: StoreCall['reports'][number], probers: number): void {
    const change = this.#reports.take(held, report, this.#members, probers);
    if (change !== null) this.#events.add('verdict', this.#wallMs, { ...change });
  }

  #takeOperatorState({ key, stampMs, by, text }: OperatorPut): void {
    const former = /^(\d+) (\S+) /.exec(this.#operatorStates.get(key) ?? '');
    // What does not parse is missing.
    if (former !== null && (Number(former[1]) > stampMs || (Number(former[1]) === stampMs && former[2]! >= by))) return;
    this.#operatorStates.set(key, text);
    this.#events.add('operator', this.#wallMs, { key, by });
  }

  #configChanged(change: ConfigChange, number: number, by: string): void {
    this.#events.add('config', this.#wallMs, { number, change, by });
    this.#publishDue();
  }

  get #times(): { readonly tierMs: number; readonly wallMs: number } {
    return { tierMs: this.#time.nowMs, wallMs: this.#wallMs };
  }

  /** `epoch`: of the record that is gone, if it is. */
  #roleChanged(pool: string, record: RoleRecord | null, epoch: number, by: string): void {
    this.#events.add('role', this.#wallMs, { pool, epoch: record?.epoch ?? epoch, phase: record?.phase ?? 'gone', address: record?.address ?? '', by });
    this.#publishDue();
  }

  #logMember({ member, incarnation }: Caller, change: string): void {
    this.#events.add('member', this.#wallMs, { member, incarnation, change });
  }

  /** Each gets a turn of its own, or all who wait would come back at once and all but one wait again. */
  #nextTurnIn(nowMs: number): number {
    this.#lastTurnMs = Math.min(Math.max(this.#lastTurnMs, this.#lastJoinMs) + JOIN_EVERY_MS, nowMs + JOIN_WAIT_MAX_MS);
    return Math.max(1, this.#lastTurnMs - nowMs);
  }

  #sources(): HintSources {
    return { run: this.run, verdicts: this.#reports.verdicts, operatorStates: this.#operatorStates, configEpoch: this.#config.epoch };
  }

  #publishDue(): void {
    this.#due = this.#hints.takeDue(this.#sources(), this.#time.nowMs);
  }

  #answer({ have: named }: StoreCall, held: LivingMember, said: Pick<StoreAnswer, 'reportsDiffer' | 'publishInMs'>): StoreAnswer {
    const have: ReadUpTo | null = named?.run === this.run ? named : null;
    const budget = new AnswerBudget();
    return {
      ...this.#frame(),
      ...said,
      living: true,
      state: held.state,
      members: this.#members.table.changesSince(have?.members ?? null, budget),
      verdicts: this.#reports.verdicts.changesSince(have?.verdicts ?? null, budget),
      operatorStates: this.#operatorStates.changesSince(have?.operatorStates ?? null, budget),
      config: have?.config === this.#config.epoch ? null : this.#config.state,
      watched: this.#watched.names(this.#time.nowMs),
    };
  }

  #frame(): Pick<StoreAnswer, 'run' | 'tierMs' | 'leader' | 'protocol'> {
    return { run: this.run, tierMs: this.#time.nowMs, leader: this.#leader, protocol: this.#protocol };
  }

  #nothing(): StoreAnswer {
    return { ...this.#frame(), living: false, state: 'joining', reportsDiffer: false, publishInMs: null, members: NOTHING, verdicts: NOTHING, operatorStates: NOTHING, config: null, watched: [] };
  }
}
