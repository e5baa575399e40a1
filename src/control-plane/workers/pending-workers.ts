/** Workers an answer is awaited from. Whoever dies is taken out too, so that waiting always ends. */
export class PendingWorkers {
  readonly #indexes = new Set<number>();
  #waiters: (() => void)[] = [];

  add(index: number): void {
    this.#indexes.add(index);
  }

  delete(index: number): void {
    if (!this.#indexes.delete(index) || this.#indexes.size > 0) return;
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  get isEmpty(): boolean {
    return this.#indexes.size === 0;
  }

  /** Resolves when none is left; at once if none is. */
  empty(): Promise<void> {
    if (this.isEmpty) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }
}
