/**
 * Regular expressions that must match a whole text, in time linear in it (RE2:
 * V8's own would let one request hold the loop for minutes). A plain beginning
 * of the pattern is compared first, which spares most of them the engine.
 */
import { RE2JS } from 're2js';

export class WholeRegex {
  readonly #regex: RE2JS;
  readonly #plainStart: string;

  /** Throws on what RE2 refuses: the config was checked before. */
  constructor(source: string) {
    this.#regex = RE2JS.compile(source);
    this.#plainStart = plainStartOf(source);
  }

  matches(text: string): boolean {
    return text.startsWith(this.#plainStart) && this.#regex.testExact(text);
  }
}

/** Compiles each source once: thousands of routes tend to share a few. */
export class RegexCache {
  readonly #compiled = new Map<string, WholeRegex>();

  get(source: string): WholeRegex {
    let regex = this.#compiled.get(source);
    if (regex === undefined) this.#compiled.set(source, (regex = new WholeRegex(source)));
    return regex;
  }
}

/** What every match begins with, as far as plain characters tell; '' where an alternative or a flag could change it. */
export function plainStartOf(source: string): string {
  if (source.includes('|')) return '';
  const plain = /^[A-Za-z0-9/_~-]*/.exec(source)![0];
  // The last of them may be what `?`, `*`, `{` or `+` repeats.
  return /^[?*{+]/.test(source.slice(plain.length)) ? plain.slice(0, -1) : plain;
}
