/** docs/tier-promises.md names a test for each promise, and only tests there are. */
import { describe, expect, it } from 'vitest';
import { referencesIn, TestPage } from './support/test-pages.ts';

const page = new TestPage('docs/tier-promises.md');
const promises = page.text.slice(page.text.indexOf('\n## '), page.text.indexOf('\n## What no test holds'));
const rows = promises
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (promise|fails|---) /.test(line))
  .map((line) => line.split(' | '))
  .map((cells) => ({ promise: cells[0]!.slice(2), references: referencesIn(cells.at(-1)!.replace(/ \|$/, '')) }));

describe('docs/tier-promises.md', () => {
  it('names test files that exist', () => {
    expect(page.files.size).toBeGreaterThan(0);
    expect(page.missingFiles).toEqual([]);
  });

  it('names a test for every promise, and only tests there are', () => {
    expect(rows.length).toBeGreaterThan(60);
    expect(rows.filter(({ references }) => references.length === 0)).toEqual([]);
    expect(rows.flatMap(({ references }) => references.filter((reference) => page.testsNamed(reference).length === 0 && !runsTheContract(reference)))).toEqual([]);
  });

  it('uses every short name', () => {
    const used = new Set(rows.flatMap(({ references }) => references.map((reference) => reference.split(' › ')[0])));
    expect([...page.files.keys()].filter((name) => !used.has(name))).toEqual([]);
  });
});

/** A file that has no test of its own but runs those of the contract. */
function runsTheContract(reference: string): boolean {
  return page.files.get(reference)?.startsWith('test/scenarios/store/') === true;
}
