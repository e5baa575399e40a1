/** Short differential runs: no difference without an entry in docs/http-differences.md, and no entry without its class. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { root } from '../tidy/sources.ts';
import { corpusFolder, readInputs } from './corpus.ts';
import { nodeClassIds } from './differential/node-classes.ts';
import { peerClassIds } from './differential/peer-classes.ts';
import { differentialTargets } from './differential/run.ts';

const INPUTS: Readonly<Record<string, number>> = { 'node-parser': 1500, peers: 200 };

describe.each(differentialTargets)('$name', ({ name, run }) => {
  it('every difference is explained', async () => {
    const corpus = readInputs(corpusFolder, name).map(({ bytes }) => bytes);
    const result = await run(corpus, seededRandom(20_260_102), (inputs) => inputs >= INPUTS[name]!);
    if (result.missing.length > 0) console.log(`left out, since this machine does not have it: ${result.missing.join(', ')}`);
    expect(result.unexplained.map(({ input, text }) => `${JSON.stringify(input.toString('latin1'))}: ${text}`)).toEqual([]);
    // A run in which everyone refuses everything would show nothing.
    expect(result.accepted).toBeGreaterThan(INPUTS[name]! / 10);
  });
});

describe('docs/http-differences.md', () => {
  const documented = [...readFileSync(join(root, 'docs/http-differences.md'), 'utf8').matchAll(/^\| `([\w.-]+)` \|/gm)].map((match) => match[1]!);

  it('explains every class, and no other', () => {
    expect([...new Set(documented)].sort()).toEqual([...new Set([...nodeClassIds, ...peerClassIds])].sort());
  });
});
