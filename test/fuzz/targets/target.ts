/**
 * What is fuzzed: a function that holds one input against every property of
 * the code under test. It must be a pure function of the input, throw a
 * Violation when a property is broken and nothing else ever.
 */

export class Violation extends Error {
  override readonly name = 'Violation';
}

export interface FuzzTarget {
  readonly name: string;
  /** Ends of the paths of the files whose coverage guides the search. */
  readonly watched: readonly string[];
  /** Where the search begins; latin1 text. */
  readonly seeds: readonly string[];
  /** What mutations put in. */
  readonly tokens: readonly string[];
  /** Inputs are kept to so many bytes. */
  readonly bytesMax: number;
  /** Returns what the input came to, in few different texts: a new one counts as new coverage. */
  check(input: Buffer): string;
}

export function demand(condition: boolean, text: string): asserts condition {
  if (!condition) throw new Violation(text);
}

/** What a reader found, or a violation with its word for why it is nothing. */
export function demandRead<T extends object>(read: T | string, text: string): T {
  if (typeof read === 'string') throw new Violation(`${text} ${read}`);
  return read;
}

/** Both texts the same, or a violation that shows them. */
export function demandSame(found: unknown, expected: unknown, text: string): void {
  if (found === expected) return;
  throw new Violation(`${text}\n  expected ${JSON.stringify(expected)}\n  found    ${JSON.stringify(found)}`);
}
