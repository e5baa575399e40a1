/** Every kept input through all properties of its target, and a short seeded run over them. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { corpusFolder, readInputs } from './corpus.ts';
import { mutate } from './mutate.ts';
import { fuzzTargets } from './targets/registry.ts';

const SEEDED_RUNS = 120;

describe.each(fuzzTargets)('$name', (target) => {
  const kept = readInputs(corpusFolder, target.name);

  it('has a corpus, and holds for all of it and for what the search begins with', () => {
    expect(kept.length).toBeGreaterThan(0);
    for (const text of target.seeds) expect(() => target.check(Buffer.from(text, 'latin1')), JSON.stringify(text)).not.toThrow();
    for (const { file, bytes } of kept) expect(() => target.check(bytes), file).not.toThrow();
  });

  it('holds for mutations of it', () => {
    const random = seededRandom(20_260_101);
    const texts = [...target.seeds, ...kept.map(({ bytes }) => bytes.toString('latin1'))];
    for (let run = 0; run < SEEDED_RUNS; run++) {
      const text = mutate(texts[random.below(texts.length)]!, texts[random.below(texts.length)]!, target.tokens, target.bytesMax, random);
      expect(() => target.check(Buffer.from(text, 'latin1')), JSON.stringify(text)).not.toThrow();
    }
  });
});

describe('the search', () => {
  it('is guided by coverage to what chance does not find', async () => {
    // A process of its own: the coverage of this one is full of the test runner.
    const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'find-hidden.ts')]);
    expect(stdout).toMatch(/^found after \d+ inputs\n$/);
  });
});
