/**
 * Health as this proxy sees and shares it. Checks of the running config that
 * are its duty are probed, and concluded from:
 *
 *   1 duty     the tier's roster says whose check it is, at which times
 *   2 attempt  prober.ts makes one probe, or says that it was void
 *   3 judge    rise and fall make results a conclusion
 *   4 report   opinions.ts tells the tier; the tier's verdict comes back
 *              through `acceptVerdict` and from there into the rows
 *
 * Checks of others follow the tier's verdicts. `interval` is from start to
 * start; `fastInterval` follows a result unlike the conclusion, and one unlike
 * the verdict, unless it is the longer of the two. Runs on the main thread, and
 * never throws for what a backend does.
 */
import { inSlices, type Clock, type SlicedWork, type Timer } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { DialUdp } from '../../net/dial-udp.ts';
import type { Dial } from '../../net/dial.ts';
import { liftEjection } from '../../shared/ejections.ts';
import { BACKENDS_PER_TURN, type PlacedBackend } from '../backend-rows.ts';
import type { Membership } from '../membership/membership.ts';
import { ProbeDuty } from '../membership/probe-duty.ts';
import type { VerdictEntry } from '../store/entry-texts.ts';
import { CheckSet } from './check-set.ts';
import type { Check, CheckRow } from './check.ts';
import { Duty, type DutyRoster, type TierPace } from './duty.ts';
import { Opinions } from './opinions.ts';
import { OwnEyes } from './own-eyes.ts';
import { PoolCounts } from './pool-counts.ts';
import type { ProbeResult } from './probe.ts';
import { Prober, type NameSource } from './prober.ts';
import type { Programs } from './programs.ts';
import { RiseFall } from './rise-fall.ts';
import { VerdictSweep } from './verdict-sweep.ts';
import { Verdicts } from './verdicts.ts';

export interface MonitorOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly dial: Dial;
  readonly dialUdp: DialUdp;
  readonly programs?: Programs | undefined;
  readonly names: NameSource;
  readonly membership: Membership;
  /** Absent: the tier's. */
  readonly roster?: DutyRoster;
  /** Of the running config. */
  readonly pace: () => TierPace;
  /** Grows with each answer that a row's backend gives to this proxy's traffic. */
  readonly answersOf?: (rowNumber: number) => number;
  readonly onIsolated?: (isolated: boolean) => void;
  /** Probes under way at once; further ones wait their turn. */
  readonly concurrencyMax?: number;
}

/** A dead pool's probes each hold a descriptor for `timeout`; this many are well below any usual limit. */
const CONCURRENCY_MAX = 512;
/** Start to start, while a suspicion is looked into. */
const SUSPECTED_MS = 50;

export class HealthMonitor {
  readonly counts = new PoolCounts();
  readonly verdicts: Verdicts;
  readonly #options: MonitorOptions;
  /** What the tier holds, by check. */
  readonly #ofTier = new Map<string, VerdictEntry>();
  readonly #checks: CheckSet;
  readonly #duty: Duty;
  readonly #prober: Prober;
  readonly #opinions: Opinions;
  readonly #eyes: OwnEyes;
  readonly #sweep: VerdictSweep;
  /** Counts up with each change of duty: a walk over all checks gives way to the next one. */
  #dutyRound = 0;
  #isCommitted = true;
  #isRollingOut = false;
  /** Checks of the tier's config that ran here before the one applied last. */
  #committed: ReadonlySet<string> = new Set();
  #doubtEnds: Timer | null = null;
  #stopped = false;

