/**
 * How far a member has read: a copy of each of the store's tables, the run they
 * are of and the epoch of the config. It finds out breaks: another run
 * (`rebuilt`), or epochs that went back or a digest that differs with nothing
 * left to read (`rewound`). Either way everything is read again. Pure.
 */
import { type ReadUpTo, type StoreAnswer, type StoreHint } from '../store/tier-store.ts';
import { TableCopy, type TableEntry, type TableNews } from './table-copy.ts';

export type BreakKind = 'rebuilt' | 'rewound';

export interface SyncNews {
  /** null: what was read follows on what there was. */
  readonly broken: BreakKind | null;
  readonly members: TableNews;
  readonly verdicts: TableNews;
  readonly operatorStates: TableNews;
  /** Nothing is left to read, and the copies are what the store has. */
  readonly complete: boolean;
}

export class TableSync {
  readonly members = new TableCopy();
  readonly verdicts = new TableCopy();
  readonly operatorStates = new TableCopy();
  #run: string | null = null;
  #configEpoch = 0;
  /** Nothing has been read to the end yet: what is read first is no break. */
  #fresh = true;

  get run(): string | null {
    return this.#run;
  }

  get configEpoch(): number {
    return this.#configEpoch;
  }

  get isReading(): boolean {
    return this.#copies().some(({ isReading }) => isReading);
  }

  /** What the next call names. `configAgain`: the config is to be told whatever its epoch. */
  have(configAgain: boolean): ReadUpTo | null {
    if (this.#run === null) return null;
    const { members, verdicts, operatorStates } = this;
    return { run: this.#run, members: members.epoch, verdicts: verdicts.epoch, operatorStates: operatorStates.epoch, config: configAgain ? 0 : this.#configEpoch };
  }

  /** The run a join was answered with; true: it is not the one that was read. */
  joined(run: string): boolean {
    if (run === this.#run) return false;
    const isBreak = this.#run !== null && !this.#fresh;
    this.#startRun(run);
    return isBreak;
  }

  accept(answer: StoreAnswer): SyncNews {
    const isRebuilt = this.#run !== null && this.#run !== answer.run && !this.#fresh;
    if (answer.run !== this.#run) this.#startRun(answer.run);
    if (answer.config !== null) this.#configEpoch = answer.config.epoch;
    const members = this.members.accept(answer.members);
    const verdicts = this.verdicts.accept(answer.verdicts);
    const operatorStates = this.operatorStates.accept(answer.operatorStates);
    const news = [members, verdicts, operatorStates];
    const differs = news.some((each) => each.differs);
    if (differs) this.#readAgain();
    const isRewound = !isRebuilt && !this.#fresh && news.some((each) => each.wentBack || each.differs);
    const complete = !this.isReading && ![answer.members, answer.verdicts, answer.operatorStates].some(({ more }) => more);
    if (complete) this.#fresh = false;
    return { broken: isRebuilt ? 'rebuilt' : isRewound ? 'rewound' : null, members, verdicts, operatorStates, complete };
  }

  /**
   * What a message brings: verdicts to hand on, and whether a call is needed
   * for the rest. A message that follows on nothing read here brings nothing.
   */
  hear(hint: StoreHint): { readonly verdicts: readonly TableEntry[]; readonly call: boolean } {
    if (hint.run !== this.#run) return { verdicts: [], call: true };
    const isNews = hint.verdictsTo > this.verdicts.epoch;
    const follows = isNews && hint.verdicts !== null && hint.verdictsFrom <= this.verdicts.epoch;
    if (follows) this.verdicts.advance(hint.verdicts, hint.verdictsTo);
    const call = (isNews && !follows) || hint.operatorStates > this.operatorStates.epoch || hint.config > this.#configEpoch;
    return { verdicts: follows ? hint.verdicts : [], call };
  }

  #startRun(run: string): void {
    this.#run = run;
    this.#configEpoch = 0;
    this.#readAgain();
  }

  #readAgain(): void {
    for (const copy of this.#copies()) copy.readAgain();
  }

  #copies(): readonly TableCopy[] {
    return [this.members, this.verdicts, this.operatorStates];
  }
}
