/** Plain text tables: columns as wide as their widest cell, two spaces between, no line longer than it must be. */

export interface TextColumn {
  readonly title: string;
  readonly align: 'left' | 'right';
}

/** Lines, the titles first. Cells that hold control characters show them as \xNN. */
export function tableLines(columns: readonly TextColumn[], rows: readonly (readonly string[])[]): string[] {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => row.map(visibleText))];
  const widths = columns.map((_column, c) => cells.reduce((widest, row) => Math.max(widest, row[c]!.length), 0));
  return cells.map((row) => {
    const line = row.map((cell, c) => (columns[c]!.align === 'left' ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!)));
    return line.join('  ').trimEnd();
  });
}

/** Text of others cannot move the cursor, or forge a line. */
export function visibleText(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is to be found
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (unit) => `\\x${unit.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** 1234567 → 1,234,567 */
export function grouped(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** The two largest units of a span: `2d 3h`, `5m 20s`, `0s`. */
export function spanText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const units: [string, number][] = [
    ['d', Math.floor(seconds / 86_400)],
    ['h', Math.floor(seconds / 3600) % 24],
    ['m', Math.floor(seconds / 60) % 60],
    ['s', seconds % 60],
  ];
  const first = units.findIndex(([, count]) => count > 0);
  if (first === -1) return '0s';
  return units
    .slice(first, first + 2)
    .filter(([, count]) => count > 0)
    .map(([unit, count]) => `${count}${unit}`)
    .join(' ');
}
