/** Sets of HTTP status codes as operators write them: `200`, `200-399`, or a list of either. */
import { z } from 'zod';

/** Both ends belong to it. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

const FORM = /^([1-5][0-9][0-9])(?:-([1-5][0-9][0-9]))?$/;
const EXPECTED = 'a status or a range of them, such as 200 or 200-399';

function parseRange(written: string | number): StatusRange | null {
  const match = FORM.exec(String(written));
  if (match === null) return null;
  const from = Number(match[1]);
  const to = Number(match[2] ?? match[1]);
  return from <= to ? { from, to } : null;
}

const one = z.union([z.int().min(100).max(599), z.string().regex(FORM, { error: EXPECTED })], { error: EXPECTED });

/** Option schema: in as written, out as ranges. */
export const statusRanges = z.union([one, z.array(one).min(1)], { error: EXPECTED }).transform((written, context): StatusRange[] => {
  const ranges: StatusRange[] = [];
  for (const item of Array.isArray(written) ? written : [written]) {
    const range = parseRange(item);
    if (range === null) context.addIssue({ code: 'custom', message: EXPECTED, input: item });
    else ranges.push(range);
  }
  return ranges;
});

export function isInRanges(status: number, ranges: readonly StatusRange[]): boolean {
  return ranges.some(({ from, to }) => status >= from && status <= to);
}

/** As the operator would write them. */
export function rangesText(ranges: readonly StatusRange[]): string {
  return ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}
