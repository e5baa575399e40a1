/**
 * The newest word of operators on each key, said here or read. The newer stamp
 * stands wherever it comes from, so this also is what gives a store back the
 * words it has lost. Pure.
 */
import type { OperatorPut } from '../store/tier-store.ts';
import type { TableCopy, TableEntry } from './table-copy.ts';

/** `STAMP_MS BY JSON`; null: the text is not of that form. */
export function parseOperatorText(key: string, text: string): OperatorPut | null {
  const parts = /^(\d+) (\S+) \S/.exec(text);
  return parts === null ? null : { key, stampMs: Number(parts[1]), by: parts[2]!, text };
}

function isNewer(one: OperatorPut, other: OperatorPut): boolean {
  return one.stampMs === other.stampMs ? one.by > other.by : one.stampMs > other.stampMs;
}

export class OperatorTexts {
  readonly #newest = new Map<string, OperatorPut>();
  readonly #unreadable: (key: string) => void;

  constructor(unreadable: (key: string) => void) {
    this.#unreadable = unreadable;
  }

  /** False: a newer word is known. */
  put(entry: OperatorPut): boolean {
    const known = this.#newest.get(entry.key);
    if (known !== undefined && isNewer(known, entry)) return false;
    this.#newest.set(entry.key, entry);
    return true;
  }

  /** What of the store's word is news, and what the store has yet to hear. */
  merge(entries: readonly TableEntry[]): { readonly news: readonly TableEntry[]; readonly missing: readonly OperatorPut[] } {
    const news: TableEntry[] = [];
    const missing: OperatorPut[] = [];
    for (const { key, text } of entries) {
      const known = this.#newest.get(key);
      const read = text === null ? null : parseOperatorText(key, text);
      if (text !== null && read === null) this.#unreadable(key);
      if (read === null) {
        if (known !== undefined) missing.push(known);
        continue;
      }
      if (known !== undefined && isNewer(known, read)) {
        missing.push(known);
        continue;
      }
      this.#newest.set(key, read);
      news.push({ key, text });
    }
    return { news, missing };
  }

  /** Of a table read whole: what it has not, or has an older word of. */
  missingFrom(table: TableCopy): OperatorPut[] {
    const missing: OperatorPut[] = [];
    for (const [key, known] of this.#newest) {
      const text = table.get(key);
      const read = text === null ? null : parseOperatorText(key, text);
      if (read === null || isNewer(known, read)) missing.push(known);
    }
    return missing;
  }
}
