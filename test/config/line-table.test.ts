import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineTable } from '../../src/config/line-table.ts';

test('counts lines from 1 whatever ends them, and columns in characters', () => {
  const table = new LineTable('ab\r\ncd\rö😀x\n');
  expect(table.lineCount).toBe(4);
  expect([1, 2, 3, 4, 0, 9].map((line) => table.line(line))).toEqual(['ab', 'cd', 'ö😀x', '', '', '']);
  expect(table.locate(0)).toEqual({ line: 1, column: 1 });
  expect(table.locate(4)).toEqual({ line: 2, column: 1 });
  expect(table.locate('ab\r\ncd\rö😀'.length)).toEqual({ line: 3, column: 3 });
  expect(table.locate(1000)).toEqual({ line: 4, column: 1 });
  expect(table.locate(-5)).toEqual({ line: 1, column: 1 });
});

test('agrees with counting from the start, at every offset', () => {
  fc.assert(fc.property(fc.array(fc.constantFrom('a', 'ö', '😀', '\n', '\t')).map((parts) => parts.join('')), (text) => {
    const table = new LineTable(text);
    for (let at = 0; at <= text.length; at++) {
      if ((text.charCodeAt(at) & 0xfc00) === 0xdc00) continue;
      const lines = text.slice(0, at).split('\n');
      expect(table.locate(at)).toEqual({ line: lines.length, column: Array.from(lines.at(-1) ?? '').length + 1 });
    }
  }));
});
