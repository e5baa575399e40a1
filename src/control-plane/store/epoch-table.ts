/**
 * A table that knows in which order its entries changed: each change gets the
 * next epoch, so that a reader who names the last one it has is told only what
 * came after. Removed entries leave their key behind for a while; a reader who
 * missed one that is forgotten reads the table whole.
 */
import { hash32 } from '../../base/hash.ts';
import { CHANGES_MAX, type TableChanges } from './store.ts';

/** Keys of removed entries that are remembered. */
const TOMBSTONES_MAX = 1000;

interface Slot<T> {
  readonly value: T | null;
  readonly epoch: number;
  readonly hash: number;
}

export class EpochTable<T> {
  readonly #slots = new Map<string, Slot<T>>();
  /** One record a change, ascending; those overtaken by a later change of the same key are skipped, and cut now and then. */
  #log: { readonly epoch: number; readonly key: string }[] = [];
  #epoch = 0;
  /** Readers with an older epoch than this must read everything; every entry's own is above it. */
  #floor = 0;
  #count = 0;
  #digest = 0;
  #tombstones = 0;

  get(key: string): T | undefined {
    return this.#slots.get(key)?.value ?? undefined;
  }

  /** null removes the entry; to remove what is not there changes nothing. */
  set(key: string, value: T | null): void {
    const former = this.#slots.get(key);
    if (value === null && (former === undefined || former.value === null)) return;
    this.#discount(former);
    const hash = value === null ? 0 : hash32(`${key}\n${JSON.stringify(value)}`);
    this.#slots.set(key, { value, hash, epoch: ++this.#epoch });
    this.#log.push({ epoch: this.#epoch, key });
    if (value === null) this.#tombstones++;
    else this.#count++;
    this.#digest = (this.#digest + hash) >>> 0;
    this.#trim();
  }

  /** What changed after `epoch`; null: everything there is. */
  changesSince(epoch: number | null): TableChanges<T> {
    const whole = epoch === null || epoch < this.#floor || epoch > this.#epoch;
    const entries: { key: string; value: T | null }[] = [];
    let upTo = this.#epoch;
    let more = false;
    for (let i = this.#after(whole ? this.#floor : epoch); i < this.#log.length; i++) {
      const record = this.#log[i]!;
      const slot = this.#slots.get(record.key);
      if (slot?.epoch !== record.epoch || (whole && slot.value === null)) continue;
      if (entries.length === CHANGES_MAX) {
        more = true;
        break;
      }
      entries.push({ key: record.key, value: slot.value });
      upTo = record.epoch;
    }
    return { whole, entries, epoch: more ? upTo : this.#epoch, more, count: this.#count, digest: this.#digest };
  }

  #discount(slot: Slot<T> | undefined): void {
    if (slot === undefined) return;
    if (slot.value === null) this.#tombstones--;
    else this.#count--;
    this.#digest = (this.#digest - slot.hash) >>> 0;
  }

  /** Index of the first record after `epoch`. */
  #after(epoch: number): number {
    let low = 0;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#log[middle]!.epoch <= epoch) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #trim(): void {
    if (this.#tombstones > TOMBSTONES_MAX) this.#forgetRemoved();
    else if (this.#log.length > 2 * this.#slots.size + TOMBSTONES_MAX) this.#log = this.#log.filter(({ key, epoch }) => this.#slots.get(key)?.epoch === epoch);
  }

  /** What is left gets new epochs, all above the floor: a reading of the whole table in pages thus never falls below it again. */
  #forgetRemoved(): void {
    this.#floor = this.#epoch;
    this.#tombstones = 0;
    const kept = this.#log.filter(({ key, epoch }) => this.#slots.get(key)?.epoch === epoch);
    this.#log = [];
    for (const { key } of kept) {
      const slot = this.#slots.get(key)!;
      if (slot.value === null) {
        this.#slots.delete(key);
        continue;
      }
      this.#slots.set(key, { ...slot, epoch: ++this.#epoch });
      this.#log.push({ epoch: this.#epoch, key });
    }
  }
}
