/**
 * When probes that pass end an ejection: workers eject a backend by what they
 * see themselves, and `rise` passes in a row say that it is well again.
 */
import type { BackendRow } from '../../shared/backend-table.ts';

/** Counts passes of probes that began while the row was ejected, each ejection from zero. */
export class EjectionPasses {
  #passes = 0;
  /** Of the ejection that the running probe began in; null: it was not ejected then. */
  #until: number | null = null;
  #isEnough = false;

  probeBegins(row: BackendRow): void {
    const until = row.ejected ? row.ejectedUntil : null;
    if (until !== this.#until) {
      this.#passes = 0;
      this.#isEnough = false;
    }
    this.#until = until;
  }

  probeEnds(row: BackendRow, passed: boolean, rise: number): void {
    if (!this.#isOf(row)) return;
    this.#passes = passed ? this.#passes + 1 : 0;
    this.#isEnough = this.#passes >= rise;
  }

  /** True once `rise` in a row have passed, while it still is the same ejection. */
  areEnough(row: BackendRow): boolean {
    return this.#isEnough && this.#isOf(row);
  }

  #isOf(row: BackendRow): boolean {
    return this.#until !== null && row.ejected && row.ejectedUntil === this.#until;
  }
}
