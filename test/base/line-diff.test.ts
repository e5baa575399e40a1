import fc from 'fast-check';
import { expect, it } from 'vitest';
import { unifiedDiff } from '../../src/base/line-diff.ts';

const names = { from: 'a', to: 'b' };

it('shows changes with three lines around them, near ones together, far ones apart', () => {
  const lines = Array.from({ length: 30 }, (_, i) => `line ${i + 1}`);
  const changed = lines.with(4, 'five').toSpliced(24, 1).toSpliced(6, 0, 'new');
  const diff = unifiedDiff(`${lines.join('\n')}\n`, `${changed.join('\n')}\n`, names);
  expect(diff.split('\n').filter((line) => line.startsWith('@@'))).toEqual(['@@ -2,8 +2,9 @@', '@@ -22,7 +23,6 @@']);
  expect(diff).toContain('-line 5\n+five\n line 6\n+new\n');
  expect(diff).toMatch(/^--- a\n\+\+\+ b\n/);
});

it('is empty for the same text, and tells a missing last newline', () => {
  expect(unifiedDiff('a\n', 'a\n', names)).toBe('');
  expect(unifiedDiff('a\n', 'a', names)).toContain('\\ No newline at end of file');
});

it('taken apart again gives both texts, whatever they are, also when nearly all differs', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', '', ' x'), { maxLength: 40 }).map((lines) => lines.map((line) => `${line}\n`).join(''));
  fc.assert(
    fc.property(text, text, (from, to) => {
      const diff = unifiedDiff(from, to, names);
      expect(diff === '').toBe(from === to);
      if (from !== to) expect(rebuilt(from, diff)).toBe(to);
    }),
    { numRuns: 500 },
  );
  const large = Array.from({ length: 5000 }, (_, i) => `${i}\n`);
  const from = large.join('');
  const to = large.map((line) => `other ${line}`).join('');
  expect(rebuilt(from, unifiedDiff(from, to, names))).toBe(to);
});

/** Applies a diff, holding every context and removed line against the text. */
function rebuilt(from: string, diff: string): string {
  const lines = from.split('\n').slice(0, -1);
  const out: string[] = [];
  let at = 0;
  for (const line of diff.split('\n').slice(2, -1)) {
    const hunk = /^@@ -(\d+)(?:,(\d+))? /.exec(line);
    if (hunk !== null) {
      const first = hunk[2] === '0' ? Number(hunk[1]) : Number(hunk[1]) - 1;
      while (at < first) out.push(lines[at++]!);
      continue;
    }
    const text = line.slice(1);
    if (line[0] !== '+') expect(lines[at++]).toBe(text);
    if (line[0] !== '-') out.push(text);
  }
  return [...out, ...lines.slice(at)].map((line) => `${line}\n`).join('');
}
