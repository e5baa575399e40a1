/**
 * The conversation with the store: joins, numbered calls one at a time, what is
 * done about a call that fails or finds the lease ended, and the end. Owned by
 * the tier link, whose options these are; says what the answers mean to the
 * phases, the outbox and the reader. Nothing waits for it.
 */
import { randomUUID } from 'node:crypto';
import { StoreAway, type Leader, type StoreAnswer, type StoreHint } from '../store/tier-store.ts';
import { answerInTime } from './answer-in-time.ts';
import { CallPace } from './call-pace.ts';
import type { LinkPhases } from './link-phase.ts';
import type { Outbox, Letter } from './outbox.ts';
import { ProtocolRaise } from './protocol-raise.ts';
import type { TierClock } from './tier-clock.ts';
import { TierJoin } from './tier-join.ts';
import type { TierLinkOptions } from './tier-link.ts';
import type { TierReader } from './tier-reader.ts';

export interface TierCallsParts {
  readonly phases: LinkPhases;
  readonly outbox: Outbox;
  readonly reader: TierReader;
  readonly tierClock: TierClock;
  /** This member's record as it is now. */
  readonly record: () => string;
  readonly beside: (watched: readonly string[]) => string | null;
}

/**
 * A proxy that may not join asks again after one heartbeat and a random part of this many more: sooner than half a
 * lease (1.5 heartbeats at least). Where nobody else calls, the store would take longer pauses for its own standing
 * still, and the lease that is in the way would never end.
 */
const REFUSED_HEARTBEATS = 0.4;
/** Calls at least this share of a heartbeat after the last heartbeat count as one. */
const HEARTBEAT_SHARE = 0.85;
/** How long a stop waits for the store, at most. */
const LEAVE_MS = 1000;

