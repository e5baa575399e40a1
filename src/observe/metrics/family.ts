/**
 * A metric family as this program writes it: its description, and how to read
 * the samples of one row (a listener, a route, a pool, a backend, a worker, or
 * the process). Rows are walked one at a time, so that a scrape can pause
 * between any two of them.
 */
import type { ScrapeView } from './scrape-view.ts';

/** `labels` is rendered text without braces; `suffix` is appended to the family's name. */
export type Put = (suffix: '' | '_bucket' | '_sum' | '_count', labels: string, value: number) => void;

export interface Family {
  /** With the prefix. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  /** One line. */
  readonly help: string;
  /** `le` of histograms aside. */
  readonly labels: readonly string[];
  /** How many rows it has now. */
  rows(view: ScrapeView): number;
  put(view: ScrapeView, row: number, put: Put): void;
}

/** Escapes as the text format 0.0.4 wants it. */
export function label(name: string, value: string): string {
  return `${name}="${value.replace(/[\\"\n]/g, (unit) => (unit === '\n' ? '\\n' : `\\${unit}`))}"`;
}

export const CODE_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx', 'error'] as const;
