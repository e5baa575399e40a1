/**
 * One prober's opinion of a check: `rise` passes in a row make it up, `fall`
 * failures in a row make it down, and from `unknown` the first result decides.
 */
import type { Verdict } from '../../shared/backend-table.ts';

export class RiseFall {
  #opinion: Verdict;
  /** Results in a row that contradict the opinion. */
  #contrary = 0;

  constructor(opinion: Verdict) {
    this.#opinion = opinion;
  }

  get opinion(): Verdict {
    return this.#opinion;
  }

  /** Takes a result; true if the opinion changed. */
  take(passed: boolean, rise: number, fall: number): boolean {
    const says = passed ? 'up' : 'down';
    if (says === this.#opinion) {
      this.#contrary = 0;
      return false;
    }
    this.#contrary++;
    const needed = this.#opinion === 'unknown' ? 1 : passed ? rise : fall;
    if (this.#contrary < needed) return false;
    this.#opinion = says;
    this.#contrary = 0;
    return true;
  }
}
