/**
 * docs/http-conformance.md is held against the tests it names, both ways, and
 * against the sections of the two RFCs. A code span `file › group › test` of
 * the page names a test, `file › group` all tests of a group, `file` alone all
 * of a file, which does not count as a row for each of them.
 */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { testsOf, type NamedTest } from './support/named-tests.ts';
import { markdownFiles, root, typescriptFiles } from './tidy/sources.ts';

const page = markdownFiles.find(({ path }) => path === 'docs/http-conformance.md')!.text;

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
  const start = page.indexOf(`\n## ${rfc}`);
  const end = page.indexOf('\n## ', start + 1);
  return page.slice(start, end === -1 ? undefined : end);
}

function rowsOf(part: string): Row[] {
  return part
    .split('\n')
    .filter((line) => line.startsWith('| §'))
    .map((line) => {
      const cells = line.split('|').slice(1, -1);
      return { section: cells[0]!.trim(), tests: [...cells.at(-1)!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!) };
    });
}

/** Short names of test files, from the table at the head of the page. */
const files = new Map([...page.matchAll(/^\| `([\w-]+)` \| (test\/[\w./-]+\.test\.ts) \|/gm)].map((match) => [match[1]!, match[2]!]));
const tests = new Map<string, NamedTest[]>();
for (const path of files.values()) {
  const source = typescriptFiles.find((each) => each.path === path);
  tests.set(path, source === undefined ? [] : testsOf(source));
}

/** The tests a code span of the page stands for. */
function testsNamed(reference: string): NamedTest[] {
  const [file = '', ...names] = reference.split(' › ');
  const titles = (test: NamedTest): string[] => [...test.groups, test.name];
  return (tests.get(files.get(file) ?? '') ?? []).filter((test) => names.every((name, i) => titles(test)[i] === name));
}

const rows = Object.keys(sections).flatMap((rfc) => rowsOf(partOf(rfc)));

describe('docs/http-conformance.md', () => {
  it('names test files that exist', () => {
    expect(files.size).toBeGreaterThan(0);
    expect([...files.values()].filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('names a test in every row, and only tests there are', () => {
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.filter((row) => row.tests.length === 0).map((row) => row.section)).toEqual([]);
    expect(rows.flatMap((row) => row.tests.filter((reference) => testsNamed(reference).length === 0).map((reference) => `${row.section}: ${reference}`))).toEqual([]);
  });

  it.each(Object.keys(sections))('speaks of every section of %s', (rfc) => {
    const part = partOf(rfc);
    const numbers = sections[rfc]!.flatMap((count, i) => [`${i + 1}`, ...Array.from({ length: count }, (_, j) => `${i + 1}.${j + 1}`)]);
    expect(numbers.filter((number) => !new RegExp(`§${number.replace('.', '\\.')}(?!\\d)`).test(part))).toEqual([]);
  });

  it('has a row for every test of conformance', () => {
    const named = new Set(rows.flatMap((row) => row.tests.filter((reference) => reference.includes(' › ')).flatMap(testsNamed)));
    const folder = 'test/scenarios/conformance/';
    const keyOf = new Map([...files].map(([key, path]) => [path, key]));
    const missing = typescriptFiles
      .filter(({ path }) => path.startsWith(folder))
      .flatMap((source) => (tests.get(source.path) ?? testsOf(source)).filter((test) => !named.has(test)).map((test) => [keyOf.get(source.path) ?? basename(source.path), ...test.groups, test.name].join(' › ')));
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
