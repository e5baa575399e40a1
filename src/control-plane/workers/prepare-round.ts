/**
 * The answers to one `prepare`, until every worker that was asked has given
 * one or died. A worker that dies before it answers counts as lost, so a round
 * always ends: one that hangs is killed by its heartbeat.
 */
export interface PrepareOutcome {
  /** What the workers refused it for, each text once. Empty with no `lost`: all are ready to commit. */
  readonly problems: readonly string[];
  /** Why each worker died that did so before it answered. */
  readonly lost: readonly string[];
}

export class PrepareRound {
  readonly number: number;
  readonly #waiting: Set<number>;
  readonly #problems = new Set<string>();
  readonly #lost: string[] = [];
  readonly #done = Promise.withResolvers<PrepareOutcome>();

  constructor(number: number, asked: Iterable<number>) {
    this.number = number;
    this.#waiting = new Set(asked);
    this.#endIfComplete();
  }

  get outcome(): Promise<PrepareOutcome> {
    return this.#done.promise;
  }

  answered(index: number, problems: readonly string[]): void {
    for (const problem of problems) this.#problems.add(problem);
    this.#waiting.delete(index);
    this.#endIfComplete();
  }

  died(index: number, reason: string): void {
    if (!this.#waiting.delete(index)) return;
    this.#lost.push(reason);
    this.#endIfComplete();
  }

  #endIfComplete(): void {
    if (this.#waiting.size === 0) this.#done.resolve({ problems: [...this.#problems], lost: this.#lost });
  }
}
