/**
 * Probes every check of the running config and concludes from the results:
 *
 *   1 due      its time has come, or a change asks for a probe at once
 *   2 attempt  one probe of its type, bounded in time and in number
 *   3 judge    void? pass or failure, rise and fall
 *   4 report   a changed opinion goes to the store, whose verdict comes back
 *              through `acceptVerdict` and from there into the rows
 *
 * `interval` is from start to start, a little jittered; `fastInterval` follows
 * a result unlike the opinion, unless it is the longer of the two. A failure
 * across a stall of this thread, or for want of our own resources, is void and
 * the probe repeated at once. Runs on the main thread, never throws for what a
 * backend does, and holds no turn of the loop for long: one timer serves all
 * checks, and what is due starts a slice at a time.
 */
import type { Clock, SlicedWork, Timer } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { Schedule } from '../../base/schedule.ts';
import type { Dial } from '../../net/dial.ts';
import { liftEjection } from '../../shared/ejections.ts';
import { BACKENDS_PER_TURN, type PlacedBackend } from '../backend-rows.ts';
import type { VerdictEntry, VerdictReport } from '../store/store.ts';
import { CheckSet } from './check-set.ts';
import type { Attempt, Check, ProbePlan } from './check.ts';
import { PoolCounts } from './pool-counts.ts';
import type { ProbeResult } from './probe.ts';
import { StallWatch } from './stalls.ts';
import { Verdicts } from './verdicts.ts';

/** Where names are; net/resolve-name.ts answers. */
export interface NameSource {
  /** Literal IP; null: none is known. */
  addressOf(name: string): string | null;
  /** Why there is none; null: there is one, or the first lookup is still out. */
  failureOf(name: string): string | null;
  /** A connect to its address failed: worth looking it up again. */
  connectFailed(name: string): void;
}

export interface MonitorOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly dial: Dial;
  readonly names: NameSource;
  /** Says what this prober concluded; the verdict comes back through `acceptVerdict`. */
  readonly report: (report: VerdictReport) => void;
  /** Probes under way at once; further ones wait their turn. */
  readonly concurrencyMax?: number;
}

/** A dead pool's probes each hold a descriptor for `timeout`; this many are well below any usual limit. */
const CONCURRENCY_MAX = 512;
/** A start costs about 0.1 ms of this thread: a turn stays below 5 ms. */
const STARTS_PER_TURN_MAX = 32;
/** Jitter either way: this share of the interval, and no more than this, so that detection stays within its bounds. */
const JITTER_SHARE = 0.05;
const JITTER_MS_MAX = 50;
/** A failure is void if more than this share of its time-out was lost to a stall, and more than the stall watch can tell apart. */
const STALL_SHARE = 0.25;
const STALL_MS_MIN = 20;
/** How long a deadline waits for the loop to read what has already arrived. */
const READ_GRACE_MS = 1;