export class TierCalls {
  readonly #options: TierLinkOptions;
  readonly #parts: TierCallsParts;
  readonly #pace: CallPace;
  readonly #join: TierJoin;
  readonly #raise: ProtocolRaise;
  readonly #unsubscribe: () => void;
  #incarnation = '';
  #isJoined = false;
  #joinedMs = Number.NEGATIVE_INFINITY;
  #number = 0;
  #answeredSentMs = Number.NEGATIVE_INFINITY;
  #leader: Leader | null = null;
  #watched: readonly string[] = [];
  #heartbeatMs = Number.NEGATIVE_INFINITY;
  #underWay: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: TierLinkOptions, parts: TierCallsParts) {
    const { clock, random, store, id } = options;
    this.#options = options;
    this.#parts = parts;
    this.#join = new TierJoin({
      member: id,
      previous: options.previousIncarnation,
      newIncarnation: options.newIncarnation ?? randomUUID,
      join: (call) => answerInTime(clock, options.timing().leaseMs / 3, store.join(call)),
    });
    this.#raise = new ProtocolRaise({ clock, leaseMs: () => options.timing().leaseMs, store, caller: () => this.caller(), members: parts.reader.members });
    this.#pace = new CallPace(clock, random, () => {
      this.#underWay = this.#turn();
    });
    this.#unsubscribe = store.subscribe((hint) => this.#hear(hint));
    this.#pace.now();
  }

  get incarnation(): string {
    return this.#incarnation;
  }

  get isJoined(): boolean {
    return this.#isJoined;
  }

  get leader(): Leader | null {
    return this.#leader;
  }

  /** Monotonic time at which the last call that was answered well was sent. */
  get answeredSentMs(): number {
    return this.#answeredSentMs;
  }

  caller(): { readonly member: string; readonly incarnation: string } {
    return { member: this.#options.id, incarnation: this.#incarnation };
  }

  /** There is something to say. */
  now(): void {
    this.#pace.now();
  }

  rejoin(): void {
    this.#isJoined = false;
    this.#pace.lift();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unsubscribe();
    this.#pace.stop();
    const { clock, store, timing } = this.#options;
    // A join under way may yet be granted.
    const left = this.#underWay.then(() => (this.#isJoined ? store.leave(this.caller()) : undefined));
    await answerInTime(clock, Math.min(LEAVE_MS, timing().leaseMs / 3), left).catch(() => undefined);
  }

  async #turn(): Promise<void> {
    this.#heartbeat();
    try {
      await (this.#isJoined ? this.#call() : this.#joinTier());
    } catch (error) {
      if (this.#isStopped) return;
      if (!(error instanceof StoreAway)) this.#options.log.error('a step of the store failed for a reason of our own', { err: error });
      this.#parts.phases.failed(error instanceof Error ? error.message : String(error));
      this.#pace.failed(this.#options.timing().heartbeatMs);
      this.#soon(this.#parts.reader.hearHeld());
    }
  }

  async #joinTier(): Promise<void> {
    const { clock, random, history, onJoined } = this.#options;
    const sentMs = clock.monotonicMs();
    const outcome = await this.#join.attempt({ leaseMs: this.#options.timing().leaseMs, record: this.#parts.record(), history: history() });
    if (outcome.kind === 'joined') {
      this.#incarnation = outcome.incarnation;
      this.#isJoined = true;
    }
    if (this.#isStopped) return;
    if (outcome.kind === 'wait') {
      this.#parts.phases.failed('waiting to be admitted to the tier');
      return this.#pace.postponed(outcome.waitMs);
    }
    if (outcome.kind === 'refused') {
      this.#parts.phases.refused(outcome.reason);
      return this.#pace.postponed(this.#options.timing().heartbeatMs * (1 + REFUSED_HEARTBEATS * random.next()));
    }
    this.#number = 0;
    this.#joinedMs = clock.monotonicMs();
    this.#answeredSentMs = sentMs;
    this.#parts.tierClock.set(outcome.tierMs, sentMs);
    this.#parts.outbox.startAnew();
    onJoined?.(outcome.incarnation);
    this.#parts.phases.answered();
    this.#parts.reader.joined(outcome.run);
    this.#pace.postponed(0);
  }

  async #call(): Promise<void> {
    const { clock, store, timing } = this.#options;
    const { heartbeatMs, leaseMs, probers } = timing();
    const sentMs = clock.monotonicMs();
    const letter = this.#parts.outbox.take(this.#parts.record(), this.#parts.phases.phase !== 'autonomous');
    this.#number++;
    const step = store.call({ ...this.caller(), ...letter, number: this.#number, leaseMs, probers, suspicionEveryMs: heartbeatMs, have: this.#parts.reader.have() });
    let answer: StoreAnswer;
    try {
      answer = await answerInTime(clock, leaseMs / 3, step);
    } catch (error) {
      this.#parts.outbox.putBack(letter);
      throw error;
    }
    if (this.#isStopped) return;
    if (answer.living) this.#accept(answer, letter, sentMs);
    else this.#notLiving(letter);
    this.#soon(this.#parts.reader.hearHeld());
  }

  #accept(answer: StoreAnswer, letter: Letter, sentMs: number): void {
    this.#answeredSentMs = sentMs;
    this.#parts.tierClock.set(answer.tierMs, sentMs);
    this.#parts.reader.members.tierTimeSet();
    this.#leader = answer.leader;
    this.#watched = answer.watched;
    this.#parts.phases.answered();
    if (this.#parts.phases.phase === 'autonomous') this.#parts.reader.handOver('the store answers again');
    const isMended = this.#parts.outbox.answered(letter, answer);
    const nextInMs = this.#parts.reader.accept(answer, this.#parts.record());
    if (this.#parts.reader.isCurrent) this.#options.events.onRead(sentMs);
    if (this.#leads()) this.#raise.answered(answer);
    this.#pace.answered(this.#options.timing().heartbeatMs);
    this.#soon(nextInMs);
    // A new incarnation has no reports, so nothing can differ.
    if (!isMended) this.rejoin();
  }

  /** What it goes by is what the store has, and the store's word is that it leads. */
  #leads(): boolean {
    const { phases, reader } = this.#parts;
    return phases.phase === 'connected' && reader.isCurrent && this.#leader?.incarnation === this.#incarnation;
  }

  /** The lease has ended, or another proxy took the id over: only a new incarnation can tell. */
  #notLiving(letter: Letter): void {
    const { clock, random, timing } = this.#options;
    const { heartbeatMs } = timing();
    this.#parts.outbox.putBack(letter);
    this.#isJoined = false;
    // A store that grants leases which then do not hold is not asked without pause.
    const isSudden = clock.monotonicMs() - this.#joinedMs < heartbeatMs;
    this.#pace.postponed(isSudden ? random.next() * heartbeatMs : 0);
  }

  /** What is done once a heartbeat, however many calls are made. */
  #heartbeat(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#heartbeatMs < this.#options.timing().heartbeatMs * HEARTBEAT_SHARE) return;
    this.#heartbeatMs = nowMs;
    this.#parts.outbox.heartbeat();
    this.#parts.outbox.setBeside(this.#parts.beside(this.#watched));
  }

  #hear(hint: StoreHint): void {
    if (this.#isStopped || !this.#isJoined || this.#parts.phases.phase === 'autonomous') return;
    this.#soon(this.#parts.reader.hear(hint, this.#pace.busy));
  }

  #soon(delayMs: number | null): void {
    if (delayMs !== null) this.#pace.within(delayMs);
  }
}
