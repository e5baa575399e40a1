/**
 * What a member makes of the store's answers and messages: copies kept true,
 * breaks found, the hand-over after one, and what is handed on to the rest of
 * the control plane. Owned by the tier link, which makes the calls.
 *
 * Hand-over: everything is read; for a lease of unbroken good answers the own
 * view of members and backends holds, with what this proxy goes on to see, but
 * for verdicts given since, the later of the two; then the store's word is
 * taken as it is then. "Read" is by epochs where those hold and by digests
 * always: a copy found to be what the store has is not fetched anew.
 */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Log } from '../../observe/log.ts';
import { parseMember, parseVerdict } from '../store/entry-texts.ts';
import type { ConfigState, ReadUpTo, StoreAnswer, StoreHint, VerdictReport } from '../store/tier-store.ts';
import { HintInbox } from './hint-inbox.ts';
import type { LinkPhases } from './link-phase.ts';
import { MemberView } from './member-view.ts';
import type { MembershipEvents } from './membership.ts';
import type { Outbox } from './outbox.ts';
import { TableSync, type SyncNews } from './table-sync.ts';
import { TierView, Unreadable } from './tier-view.ts';

export interface TierReaderOptions {
  readonly id: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly leaseMs: () => number;
  readonly tierMs: () => number;
  readonly events: MembershipEvents;
  readonly log: Pick<Log, 'warn'>;
  readonly phases: LinkPhases;
  readonly outbox: Outbox;
}

/** A full read waits for a random part of this for each member, so that the store is not read by all at once. */
const FULL_READ_SPREAD_MS = 5;
/** The same for a call that a message gives rise to. */
const HINTED_CALL_SPREAD_MS = 1;

const NO_CONFIG: ConfigState = { epoch: 0, head: null, rollout: null };

export class TierReader {
  readonly members: MemberView;
  readonly view: TierView;
  readonly #options: TierReaderOptions;
  readonly #sync = new TableSync();
  readonly #inbox = new HintInbox();
  #config: ConfigState | null = null;
  #configReadMs = Number.NEGATIVE_INFINITY;
  /** The epoch that the call in flight names. */
  #configAsked: number | null = null;
  #configHandedOn = '';
  #isCurrent = false;
  /** Settling: everything has been read once since that began. */
  #hasRead = false;
  /** Settling: checks on which the tier has given a verdict since that began, by the wall time at which it was heard here. */
  readonly #givenMs = new Map<string, number>();
  /** When the reading of the whole goes on. A call that is made anyway brings a page as well. */
  #fullReadMs = 0;

  constructor(options: TierReaderOptions) {
    this.#options = options;
    const { clock, tierMs, leaseMs, events, outbox } = options;
    const unreadable = new Unreadable(options.log);
    this.members = new MemberView({ clock, tierMs, leaseMs, onChange: () => events.onMembers(), unreadable: (key) => unreadable.found('members', key) });
    this.view = new TierView({ events, members: this.members, unreadable, put: (entry) => outbox.put(entry) });
  }

  get run(): string | null {
    return this.#sync.run;
  }

  get config(): ConfigState | null {
    return this.#config;
  }

  /** The last answer left nothing to read, and what has been read is what the store had. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  /** What the next call names. The config has no digest, so once a lease it is asked for whatever its epoch. */
  have(): ReadUpTo | null {
    const have = this.#sync.have(this.#options.clock.monotonicMs() - this.#configReadMs >= this.#options.leaseMs());
    this.#configAsked = have?.config ?? null;
    return have;
  }

