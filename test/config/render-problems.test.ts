import { describe, expect, test } from 'vitest';
import type { Problem } from '../../src/config/problems.ts';
import { renderProblems } from '../../src/config/render-problems.ts';

const text = 'a: 1\nb: two\nc: 3\n';
const problem: Problem = { file: 'f.yaml', line: 2, column: 4, severity: 'error', message: 'wrong', expected: 'a number', suggestion: '2' };

function render(problems: readonly Problem[], source = text, color = false): string {
  return renderProblems(problems, new Map([['f.yaml', source]]), { color });
}

test('place, message, frame, what was expected, what was meant', () => {
  expect(render([problem])).toBe(['f.yaml:2:4: error: wrong', '  1 | a: 1', '> 2 | b: two', '    |    ^', '  3 | c: 3', '  expected: a number', '  did you mean 2', ''].join('\n'));
});

test('without the text of the file there is no frame', () => {
  expect(renderProblems([problem], new Map(), { color: false })).toBe('f.yaml:2:4: error: wrong\n  expected: a number\n  did you mean 2\n');
});

test('nothing wrong is nothing to say', () => {
  expect(render([])).toBe('');
});

test('several problems are counted, and too many cut off', () => {
  const warning: Problem = { ...problem, severity: 'warning' };
  expect(render([problem, warning])).toMatch(/\n1 error, 1 warning\n$/);
  const rendered = render(Array.from({ length: 60 }, () => problem));
  expect(rendered.split('error: wrong')).toHaveLength(51);
  expect(rendered).toMatch(/and 10 more\n\n60 errors, 0 warnings\n$/);
});

test('colour changes nothing but colour', () => {
  // eslint-disable-next-line no-control-regex
  const codes = /\u001b\[[0-9;]*m/g;
  const painted = render([problem], text, true);
  expect(painted).toMatch(codes);
  expect(painted.replace(codes, '')).toBe(render([problem]));
});

describe('the caret stands under the place', () => {
  function caretOver(source: string, line: number, column: number): string {
    const lines = render([{ ...problem, line, column }], source).split('\n');
    const caret = lines.findIndex((shown) => /^ +\| +\^$/.test(shown));
    return Array.from(lines[caret - 1] ?? '')[Array.from(lines[caret] ?? '').indexOf('^')] ?? 'nothing';
  }

  test('in the first and last column, after tabs, umlauts and emoji', () => {
    expect(caretOver('Xab', 1, 1)).toBe('X');
    expect(caretOver('abX', 1, 3)).toBe('X');
    expect(caretOver('\t\tX', 1, 3)).toBe('X');
    expect(caretOver('öä😀X', 1, 4)).toBe('X');
  });

  test('in a long line, which is cut on both sides', () => {
    const source = `${'a'.repeat(5000)}X${'b'.repeat(5000)}`;
    expect(caretOver(source, 1, 5001)).toBe('X');
    const shown = render([{ ...problem, line: 1, column: 5001 }], source).split('\n')[1] ?? '';
    expect(shown.length).toBeLessThan(120);
    expect(shown).toMatch(/^> 1 \| ….*…$/);
  });

  test('in a line of megabytes', () => {
    const source = 'a'.repeat(3_000_000) + 'X';
    expect(caretOver(source, 1, 3_000_001)).toBe('X');
  });
});

test('a file cannot drive the terminal that shows it', () => {
  const evil = '\u001b[2J\u202eX\u0007';
  const rendered = renderProblems([{ ...problem, line: 1, column: 1, file: evil, message: evil, expected: evil, suggestion: evil }], new Map([[evil, evil]]), { color: false });
  // eslint-disable-next-line no-control-regex
  expect(rendered).not.toMatch(/[\u001b\u202e\u0007]/);
});

test('a place outside the text is told without a frame', () => {
  expect(render([{ ...problem, line: 99 }])).not.toContain('|');
});
