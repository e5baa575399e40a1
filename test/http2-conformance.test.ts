/** docs/http2-conformance.md is held against the tests it names, both ways, and against the sections of the standards. */
import { describe, expect, it } from 'vitest';
import { testsOf } from './support/named-tests.ts';
import { referencesIn, TestPage } from './support/test-pages.ts';
import { typescriptFiles } from './tidy/sources.ts';

const page = new TestPage('docs/http2-conformance.md');

/** Second-level sections of each chapter of RFC 9113 that asks for something. */
const sections: Readonly<Record<number, number>> = { 3: 4, 4: 3, 5: 5, 6: 10, 7: 0, 8: 8, 9: 2, 10: 9 };

const rows = page.text
  .split('\n')
  .filter((line) => line.startsWith('| §'))
  .map((line) => {
    const cells = line.split('|').slice(1, -1);
    return { section: cells[0]!.trim(), tests: referencesIn(cells.at(-1)!) };
  });

describe('docs/http2-conformance.md', () => {
  it('names test files that exist', () => {
    expect(page.files.size).toBeGreaterThan(0);
    expect(page.missingFiles).toEqual([]);
  });

  it('names a test in every row, and only tests there are', () => {
    expect(rows.length).toBeGreaterThan(40);
    expect(rows.filter((row) => row.tests.length === 0).map((row) => row.section)).toEqual([]);
    expect(rows.flatMap((row) => row.tests.filter((reference) => page.testsNamed(reference).length === 0).map((reference) => `${row.section}: ${reference}`))).toEqual([]);
  });

  it('speaks of every section of RFC 9113', () => {
    const numbers = Object.entries(sections).flatMap(([chapter, count]) => [chapter, ...Array.from({ length: count }, (_, i) => `${chapter}.${i + 1}`)]);
    const part = page.text.slice(page.text.indexOf('## RFC 9113'), page.text.indexOf('## RFC 7541'));
    expect(numbers.filter((number) => !new RegExp(`§${number.replace('.', '\\.')}(?!\\d)`).test(part))).toEqual([]);
  });

  it('speaks of every chapter of RFC 9113 that asks something of a client', () => {
    const part = page.text.slice(page.text.indexOf('## To backends'), page.text.indexOf('## What is not done'));
    const asked = ['3.2', '3.3', '3.4', '4.2', '4.3', '5.1', '5.1.1', '5.1.2', '5.2', '5.4', '6.4', '6.5', '6.6', '6.7', '6.8', '6.9', '8.1', '8.1.1', '8.2', '8.3', '8.7', '9.1', '10.3', '10.5', '10.6'];
    expect(asked.filter((number) => !part.includes(`| §${number} |`))).toEqual([]);
  });

  it('has a row for every scenario', () => {
    const named = new Set(rows.flatMap((row) => row.tests.flatMap((reference) => page.testsNamed(reference))));
    const missing = typescriptFiles
      .filter(({ path }) => path.startsWith('test/scenarios/http2/') || path.startsWith('test/scenarios/http2-backends/'))
      .flatMap((source) => (page.testsIn(source.path) ?? testsOf(source)).filter((test) => !named.has(test)).map((test) => [source.path, ...test.groups, test.name].join(' › ')));
    expect(missing).toEqual([]);
  });
});