  /** This proxy has a new incarnation. */
  joined(run: string): void {
    // A config of another run is no word of this store: whoever adopts would take the very history it has left.
    if (run !== this.#sync.run) this.#config = null;
    const isRebuilt = this.#sync.joined(run);
    if (this.#sync.isReading) this.#spreadFullRead();
    if (this.#options.phases.phase !== 'joining') this.handOver(isRebuilt ? 'rebuilt' : 'joined anew');
  }

  handOver(reason: string): void {
    this.#hasRead = false;
    this.#givenMs.clear();
    this.#options.outbox.sayAgain();
    this.#options.phases.settle(reason);
  }

  /** A good answer. Returns in how long it calls for another; null: the heartbeat will do. */
  accept(answer: StoreAnswer, record: string): number | null {
    const { phases } = this.#options;
    const wasReading = this.#sync.isReading;
    const news = this.#sync.accept(answer);
    if (this.#sync.isReading && (!wasReading || news.broken !== null)) this.#spreadFullRead();
    if (news.broken !== null && phases.phase !== 'joining') this.handOver(news.broken);
    this.view.mergeOperatorStates(news.operatorStates, this.#sync.operatorStates);
    if (phases.phase === 'connected') this.view.changeMembers(news.members.entries);
    this.#handOn(news.verdicts.entries);
    this.#isCurrent = news.complete;
    // A store that never had a config, or has lost it, is at epoch 0, as who asks for it whatever its epoch is: then nothing is told, and that is the answer.
    const config = answer.config ?? (this.#configAsked === 0 ? NO_CONFIG : null);
    if (config !== null) {
      this.#config = config;
      this.#configReadMs = this.#options.clock.monotonicMs();
      if (phases.phase !== 'joining') this.#handOnConfig();
    }
    if (news.complete) this.#complete(news, record);
    return this.#nextInMs(answer, news);
  }

  /** Settling: what this prober concludes is its own view, unless the tier has given a verdict later than that. It may be said again. */
  conclude({ check, verdict, reason, atMs }: VerdictReport): void {
    if (verdict === null) return;
    const { events, id } = this.#options;
    const text = this.#sync.verdicts.get(check);
    const entry = text === null ? null : parseVerdict(check, text);
    if (entry?.verdict === verdict) events.onVerdict(check, entry);
    else if (atMs > (this.#givenMs.get(check) ?? Number.NEGATIVE_INFINITY)) events.onVerdict(check, { check, verdict, reason, atMs, by: [id] });
  }

  /** A message. Returns in how long it calls for a call; null: it does not. `isBusy`: a call is in flight. */
  hear(hint: StoreHint, isBusy: boolean): number | null {
    if (hint.suspicions !== null && hint.suspicions.length > 0) this.#options.events.onSuspicions(hint.suspicions);
    if (isBusy || this.#sync.isReading) {
      this.#inbox.hold(hint);
      return null;
    }
    return this.#follow(hint);
  }

  /** Messages that came while a call was in flight. Returns as `hear` does. */
  hearHeld(): number | null {
    if (this.#sync.isReading) return null;
    const { hints, hasLost } = this.#inbox.takeAll();
    const waits = hints.map((hint) => this.#follow(hint)).filter((waitMs) => waitMs !== null);
    if (hasLost) waits.push(this.#hintedCallMs());
    return waits.length === 0 ? null : Math.min(...waits);
  }

  stop(): void {
    this.members.stop();
  }

  #follow(hint: StoreHint): number | null {
    const { verdicts, call } = this.#sync.hear(hint);
    this.#handOn(verdicts);
    return call ? this.#hintedCallMs() : null;
  }

  #handOn(verdicts: SyncNews['verdicts']['entries']): void {
    const { phases, clock } = this.#options;
    this.view.changeRecords(verdicts);
    if (phases.phase === 'connected') this.view.changeVerdicts(verdicts);
    else if (phases.phase === 'settling' && this.#hasRead) for (const check of this.view.changeNewVerdicts(verdicts, phases.sinceWallMs)) this.#givenMs.set(check, clock.wallMs());
  }

  /** Nothing is left to read, and the copies are what the store has. */
  #complete(news: SyncNews, record: string): void {
    const { phases, outbox } = this.#options;
    if (news.members.whole || news.members.entries.length > 0) this.#checkOwnEntry(record);
    if (phases.phase === 'joining') return this.#takeAll();
    if (phases.phase !== 'settling') return;
    if (this.#hasRead && phases.hasSettled && !outbox.hasReports) return this.#takeAll();
    this.#hasRead = true;
  }

  #takeAll(): void {
    this.view.take(this.#sync);
    this.#handOnConfig();
    this.#options.phases.connect();
  }

  #handOnConfig(): void {
    if (this.#config === null) return;
    const text = JSON.stringify([this.#sync.run, this.#config.head, this.#config.rollout]);
    if (text === this.#configHandedOn) return;
    this.#configHandedOn = text;
    this.#options.events.onConfig(this.#config);
  }

  /** A store that lost writes may have an older record of this member. */
  #checkOwnEntry(record: string): void {
    const text = this.#sync.members.get(this.#options.id);
    const entry = text === null ? null : parseMember(text);
    if (entry !== null && entry.record !== record) this.#options.outbox.recordChanged();
  }

  #nextInMs(answer: StoreAnswer, { complete }: SyncNews): number | null {
    const { phases, outbox, clock } = this.#options;
    const waits: number[] = [];
    if (!complete) waits.push(Math.max(0, this.#fullReadMs - clock.monotonicMs()));
    if (outbox.isUrgent) waits.push(0);
    if (answer.publishInMs !== null) waits.push(answer.publishInMs);
    if (complete && phases.phase === 'settling') waits.push(phases.settlesInMs);
    return waits.length === 0 ? null : Math.min(...waits);
  }

  get #size(): number {
    return Math.max(1, this.members.members.size);
  }

  #spreadFullRead(): void {
    const { clock, random, leaseMs } = this.#options;
    this.#fullReadMs = clock.monotonicMs() + random.next() * Math.min(FULL_READ_SPREAD_MS * this.#size, leaseMs());
  }

  #hintedCallMs(): number {
    return this.#options.random.next() * HINTED_CALL_SPREAD_MS * this.#size;
  }
}
