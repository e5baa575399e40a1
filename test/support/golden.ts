/**
 * Golden cases: an input and what must come of it in one file, with a line of
 * `=====` between. UPDATE_GOLDEN=1 writes what came instead of comparing.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const SEPARATOR = '=====\n';

/** One test per file of `folder`; `run` makes the actual text of the input. */
export function testGolden(folder: string, run: (input: string) => string): void {
  for (const name of readdirSync(folder).sort()) {
    test(name, () => {
      const file = join(folder, name);
      const [input = '', expected = ''] = split(readFileSync(file, 'utf8'));
      const actual = run(input);
      if (process.env.UPDATE_GOLDEN === '1') writeFileSync(file, input + SEPARATOR + actual);
      else expect(actual).toBe(expected);
    });
  }
}

function split(content: string): string[] {
  const at = content.indexOf(`\n${SEPARATOR}`);
  return at === -1 ? [content, ''] : [content.slice(0, at + 1), content.slice(at + 1 + SEPARATOR.length)];
}
