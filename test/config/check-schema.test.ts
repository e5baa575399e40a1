import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { z } from 'zod';
import { checkSchema } from '../../src/config/check-schema.ts';
import { config } from '../../src/config/schema/config.ts';
import { generatedConfigs } from '../support/generated-configs.ts';
import { loadText } from '../support/load-text.ts';

/** What the walk gives for `text`, and where it complains. */
function walk(schema: z.ZodType, text: string): { value: unknown; problems: string[] } {
  const { tree, problems } = loadText(text);
  const value = checkSchema(schema, tree!, problems);
  return { value, problems: problems.sorted().map(({ line, column, message }) => `${line}:${column} ${message}`) };
}

describe('the walk and zod', () => {
  test('give the same for any config that is right', () => {
    fc.assert(
      fc.property(generatedConfigs, (written) => {
        const { value, problems } = walk(config, JSON.stringify(written));
        expect(problems).toEqual([]);
        expect(value).toEqual(config.parse(written));
      }),
      { numRuns: 150 },
    );
  });

  test('agree on what is wrong, with whatever stands in one place', () => {
    // Paths into a config, each with something that seldom belongs there.
    const keys = fc.constantFrom('listeners', 'web', 'pools', 'bind', 'limits', 'routes', 'match', 'path', 'backends', 'algorithm', 'health', 'name', 'outlier', 'tier', 'lease', 'log', 'access');
    const trees = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof({ maxDepth: 5 }, fc.constantFrom<unknown>('web', ':80', 'a:80', 1, 0, true, false, '1s', '/'), fc.dictionary(keys, tie('tree'), { maxKeys: 4 }), fc.array(tie('tree'), { maxLength: 2 })),
    })).tree;
    fc.assert(
      fc.property(fc.dictionary(keys, trees), (written) => {
        expect(walk(config, JSON.stringify(written)).problems.length > 0).toBe(!config.safeParse(written).success);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a problem', () => {
  const schema = z.strictObject({
    a: z.strictObject({ n: z.int().min(1).optional(), t: z.string().optional() }).optional(),
    list: z.array(z.enum(['x', 'y'])).optional(),
  });

  it('stands at the value, or at the key that is not known', () => {
    expect(walk(schema, 'a:\n  n: 0\n  u: 1\nlist: [x, z]').problems).toEqual(['2:6 a.n: `0` is out of range', '3:3 a: unknown key `u`', '4:11 list[1]: `z` is not known here']);
  });

  it('leaves the rest to be looked at', () => {
    expect(walk(schema, 'a: { n: 0, t: ok }\nlist: [x]').value).toEqual({ a: { t: 'ok' }, list: ['x'] });
  });

  it('says that a bare number needs quotes where text is wanted', () => {
    const { tree, problems } = loadText('a: { t: 1.10 }');
    checkSchema(schema, tree!, problems);
    expect(problems.sorted()[0]).toMatchObject({ message: 'a.t: `1.1` is a number, and text is wanted here', suggestion: '"1.10"' });
  });

  it('keeps a long value short', () => {
    expect(walk(schema, `list: [${'y'.repeat(500)}]`).problems[0]?.length).toBeLessThan(120);
  });
});