  constructor(options: MonitorOptions) {
    this.#options = options;
    const { clock, random, dial, dialUdp, programs, names, membership, pace, roster = new ProbeDuty(membership.id), answersOf = () => 0, onIsolated = () => undefined, concurrencyMax = CONCURRENCY_MAX } = options;
    this.verdicts = new Verdicts(clock, this.counts);
    this.#checks = new CheckSet(this.verdicts, this.#ofTier);
    this.#duty = new Duty({ clock, random, membership, roster, pace });
    this.#prober = new Prober({
      clock, dial, dialUdp, programs, names, concurrencyMax,
      judge: (check, startMs, result) => this.#judge(check, startMs, result),
      countVoid: (check) => this.#count(check, 'void'),
    });
    this.#opinions = new Opinions({ clock, pace, report: (report) => membership.report(report), onDoubt: () => this.#doubt() });
    this.#eyes = new OwnEyes({ clock, pace, membership, answersOf, onIsolated, checks: () => this.#checks.values() });
    this.#sweep = new VerdictSweep({ clock, pace, membership, held: this.#ofTier, isWanted: (check) => this.#isWanted(check) });
  }

  /** The backends of the config that is about to run. Their effective states are in the rows already. */
  *apply(placed: readonly PlacedBackend[]): SlicedWork {
    if (this.#isCommitted) this.#committed = new Set([...this.#checks.values()].map(({ key }) => key));
    this.#duty.membersChanged();
    const { added, kept, renewed, removed } = yield* this.#checks.apply(placed);
    this.counts.keepOnly(new Set(placed.map(({ pool }) => pool.name)));
    let count = 0;
    for (const [checks, take] of [
      [removed, (check: Check) => this.#remove(check)],
      [kept, (check: Check) => this.#adjust(check)],
      [renewed, (check: Check) => this.#renew(check)],
      [added, (check: Check) => this.#add(check)],
    ] as const) {
      for (const check of checks) {
        take(check);
        if (++count % BACKENDS_PER_TURN === 0) yield;
      }
    }
    this.#sweep.wantedChanged();
  }

  /** Whether the config applied last is the tier's, or one that others do not run. */
  setCommitted(isCommitted: boolean): void {
    if (this.#isCommitted === isCommitted) return;
    this.#isCommitted = isCommitted;
    this.#duty.setCommitted(isCommitted ? null : this.#committed);
    this.#holdSweep();
    this.dutyChanged();
  }

  /** The tier's word on a check; null: it has none, and the rows stay as they are. */
  acceptVerdict(key: string, entry: VerdictEntry | null): void {
    if (entry === null) {
      this.#ofTier.delete(key);
      return;
    }
    this.#ofTier.set(key, entry);
    const check = this.#checks.get(key);
    if (check === undefined) return this.#sweep.unwantedSeen();
    if (check.suspended || check.plan === null) return;
    check.verdict = entry.verdict;
    this.verdicts.give(check, entry);
    if (check.assignment === null) return;
    if (check.riseFall.opinion === 'unknown') check.riseFall = new RiseFall(entry.verdict);
    if (this.#opinions.compare(check) && check.attempt === null) this.#prober.at(check, this.#duty.nextMs(check.assignment, this.#options.clock.monotonicMs()));
  }

  /** Members have changed, or how long they have been ready: some checks may have other probers. */
  membersChanged(): void {
    const moved = this.#duty.membersChanged();
    if (!this.#stopped && moved.length > 0) void inSlices(this.#assignMoved(moved));
  }

  /** This proxy's own standing has changed, and with it whatever it probes. */
  dutyChanged(): void {
    this.#duty.membersChanged();
    if (!this.#stopped) void inSlices(this.#assignAll(++this.#dutyRound));
  }

  /** Whether a rollout is under way: until it ends no verdict is forgotten. */
  rolloutChanged(underWay: boolean): void {
    this.#isRollingOut = underWay;
    this.#holdSweep();
  }

  /** Others were refused by these backends just now. */
  suspected(keys: readonly string[]): void {
    for (const key of keys) {
      const check = this.#checks.get(key);
      if (check === undefined || check.assignment === null || check.verdict !== 'up' || check.suspectFromMs !== null) continue;
      check.suspectFromMs = this.#options.clock.monotonicMs();
      this.#prober.now(check);
    }
  }

  /** A worker ejected this row's backend, since it refused a connect: what probes the same port may well see the same. */
  refused(rowNumber: number): void {
    const checks = this.#checks.ofRow(rowNumber).map(({ check }) => check);
    const near = checks.filter(({ plan, backend }) => (plan?.spec.port ?? backend.port) === backend.port);
    for (const check of near.length === 0 ? checks : near) {
      if (check.suspended) continue;
      this.#eyes.refused(check);
      if (!this.#eyes.isolated) this.suspected([check.key]);
    }
  }

  /** This proxy's own eyes contradict most of what the tier holds. */
  get isolated(): boolean {
    return this.#eyes.isolated;
  }

  /** The effective state of this row has changed: `disabled` is not probed, and probed at once when that ends. */
  stateChanged(rowNumber: number): void {
    for (const { check } of this.#checks.ofRow(rowNumber)) this.#adjust(check);
  }

  /** A name has another address, or turned out to have none. */
  nameChanged(name: string): void {
    for (const check of this.#checks.named(name)) {
      if (check.suspended) continue;
      if (check.plan === null) this.#judgeUnprobed(check);
      else if (check.assignment !== null) this.#prober.now(check);
    }
  }

  /** Addresses whose first verdict is still out: no verdict and no result of our own. */
  *pending(): Iterable<string> {
    for (const check of this.#checks.values()) {
      if (!check.suspended && check.verdict === 'unknown' && check.lastResult === null) yield check.address;
    }
  }

  /** A row's checks, in the order of its pool's `health`. */
  checksOf(rowNumber: number): readonly CheckRow[] {
    return this.#checks.ofRow(rowNumber);
  }

  stop(): void {
    this.#stopped = true;
    this.#dutyRound++;
    this.#prober.stop();
    this.#opinions.stop();
    this.#eyes.stop();
    this.#sweep.stop();
    this.#doubtEnds?.cancel();
    for (const check of this.#checks.values()) this.#prober.abandon(check);
  }

  #add(check: Check): void {
    if (this.#isDisabled(check)) return this.#suspend(check);
    if (check.plan === null) return this.#judgeUnprobed(check);
    const held = this.#ofTier.get(check.key);
    // A verdict that came while the checks were built aside found none to be given to.
    if (held !== undefined && held.verdict !== check.verdict) this.acceptVerdict(check.key, held);
    this.#assign(check);
    if (check.assignment !== null && check.verdict !== 'unknown' && !this.#ofTier.has(check.key)) this.#opinions.conclude(check, check.verdict, 'as found before the config changed');
  }

  #remove(check: Check): void {
    check.assignment = null;
    this.#duty.forget(check.key);
    this.#prober.abandon(check);
    this.#opinions.withdraw(check, 'no longer in the config');
  }

  #adjust(check: Check): void {
    const isDisabled = this.#isDisabled(check);
    if (isDisabled === check.suspended) return this.#assign(check);
    if (isDisabled) return this.#suspend(check);
    check.suspended = false;
    if (check.plan === null) return this.#judgeUnprobed(check);
    const held = this.#ofTier.get(check.key);
    if (held !== undefined) {
      check.verdict = held.verdict;
      this.verdicts.give(check, held);
    }
    this.#assign(check);
    if (check.assignment !== null) this.#prober.now(check);
  }

  /** With another secret the same verdict has to be earned anew. */
  #renew(check: Check): void {
    if (check.assignment === null) return;
    this.#prober.abandon(check);
    check.riseFall = new RiseFall(check.verdict);
    this.#prober.now(check);
  }

  /** What this proxy's config does not ask for the tier's may. */
  #holdSweep(): void {
    this.#sweep.setHeld(this.#isRollingOut || !this.#isCommitted);
  }

  #isDisabled(check: Check): boolean {
    return check.rows.every(({ row }) => row.state === 'disabled');
  }

  #isWanted(key: string): boolean {
    const check = this.#checks.get(key);
    return check !== undefined && !check.suspended;
  }

  /** Not probed, so nothing is known: when that ends, the first result decides. */
  #suspend(check: Check): void {
    check.assignment = null;
    this.#prober.abandon(check);
    this.#opinions.withdraw(check, 'disabled');
    check.suspended = true;
    check.restart('unknown');
    this.verdicts.give(check, { reason: 'disabled' });
    this.#sweep.wantedChanged();
  }

  #judgeUnprobed(check: Check): void {
    const { names, clock } = this.#options;
    const { named, host } = check.backend;
    const failure = named && names.addressOf(host) === null ? names.failureOf(host) : null;
    if (named && names.addressOf(host) === null && failure === null) return;
    check.verdict = failure === null ? 'up' : 'down';
    check.lastResult = { passed: failure === null, reason: failure ?? '', latencyMs: 0, atMs: clock.wallMs() };
    // That an address nobody probes counts as up is no news, and 10,000 of them would tell as many lines.
    this.verdicts.give(check, { reason: failure ?? 'not probed', isNews: named });
  }

  // 1 duty
  *#assignAll(round: number): SlicedWork {
    let count = 0;
    for (const check of this.#checks.values()) {
      if (this.#checks.get(check.key) === check) this.#assign(check);
      if (++count % BACKENDS_PER_TURN !== 0) continue;
      yield;
      if (round !== this.#dutyRound) return;
    }
  }

  *#assignMoved(moved: readonly string[]): SlicedWork {
    for (const [at, key] of moved.entries()) {
      const check = this.#checks.get(key);
      if (check !== undefined) this.#assign(check);
      if ((at + 1) % BACKENDS_PER_TURN === 0) yield;
    }
  }

  #assign(check: Check): void {
    if (check.suspended || check.plan === null) return;
    const former = check.assignment;
    const next = this.#duty.assignmentOf(check.key, check.plan.spec.intervalMs);
    check.assignment = next;
    if (next === null) {
      if (former !== null) this.#leaveDuty(check);
    } else if (former === null) {
      check.riseFall = new RiseFall(check.verdict);
      if (check.verdict === 'unknown') this.#prober.now(check);
      else this.#prober.at(check, this.#duty.nextMs(next, this.#options.clock.monotonicMs()));
    } else if (former.everyMs !== next.everyMs || former.offsetMs !== next.offsetMs) {
      // Never later than it was: a roster that keeps changing must not keep a backend from being probed.
      this.#prober.by(check, this.#duty.nextMs(next, this.#options.clock.monotonicMs()));
    }
  }

  #leaveDuty(check: Check): void {
    this.#prober.abandon(check);
    this.#opinions.withdraw(check, 'off duty');
    check.lastResult = null;
    check.voids = 0;
    check.suspectFromMs = null;
  }

  #doubt(): void {
    this.#duty.inDoubt = true;
    this.dutyChanged();
    this.#doubtEnds = this.#options.clock.after(this.#options.pace().leaseMs, () => {
      this.#duty.inDoubt = false;
      this.dutyChanged();
    });
  }

  // 3 judge
  #judge(check: Check, startMs: number, result: ProbeResult): void {
    const { clock } = this.#options;
    const { rise, fall, intervalMs, fastIntervalMs } = check.plan!.spec;
    const reason = result.ok ? '' : result.reason;
    this.#count(check, result.ok ? 'passed' : 'failed');
    check.lastResult = { passed: result.ok, reason, latencyMs: result.ok ? result.latencyMs : 0, atMs: clock.wallMs() };
    if (!result.ok && check.verdict === 'up') this.#eyes.contradicted();
    this.#liftEjections(check, rise, result.ok);
    const changed = check.riseFall.take(result.ok, rise, fall);
    const fits = result.ok === (check.riseFall.opinion === 'up');
    // One pass, or `fall` failures, are a conclusion: a suspicion costs no more probes than that.
    if (changed || (fits && startMs >= (check.suspectFromMs ?? 0))) check.suspectFromMs = null;
    // 4 report
    if (changed || (fits && this.#opinions.of(check) === null)) this.#opinions.conclude(check, result.ok ? 'up' : 'down', result.ok ? 'probe passed' : reason);
    const isContrary = !fits || (check.verdict !== 'unknown' && check.verdict !== check.riseFall.opinion);
    const repeatMs = check.suspectFromMs !== null ? SUSPECTED_MS : this.#duty.repeatMs(Math.min(fastIntervalMs, intervalMs));
    const nextMs = isContrary || check.suspectFromMs !== null ? startMs + repeatMs : this.#duty.nextMs(check.assignment!, startMs);
    this.#prober.at(check, Math.max(clock.monotonicMs(), nextMs));
  }

  /** Of several checks each must have passed so often. */
  #liftEjections(check: Check, rise: number, passed: boolean): void {
    for (const { row, poolRow, ejectionPasses, peers } of check.rows) {
      ejectionPasses.probeEnds(row, passed, rise);
      if (!peers.every((peer) => peer.ejectionPasses.areEnough(row))) continue;
      row.resetEjections();
      liftEjection(poolRow, row);
    }
  }

  #count(check: Check, result: 'passed' | 'failed' | 'void'): void {
    for (const { pool } of check.rows) this.counts.probed(pool.name, result);
  }
}
