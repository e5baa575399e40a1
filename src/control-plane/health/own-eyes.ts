/**
 * What this proxy sees of backends besides its duty: connects refused to its
 * workers' traffic. A refusal is a suspicion, told to the tier so that those on
 * duty look at once; but a proxy whose own eyes contradict most of what the
 * tier holds is more likely cut off itself. It is `isolated`, says so, and
 * raises no suspicion. Main thread only; costs nothing while all is well.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { Membership } from '../membership/membership.ts';
import type { Check } from './check.ts';
import type { TierPace } from './duty.ts';
import { DOUBT_MIN } from './opinions.ts';

export interface OwnEyesOptions {
  readonly clock: Clock;
  readonly pace: () => TierPace;
  readonly membership: Pick<Membership, 'readyCount' | 'suspect'>;
  readonly checks: () => Iterable<Check>;
  /** Grows with each answer that a row's backend gives to this proxy's traffic. */
  readonly answersOf: (rowNumber: number) => number;
  readonly onIsolated: (isolated: boolean) => void;
}

/** Suspicions that one member raises in one interval of a check. */
const SUSPICIONS_MAX = 20;
/** Answers count as seen for so long; and isolation is looked for no more often than every LOOK_MS. */
const ANSWERS_MS = 3000;
const LOOK_MS = 100;

export class OwnEyes {
  readonly #options: OwnEyesOptions;
  /** Monotonic times of the last SUSPICIONS_MAX, oldest first. */
  readonly #raisedMs: number[] = [];
  /** Answers by row at #answersMs. */
  #answers = new Map<number, number>();
  #answersMs = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | null = null;
  #isolated = false;

  constructor(options: OwnEyesOptions) {
    this.#options = options;
  }

  get isolated(): boolean {
    return this.#isolated;
  }

  /** A worker's connect to this check's backend was refused, and it was ejected for that. */
  refused(check: Check): void {
    this.contradicted();
    const intervalMs = check.plan?.spec.intervalMs;
    if (intervalMs === undefined || this.#isolated || check.verdict !== 'up') return;
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - check.suspectedMs < intervalMs) return;
    if (this.#raisedMs.length === SUSPICIONS_MAX && nowMs - this.#raisedMs[0]! < intervalMs) return;
    if (this.#raisedMs.length === SUSPICIONS_MAX) this.#raisedMs.shift();
    this.#raisedMs.push(nowMs);
    check.suspectedMs = nowMs;
    this.#options.membership.suspect(check.key);
  }

  /** Something was seen that contradicts an up verdict: look whether most does. */
  contradicted(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#timer === null) {
      this.#noteAnswers(nowMs);
      this.#timer = this.#options.clock.every(this.#options.pace().heartbeatMs, () => this.#look(this.#options.clock.monotonicMs()));
    }
    if (nowMs - this.#lookedMs >= LOOK_MS) this.#look(nowMs);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #look(nowMs: number): void {
    this.#lookedMs = nowMs;
    let contrary = 0;
    let fitting = 0;
    for (const check of this.#options.checks()) {
      if (check.plan === null || check.verdict !== 'up') continue;
      if (isContrary(check)) contrary++;
      else if (check.lastResult?.passed === true || this.#hasAnswered(check)) fitting++;
    }
    // In a tier of one the verdicts are its own: there is nobody to be cut off from.
    this.#setIsolated(contrary >= DOUBT_MIN && contrary > fitting && this.#options.membership.readyCount > 1);
    if (contrary === 0) this.stop();
    else if (nowMs - this.#answersMs > ANSWERS_MS) this.#noteAnswers(nowMs);
  }

  #setIsolated(isolated: boolean): void {
    if (this.#isolated === isolated) return;
    this.#isolated = isolated;
    this.#options.onIsolated(isolated);
  }

  #noteAnswers(nowMs: number): void {
    this.#answersMs = nowMs;
    this.#answers = new Map();
    for (const check of this.#options.checks()) {
      if (check.plan === null || check.verdict !== 'up') continue;
      for (const { number } of check.rows) this.#answers.set(number, this.#options.answersOf(number));
    }
  }

  #hasAnswered(check: Check): boolean {
    return check.rows.some(({ number }) => this.#options.answersOf(number) > (this.#answers.get(number) ?? Number.POSITIVE_INFINITY));
  }
}

/** `lastResult` is kept only while on duty. */
function isContrary({ rows, lastResult }: Check): boolean {
  return lastResult?.passed === false || rows.some(({ row }) => row.ejected);
}
