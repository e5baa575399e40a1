/**
 * docs/http-conformance.md is held against the tests it names, both ways, and
 * against the sections of the two RFCs. A name of a whole file does not count
 * as a row for each of its tests.
 */
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { testsOf } from './support/named-tests.ts';
import { referencesIn, TestPage } from './support/test-pages.ts';
import { typescriptFiles } from './tidy/sources.ts';

const page = new TestPage('docs/http-conformance.md');

/** How many second-level sections each chapter has. */
const sections: Readonly<Record<string, readonly number[]>> = {
  'RFC 9110': [4, 5, 9, 3, 6, 6, 8, 8, 3, 2, 7, 5, 2, 6, 6, 7, 16, 10, 2],
  'RFC 9112': [2, 3, 3, 0, 2, 3, 4, 0, 8, 2, 4, 4, 2],
};

interface Row {
  readonly section: string;
  readonly tests: readonly string[];
}

/** The part of the page about one RFC. */
function partOf(rfc: string): string {
  const start = page.text.indexOf(`\n## ${rfc}`);
  const end = page.text.indexOf('\n## ', start + 1);
  return page.text.slice(start, end === -1 ? undefined : end);
}

function rowsOf(part: string): Row[] {
  return part
    .split('\n')
    .filter((line) => line.startsWith('| §'))
    .map((line) => {
      const cells = line.split('|').slice(1, -1);
      return { section: cells[0]!.trim(), tests: referencesIn(cells.at(-1)!) };
    });
}

const rows = Object.keys(sections).flatMap((rfc) => rowsOf(partOf(rfc)));

describe('docs/http-conformance.md', () => {
  it('names test files that exist', () => {
    expect(page.files.size).toBeGreaterThan(0);
    expect(page.missingFiles).toEqual([]);
  });

  it('names a test in every row, and only tests there are', () => {
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.filter((row) => row.tests.length === 0).map((row) => row.section)).toEqual([]);
    expect(rows.flatMap((row) => row.tests.filter((reference) => page.testsNamed(reference).length === 0).map((reference) => `${row.section}: ${reference}`))).toEqual([]);
  });

  it.each(Object.keys(sections))('speaks of every section of %s', (rfc) => {
    const part = partOf(rfc);
    const numbers = sections[rfc]!.flatMap((count, i) => [`${i + 1}`, ...Array.from({ length: count }, (_, j) => `${i + 1}.${j + 1}`)]);
    expect(numbers.filter((number) => !new RegExp(`§${number.replace('.', '\\.')}(?!\\d)`).test(part))).toEqual([]);
  });

  it('has a row for every test of conformance', () => {
    const named = new Set(rows.flatMap((row) => row.tests.filter((reference) => reference.includes(' › ')).flatMap((reference) => page.testsNamed(reference))));
    const folder = 'test/scenarios/conformance/';
    const keyOf = new Map([...page.files].map(([key, path]) => [path, key]));
    const missing = typescriptFiles
      .filter(({ path }) => path.startsWith(folder))
      .flatMap((source) => (page.testsIn(source.path) ?? testsOf(source)).filter((test) => !named.has(test)).map((test) => [keyOf.get(source.path) ?? basename(source.path), ...test.groups, test.name].join(' › ')));
    expect(missing).toEqual([]);
  });
});

it('the names of tests are read from their source: groups, tables here and elsewhere, rows of one cell', () => {
  const text = "const rows = [['a', 1], ['b', 2]] as const;\ndescribe('g', () => {\n  it('x', f);\n  it.each(rows)('%s is %i', f);\n  it.each(['c'])('%s', f);\n  it.each(other())('%s?', f);\n});\ndescribe.each(['h'])('of %s', () => test('y', f));";
  expect(testsOf({ path: 'x.ts', text })).toEqual([
    { groups: ['g'], name: 'x' },
    { groups: ['g'], name: 'a is 1' },
    { groups: ['g'], name: 'b is 2' },
    { groups: ['g'], name: 'c' },
    { groups: ['g'], name: '%s?' },
    { groups: ['of h'], name: 'y' },
  ]);
});