export class HealthMonitor {
  readonly counts = new PoolCounts();
  readonly verdicts: Verdicts;
  readonly #options: MonitorOptions;
  readonly #checks: CheckSet;
  readonly #schedule: Schedule<Check>;
  readonly #stalls: StallWatch;
  readonly #concurrencyMax: number;
  /** Due, but too many others are under way. */
  readonly #waiting = new Set<Check>();
  #underWay = 0;

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.verdicts = new Verdicts(options.clock, this.counts);
    this.#checks = new CheckSet(this.verdicts);
    this.#schedule = new Schedule(options.clock, (check) => this.#due(check), STARTS_PER_TURN_MAX);
    this.#stalls = new StallWatch(options.clock);
    this.#concurrencyMax = options.concurrencyMax ?? CONCURRENCY_MAX;
  }

  /** The backends of the config that is about to run. Their effective states are in the rows already. */
  *apply(placed: readonly PlacedBackend[]): SlicedWork {
    const { added, kept, removed } = yield* this.#checks.apply(placed);
    this.counts.keepOnly(new Set(placed.map(({ pool }) => pool.name)));
    let count = 0;
    for (const [checks, take] of [
      [removed, (check: Check) => this.#remove(check)],
      [kept, (check: Check) => this.#adjust(check)],
      [added, (check: Check) => this.#add(check)],
    ] as const) {
      for (const check of checks) {
        take(check);
        if (++count % BACKENDS_PER_TURN === 0) yield;
      }
    }
  }

  /** The store's word on a check; null: it has none, and the rows stay as they are. */
  acceptVerdict(key: string, entry: VerdictEntry | null): void {
    const check = this.#checks.get(key);
    if (check === undefined || check.suspended || entry === null) return;
    check.verdict = entry.verdict;
    this.verdicts.give(check.rows, entry.verdict, entry.reason);
  }

  /** The effective state of this row has changed: `disabled` is not probed, and probed at once when that ends. */
  stateChanged(rowNumber: number): void {
    const check = this.#checks.ofRow(rowNumber);
    if (check !== undefined) this.#adjust(check);
  }

  /** A name has another address, or turned out to have none. */
  nameChanged(name: string): void {
    for (const check of this.#checks.named(name)) {
      if (check.suspended) continue;
      if (check.plan === null) this.#judgeUnprobed(check);
      else this.#probeNow(check);
    }
  }

  /** Addresses whose first verdict is still out: no verdict and no result of our own. */
  *pending(): Iterable<string> {
    for (const check of this.#checks.values()) {
      if (!check.suspended && check.verdict === 'unknown' && check.lastResult === null) yield check.address;
    }
  }

  checkOf(rowNumber: number): Check | undefined {
    return this.#checks.ofRow(rowNumber);
  }

  stop(): void {
    this.#schedule.stop();
    this.#stalls.stop();
    this.#waiting.clear();
    for (const check of this.#checks.values()) this.#abandon(check);
  }

  #add(check: Check): void {
    if (check.plan === null) return this.#isDisabled(check) ? this.#suspend(check) : this.#judgeUnprobed(check);
    if (this.#isDisabled(check)) return this.#suspend(check);
    if (check.verdict === 'unknown') return this.#probeNow(check);
    this.#report(check, check.verdict, 'as found before the config changed');
    this.#schedule.at(check, this.#options.clock.monotonicMs() + this.#options.random.next() * check.plan.spec.intervalMs);
  }

  #remove(check: Check): void {
    this.#abandon(check);
    if (check.verdict !== 'unknown') this.#report(check, null, 'no longer in the config');
  }

  #adjust(check: Check): void {
    const isDisabled = this.#isDisabled(check);
    if (isDisabled === check.suspended) return;
    if (isDisabled) return this.#suspend(check);
    check.suspended = false;
    if (check.plan === null) this.#judgeUnprobed(check);
    else this.#probeNow(check);
  }

  #isDisabled(check: Check): boolean {
    return check.rows.every(({ row }) => row.state === 'disabled');
  }

  /** Not probed, so nothing is known: when that ends, the first result decides. */
  #suspend(check: Check): void {
    this.#abandon(check);
    if (check.verdict !== 'unknown') this.#report(check, null, 'disabled');
    check.suspended = true;
    check.restart('unknown');
    this.verdicts.give(check.rows, 'unknown', 'disabled');
  }

  /** A probe under way goes on to its end, but counts for nothing. */
  #abandon(check: Check): void {
    this.#schedule.cancel(check);
    this.#waiting.delete(check);
    check.attempt?.controller.abort();
    check.attempt = null;
  }

  #judgeUnprobed(check: Check): void {
    const { names, clock } = this.#options;
    const { named, host } = check.backend;
    const failure = named && names.addressOf(host) === null ? names.failureOf(host) : null;
    if (named && names.addressOf(host) === null && failure === null) return;
    check.verdict = failure === null ? 'up' : 'down';
    check.lastResult = { passed: failure === null, reason: failure ?? '', latencyMs: 0, atMs: clock.wallMs() };
    // That an address nobody probes counts as up is no news, and 10,000 of them would tell as many lines.
    this.verdicts.give(check.rows, check.verdict, failure ?? 'not probed', named);
  }

  #probeNow(check: Check): void {
    if (check.attempt === null && !this.#waiting.has(check)) this.#schedule.at(check, this.#options.clock.monotonicMs());
  }

  // 1 due
  #due(check: Check): void {
    if (this.#underWay >= this.#concurrencyMax) {
      this.#waiting.add(check);
      return;
    }
    const { names, clock } = this.#options;
    const { named, host } = check.backend;
    const address = named ? names.addressOf(host) : host;
    if (address !== null) return this.#attempt(check, check.plan!, address);
    const failure = names.failureOf(host);
    // While its first lookup is out there is nothing to say yet; nameChanged comes back.
    if (failure !== null) this.#judge(check, check.plan!, clock.monotonicMs(), { ok: false, reason: failure });
  }

  // 2 attempt
  #attempt(check: Check, { spec, definition }: ProbePlan, host: string): void {
    const { clock, dial } = this.#options;
    const attempt: Attempt = { startMs: clock.monotonicMs(), controller: new AbortController() };
    check.attempt = attempt;
    this.#underWay++;
    this.#stalls.begin();
    for (const { row, ejectionPasses } of check.rows) ejectionPasses.probeBegins(row);
    let timer: Timer = clock.after(spec.timeoutMs, () => {
      // After a busy turn this timer runs before the sockets are read: an answer that is here already must win.
      timer = clock.after(READ_GRACE_MS, () => attempt.controller.abort());
    });
    const target = { host, port: spec.port ?? check.backend.port, address: check.address };
    definition
      .probe(target, spec.options, { signal: attempt.controller.signal, dial, clock })
      .catch((error: unknown): ProbeResult => ({ ok: false, reason: `probe failed: ${String(error)}` }))
      .then((result) => {
        timer.cancel();
        this.#underWay--;
        this.#startWaiting();
        if (check.attempt !== attempt) return;
        check.attempt = null;
        const isLate = !result.ok && attempt.controller.signal.aborted;
        this.#judge(check, check.plan!, attempt.startMs, isLate ? { ...result, reason: `timed out after ${spec.timeoutMs} ms` } : result);
      })
      .catch((error: unknown) => {
        // A bug of ours must not pass for a verdict on anyone: it goes where uncaught errors go.
        queueMicrotask(() => {
          throw error;
        });
      })
      .finally(() => this.#stalls.end());
  }

  #startWaiting(): void {
    for (const next of this.#waiting) {
      if (this.#underWay >= this.#concurrencyMax) return;
      this.#waiting.delete(next);
      this.#due(next);
    }
  }

  // 3 judge
  #judge(check: Check, { spec }: ProbePlan, startMs: number, result: ProbeResult): void {
    const { clock, names } = this.#options;
    if (!result.ok && result.unreached === true && check.backend.named) names.connectFailed(check.backend.host);
    if (!result.ok && this.#isVoid(spec.timeoutMs, startMs, result)) {
      this.#count(check, 'void');
      check.voids++;
      // The first repeat is at once; a process that keeps standing still must not make that a busy loop.
      this.#schedule.at(check, check.voids === 1 ? clock.monotonicMs() : startMs + spec.fastIntervalMs);
      return;
    }
    check.voids = 0;
    this.#count(check, result.ok ? 'passed' : 'failed');
    const reason = result.ok ? '' : result.reason;
    check.lastResult = { passed: result.ok, reason, latencyMs: result.ok ? result.latencyMs : 0, atMs: clock.wallMs() };
    this.#liftEjections(check, spec.rise, result.ok);
    const changed = check.riseFall.take(result.ok, spec.rise, spec.fall);
    if (changed) this.#report(check, result.ok ? 'up' : 'down', result.ok ? 'probe passed' : reason);
    this.#schedule.at(check, Math.max(clock.monotonicMs(), startMs + this.#delayMs(check, spec, result.ok)));
  }

  #isVoid(timeoutMs: number, startMs: number, result: ProbeResult): boolean {
    if (!result.ok && result.ours === true) return true;
    return this.#stalls.stalledMsSince(startMs) > Math.max(STALL_MS_MIN, timeoutMs * STALL_SHARE);
  }

  #liftEjections(check: Check, rise: number, passed: boolean): void {
    for (const { row, poolRow, ejectionPasses } of check.rows) {
      if (!ejectionPasses.probeEnds(row, passed, rise)) continue;
      row.resetEjections();
      liftEjection(poolRow, row);
    }
  }

  #delayMs(check: Check, { intervalMs, fastIntervalMs }: ProbePlan['spec'], passed: boolean): number {
    const isContrary = passed !== (check.riseFall.opinion === 'up');
    const baseMs = isContrary ? Math.min(fastIntervalMs, intervalMs) : intervalMs;
    if (!isContrary && !check.phased) {
      check.phased = true;
      return baseMs * this.#options.random.next();
    }
    const jitterMs = Math.min(baseMs * JITTER_SHARE, JITTER_MS_MAX);
    return baseMs + jitterMs * (2 * this.#options.random.next() - 1);
  }

  #count(check: Check, result: 'passed' | 'failed' | 'void'): void {
    for (const { pool } of check.rows) this.counts.probed(pool.name, result);
  }

  // 4 report
  #report(check: Check, verdict: VerdictReport['verdict'], reason: string): void {
    this.#options.report({ check: check.key, verdict, reason, atMs: this.#options.clock.wallMs() });
  }
}
