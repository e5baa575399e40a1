/**
 * Pages that name the tests behind each of their rows. A code span
 * `file › group › test` names a test, `file › group` all tests of a group,
 * `file` alone all of a file; a table at the head of the page gives the files
 * their short names. A name may hold code spans of its own.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { markdownFiles, root, typescriptFiles } from '../tidy/sources.ts';
import { testsOf, type NamedTest } from './named-tests.ts';

/** Names of tests as they may stand in a table of a page. */
const REFERENCE = /`((?:[^`]|`[^`,|›]+`)+?)`(?=,|\s*$)/g;

export class TestPage {
  readonly text: string;
  /** Paths by short name. */
  readonly files: ReadonlyMap<string, string>;
  readonly #tests = new Map<string, readonly NamedTest[]>();

  constructor(path: string) {
    this.text = markdownFiles.find((file) => file.path === path)!.text;
    this.files = new Map([...this.text.matchAll(/^\| `([\w-]+)` \| (test\/[\w./-]+\.ts) \|/gm)].map((match) => [match[1]!, match[2]!]));
    for (const file of this.files.values()) {
      const source = typescriptFiles.find((each) => each.path === file);
      this.#tests.set(file, source === undefined ? [] : testsOf(source));
    }
  }

  get missingFiles(): readonly string[] {
    return [...this.files.values()].filter((path) => !existsSync(join(root, path)));
  }

  testsIn(path: string): readonly NamedTest[] | undefined {
    return this.#tests.get(path);
  }

  /** The tests a code span of the page stands for; none: it names nothing. */
  testsNamed(reference: string): readonly NamedTest[] {
    const [file = '', ...names] = reference.split(' › ');
    const titles = (test: NamedTest): string[] => [...test.groups, test.name];
    return (this.#tests.get(this.files.get(file) ?? '') ?? []).filter((test) => names.every((name, i) => titles(test)[i] === name));
  }
}

/** The references in the last cell of a table's row. */
export function referencesIn(cell: string): string[] {
  return [...cell.trim().matchAll(REFERENCE)].map((match) => match[1]!);
}
