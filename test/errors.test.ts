/** docs/errors.md and the table in src/base/errors.ts say the same, both ways. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorCodes, errorSpecs } from '../src/base/errors.ts';
import { root } from './tidy/sources.ts';

interface Described {
  readonly side: string;
  readonly status: number;
  readonly retry: string;
}

function describedErrors(): Map<string, Described> {
  const found = new Map<string, Described>();
  let side = '';
  let code = '';
  for (const line of readFileSync(join(root, 'docs/errors.md'), 'utf8').split('\n')) {
    if (line.startsWith('## ')) side = line.slice(3);
    if (line.startsWith('### ')) code = line.slice(4);
    const facts = /^Status (\d+), retry (\w+)\. ./.exec(line);
    if (facts) found.set(code, { side, status: Number(facts[1]), retry: facts[2]! });
  }
  return found;
}

describe('docs/errors.md', () => {
  const described = describedErrors();

  it('describes every code, in the order of the table, and no other', () => {
    expect([...described.keys()]).toEqual([...errorCodes]);
  });

  it.each(errorCodes)('says of %s whose doing it is, its status and when it is sent again', (code) => {
    const { side, status, retry } = errorSpecs[code];
    expect(described.get(code)).toEqual({ side, status, retry });
  });
});
