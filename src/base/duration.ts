/** Durations as people write them: one number, one unit (`500ms`, `1.5s`, `2m`, `1h`, `1d`). */
const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What `durationMs` takes; for a JSON Schema. */
export const DURATION_PATTERN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** → whole milliseconds, or null if `text` is not a duration. */
export function durationMs(text: string): number | null {
  const match = DURATION_PATTERN.exec(text);
  if (match === null) return null;
  return Math.round(Number(match[1]) * unitsMs[match[2]!]!);
}
