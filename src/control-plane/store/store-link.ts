/**
 * A member's side of the store: one call in flight, what is to be said gathered
 * meanwhile, what comes back handed on. Away (the store gave anything but a
 * good answer) what this member itself has seen holds for it at once, and the
 * call is tried again; nothing waits.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { operatorKey, REPORTS_MAX, type OperatorEntry, type ReadUpTo, type Store, type StoreAnswer, type VerdictEntry, type VerdictReport } from './store.ts';

/** Calls are tried again after a random part of this, so that members do not return all at once. */
const RETRY_MS = 1000;

export interface LinkListener {
  /** `value` null: the tier has no verdict on that check any more. */
  onVerdict(check: string, value: VerdictEntry | null): void;
  onOperatorState(key: string, value: OperatorEntry | null): void;
  /** `reason` is null while the store answers. */
  onState(reason: string | null): void;
}

export interface StoreLinkOptions {
  readonly store: Store;
  /** This member's id. */
  readonly member: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly listener: LinkListener;
}

export class StoreLink {
  readonly #options: StoreLinkOptions;
  /** The newest of each is what is said. */
  readonly #reports = new Map<string, VerdictReport>();
  readonly #operatorStates = new Map<string, OperatorEntry>();
  readonly #unsubscribe: () => void;
  #have: ReadUpTo | null = null;
  #number = 0;
  #inFlight = false;
  #wanted = false;
  #stopped = false;
  #retry: Timer | null = null;
  #away: string | null = null;

  constructor(options: StoreLinkOptions) {
    this.#options = options;
    this.#unsubscribe = options.store.subscribe(() => this.#kick());
  }

  /** Why the store is away; null: it answers. */
  get awayReason(): string | null {
    return this.#away;
  }

  /** The tier's verdict comes back through `onVerdict`, if this changes it. */
  report(report: VerdictReport): void {
    this.#reports.set(report.check, report);
    if (this.#away !== null) this.#applyOwn([report], []);
    this.#kick();
  }

  putOperatorState(entry: OperatorEntry): void {
    this.#operatorStates.set(operatorKey(entry.pool, entry.address), entry);
    if (this.#away !== null) this.#applyOwn([], [entry]);
    this.#kick();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    this.#retry?.cancel();
    await this.#options.store.close();
  }

  /** What is said in one turn of the loop leaves in one call. */
  #kick(): void {
    this.#wanted = true;
    if (this.#inFlight || this.#stopped || this.#retry !== null) return;
    this.#inFlight = true;
    queueMicrotask(() => void this.#callUntilDone());
  }

  async #callUntilDone(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      const reports = take(this.#reports, REPORTS_MAX);
      const operatorStates = take(this.#operatorStates, REPORTS_MAX);
      this.#number++;
      let answer: StoreAnswer;
      try {
        answer = await this.#options.store.call({ member: this.#options.member, number: this.#number, reports, operatorStates, have: this.#have });
      } catch (error) {
        this.#putBack(reports, operatorStates);
        this.#setAway(error instanceof Error ? error.message : String(error));
        this.#applyOwn(reports, operatorStates);
        this.#tryLater();
        break;
      }
      this.#setAway(null);
      this.#accept(answer);
      if (this.#reports.size > 0 || this.#operatorStates.size > 0) this.#wanted = true;
    }
    this.#inFlight = false;
  }

  /** A `whole` answer takes nothing away: where the store has no entry, this member's own view stays. */
  #accept(answer: StoreAnswer): void {
    const { listener } = this.#options;
    for (const { key, value } of answer.verdicts.entries) listener.onVerdict(key, value);
    for (const { key, value } of answer.operatorStates.entries) listener.onOperatorState(key, value);
    this.#have = { run: answer.run, verdicts: answer.verdicts.epoch, operatorStates: answer.operatorStates.epoch };
    if (answer.verdicts.more || answer.operatorStates.more) this.#wanted = true;
  }

  /** Something said since then is newer and stays. */
  #putBack(reports: readonly VerdictReport[], operatorStates: readonly OperatorEntry[]): void {
    for (const report of reports) if (!this.#reports.has(report.check)) this.#reports.set(report.check, report);
    for (const entry of operatorStates) {
      const key = operatorKey(entry.pool, entry.address);
      if (!this.#operatorStates.has(key)) this.#operatorStates.set(key, entry);
    }
  }

  #applyOwn(reports: readonly VerdictReport[], operatorStates: readonly OperatorEntry[]): void {
    const { listener } = this.#options;
    for (const { check, verdict, reason, atMs } of reports) {
      listener.onVerdict(check, verdict === null ? null : { check, verdict, reason, atMs });
    }
    for (const entry of operatorStates) listener.onOperatorState(operatorKey(entry.pool, entry.address), entry);
  }

  #setAway(reason: string | null): void {
    if (this.#away === reason) return;
    this.#away = reason;
    this.#options.listener.onState(reason);
  }

  #tryLater(): void {
    const { clock, random } = this.#options;
    this.#retry = clock.after(random.next() * RETRY_MS, () => {
      this.#retry = null;
      this.#kick();
    });
  }
}

/** Takes up to `limit` values out of `map`, oldest first. */
function take<T>(map: Map<string, T>, limit: number): T[] {
  const taken: T[] = [];
  for (const [key, value] of map) {
    if (taken.length === limit) break;
    taken.push(value);
    map.delete(key);
  }
  return taken;
}
