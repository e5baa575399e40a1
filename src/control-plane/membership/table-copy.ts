/**
 * What a member has read of one of the store's tables: texts by key, with the
 * digest they come to. A reading of the whole is gathered beside what there
 * was and takes its place when it is complete, so that whoever asks never sees
 * half a table. Pure; knows nothing of what the texts mean.
 */
import { entryHash, type TableChanges } from '../store/tier-store.ts';

export interface TableEntry {
  readonly key: string;
  readonly text: string | null;
}

export interface TableNews {
  /** What is to be handed on, in order; of a completed reading of the whole, what it changed. */
  readonly entries: readonly TableEntry[];
  /** A reading of the whole has just been completed. */
  readonly whole: boolean;
  /** The store began it unasked, and it ended at an epoch below the one before. */
  readonly wentBack: boolean;
  /** With nothing left to read, this copy is not what the store has: it is to be read again. */
  readonly differs: boolean;
}

interface Slot {
  readonly text: string;
  readonly hash: number;
}

class Slots {
  readonly byKey = new Map<string, Slot>();
  digest = 0;
  epoch = 0;

  set(key: string, text: string | null): void {
    const former = this.byKey.get(key);
    if (former !== undefined) this.digest = (this.digest - former.hash) >>> 0;
    if (text === null) {
      this.byKey.delete(key);
      return;
    }
    const hash = former?.text === text ? former.hash : entryHash(key, text);
    this.byKey.set(key, { text, hash });
    this.digest = (this.digest + hash) >>> 0;
  }
}

export class TableCopy {
  #slots = new Slots();
  /** Being read from the beginning; null: nothing is. */
  #reading: Slots | null = new Slots();
  /** This side began the reading; false: the store did, unasked. */
  #asked = true;

  /** What to name in the next call. */
  get epoch(): number {
    return (this.#reading ?? this.#slots).epoch;
  }

  /** A reading of the whole is not complete. */
  get isReading(): boolean {
    return this.#reading !== null;
  }

  get(key: string): string | null {
    return this.#slots.byKey.get(key)?.text ?? null;
  }

  /** As last read to the end. */
  *entries(): Iterable<readonly [key: string, text: string]> {
    for (const [key, { text }] of this.#slots.byKey) yield [key, text];
  }

  get size(): number {
    return this.#slots.byKey.size;
  }

  /** The next call reads from the beginning; what there was stays until that is complete. */
  readAgain(): void {
    this.#reading = new Slots();
    this.#asked = true;
  }

  accept(changes: TableChanges): TableNews {
    if (changes.whole) {
      if (this.#reading === null) this.#asked = false;
      this.#reading = new Slots();
    }
    const into = this.#reading ?? this.#slots;
    for (const { key, text } of changes.entries) into.set(key, text);
    into.epoch = changes.epoch;
    if (changes.more) return { entries: this.#reading === null ? changes.entries : [], whole: false, wentBack: false, differs: false };
    if (this.#reading === null) {
      const differs = into.byKey.size !== changes.count || into.digest !== changes.digest;
      return { entries: changes.entries, whole: false, wentBack: false, differs };
    }
    const former = this.#slots;
    this.#slots = into;
    this.#reading = null;
    // Pages of two states of the store may not fit together: the next call, which changes nothing, finds that out.
    return { entries: difference(former, into), whole: true, wentBack: !this.#asked && into.epoch < former.epoch, differs: false };
  }

  /** Changes of a message that follow on what is here. */
  advance(entries: readonly TableEntry[], epoch: number): void {
    for (const { key, text } of entries) this.#slots.set(key, text);
    this.#slots.epoch = epoch;
  }
}

function difference(former: Slots, next: Slots): TableEntry[] {
  const changed: TableEntry[] = [];
  for (const [key, { text }] of next.byKey) if (former.byKey.get(key)?.text !== text) changed.push({ key, text });
  for (const key of former.byKey.keys()) if (!next.byKey.has(key)) changed.push({ key, text: null });
  return changed;
}
