/** What is wrong with a config: data first, text last. */
import type { LineTable, Position } from './line-table.ts';

export interface Problem {
  /** As given on the command line, or the file an error is about. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in characters. */
  readonly column: number;
  readonly severity: 'error' | 'warning';
  /** What is wrong, without a full stop. Never holds a substituted or secret value. */
  readonly message: string;
  /** What would have been right (`a duration such as 500ms, 2s or 1m`), where that helps. */
  readonly expected?: string;
  /** What to write instead, ready to be copied: `backends`, `"1.10"` with its quotes. */
  readonly suggestion?: string;
}

export interface ProblemHints {
  readonly expected?: string | undefined;
  readonly suggestion?: string | undefined;
}

/**
 * Gathers the problems of one file; positions are offsets into its text. The
 * same problem at the same place counts once: a walk meets an aliased node as
 * often as it is used.
 */
export class ProblemList {
  readonly file: string;
  readonly #lines: LineTable;
  readonly #problems: Problem[] = [];
  readonly #seen = new Set<string>();
  readonly #settled = new Set<number>();
  #errors = 0;

  constructor(file: string, lines: LineTable) {
    this.file = file;
    this.#lines = lines;
  }

  error(at: number, message: string, hints: ProblemHints = {}): void {
    this.#add('error', at, message, hints);
  }

  warning(at: number, message: string, hints: ProblemHints = {}): void {
    this.#add('warning', at, message, hints);
  }

  /**
   * Nothing more is said at this offset: the value there has been refused
   * already, and what later checks find wrong with it is only a consequence.
   */
  settle(at: number): void {
    this.#settled.add(at);
  }

  locate(at: number): Position {
    return this.#lines.locate(at);
  }

  get hasErrors(): boolean {
    return this.#errors > 0;
  }

  /** In the order of the file. */
  sorted(): Problem[] {
    return this.#problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  }

  #add(severity: Problem['severity'], at: number, message: string, hints: ProblemHints): void {
    const identity = `${at} ${severity} ${message}`;
    if (this.#settled.has(at) || this.#seen.has(identity)) return;
    this.#seen.add(identity);
    if (severity === 'error') this.#errors++;
    const { line, column } = this.#lines.locate(at);
    const { expected, suggestion } = hints;
    this.#problems.push({
      file: this.file,
      line,
      column,
      severity,
      message,
      ...(expected === undefined ? {} : { expected }),
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  }
}
