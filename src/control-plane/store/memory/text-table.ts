/**
 * A table of texts that knows in which order they changed, for the memory
 * store: each change gets the next epoch, so that a reader who names the last
 * one it has is told only what came after. Held by tier-state.ts. A change
 * costs the same however large the table is, a reading what it brings.
 *
 * A reading of the whole table takes several pages, and all of them may lie
 * below the oldest epoch that other readers may go on from; until its last page
 * such a reader is therefore given the NEGATIVE of the epoch it has come to.
 */
import { CHANGES_MAX, ANSWER_BYTES_MAX, entryHash, TOMBSTONES_MAX, type TableChanges } from '../tier-store.ts';

interface Entry {
  readonly text: string;
  readonly epoch: number;
  readonly hash: number;
  readonly bytes: number;
}

/** What one answer may still bring, over all of its tables. */
export class AnswerBudget {
  #entries: number;
  #bytes: number;
  #used = false;

  constructor(entries = CHANGES_MAX, bytes = ANSWER_BYTES_MAX) {
    this.#entries = entries;
    this.#bytes = bytes;
  }

  /** False: no more fits. The first entry always does, or a large one would never be read. */
  take(bytes: number): boolean {
    if (this.#entries === 0 || (this.#used && bytes > this.#bytes)) {
      this.#entries = 0;
      return false;
    }
    this.#used = true;
    this.#entries--;
    this.#bytes -= bytes;
    return true;
  }
}

export class TextTable {
  #entries = new Map<string, Entry>();
  /** Epochs of removed keys, the oldest removal first. */
  #removed = new Map<string, number>();
  /** One record a change, ascending; those overtaken by a later change of the same key are skipped, and cut now and then. */
  #order: { readonly epoch: number; readonly key: string }[] = [];
  #epoch = 0;
  /** Readers of an older epoch may have missed a removal that is forgotten. */
  #floor = 0;
  #digest = 0;

  copy(): TextTable {
    const copy = new TextTable();
    copy.#entries = new Map(this.#entries);
    copy.#removed = new Map(this.#removed);
    copy.#order = [...this.#order];
    copy.#epoch = this.#epoch;
    copy.#floor = this.#floor;
    copy.#digest = this.#digest;
    return copy;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get(key: string): string | undefined {
    return this.#entries.get(key)?.text;
  }

  /** The same text again is no change. */
  set(key: string, text: string): void {
    const former = this.#entries.get(key);
    if (former?.text === text) return;
    const hash = entryHash(key, text);
    this.#removed.delete(key);
    this.#entries.set(key, { text, epoch: ++this.#epoch, hash, bytes: Buffer.byteLength(key) + Buffer.byteLength(text) });
    this.#digest = (this.#digest - (former?.hash ?? 0) + hash) >>> 0;
    this.#record(key);
  }

  /** To remove what is not there changes nothing. */
  remove(key: string): void {
    const former = this.#entries.get(key);
    if (former === undefined) return;
    this.#entries.delete(key);
    this.#digest = (this.#digest - former.hash) >>> 0;
    this.#removed.set(key, ++this.#epoch);
    if (this.#removed.size > TOMBSTONES_MAX) {
      const [oldest, epoch] = this.#removed.entries().next().value!;
      this.#removed.delete(oldest);
      this.#floor = epoch;
    }
    this.#record(key);
  }

  /** What changed after `from`, an epoch given before; null: everything there is. */
  changesSince(from: number | null, budget: AnswerBudget): TableChanges {
    const reading = from !== null && from < 0;
    const after = from === null ? 0 : Math.abs(from);
    const whole = from === null || after > this.#epoch || (!reading && after < this.#floor);
    const start = whole ? 0 : after;
    const entries: { key: string; text: string | null }[] = [];
    let upTo = start;
    let more = false;
    for (let i = this.#indexAfter(start); i < this.#order.length; i++) {
      const { key, epoch } = this.#order[i]!;
      const entry = this.#entries.get(key);
      if (!this.#isCurrent(key, epoch) || (whole && entry === undefined)) continue;
      if (!budget.take(entry?.bytes ?? Buffer.byteLength(key))) {
        more = true;
        break;
      }
      entries.push({ key, text: entry?.text ?? null });
      upTo = epoch;
    }
    return { whole, entries, epoch: this.#goOnFrom(upTo, more, whole || reading), more, count: this.#entries.size, digest: this.#digest };
  }

  #goOnFrom(upTo: number, more: boolean, readsAll: boolean): number {
    if (!more) return this.#epoch;
    return readsAll && upTo > 0 ? -upTo : upTo;
  }

  #isCurrent(key: string, epoch: number): boolean {
    return (this.#entries.get(key)?.epoch ?? this.#removed.get(key)) === epoch;
  }

  /** Index of the first record after `epoch`. */
  #indexAfter(epoch: number): number {
    let low = 0;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#order[middle]!.epoch <= epoch) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #record(key: string): void {
    this.#order.push({ epoch: this.#epoch, key });
    // Cut only once half of it is stale, so that a change costs the same on average.
    if (this.#order.length > 2 * (this.#entries.size + this.#removed.size) + TOMBSTONES_MAX) {
      this.#order = this.#order.filter(({ key, epoch }) => this.#isCurrent(key, epoch));
    }
  }
}
