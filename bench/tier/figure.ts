/** One row of the tier's table: what was measured, how often, and what it may be at most. */
import { figure, spread, table } from '../statistics.ts';

export interface Figure {
  readonly what: string;
  readonly unit: string;
  readonly values: readonly number[];
  /** What the design promises; null: nothing, it is told for what it is worth. */
  readonly atMost: number | null;
  /** What else there is to say. */
  readonly note?: string;
}

export function figuresTable(figures: readonly Figure[]): string {
  const head = ['', 'n', 'median', 'max', 'at most', 'unit', 'holds'];
  const rows = figures.map((each) => {
    const { median, max } = spread(each.values);
    return [each.what, String(each.values.length), shown(median), shown(max), each.atMost === null ? '' : shown(each.atMost), each.unit, holds(each)];
  });
  const notes = figures.filter(({ note }) => note !== undefined).map(({ what, note }) => `  ${what}: ${note}`);
  return [table([head, ...rows]), ...notes].join('\n');
}

function holds({ atMost, values }: Figure): string {
  if (atMost === null) return '';
  if (values.length === 0) return 'not measured';
  return spread(values).max <= atMost ? 'yes' : spread(values).median <= atMost ? 'median' : 'no';
}

/** Whole numbers as they are. */
function shown(value: number): string {
  return Number.isInteger(value) ? String(value) : figure(value);
}
