/** What holds for every config, found out with generated ones. */
import fc from 'fast-check';
import { dump } from 'js-yaml';
import { describe, expect, test } from 'vitest';
import { renderProblems } from '../../src/config/render-problems.ts';
import type { YamlNode } from '../../src/config/yaml-tree.ts';
import { largeConfig } from '../support/large-config.ts';
import { fixedSource, loadText, valueOf } from '../support/load-text.ts';

type Value = string | number | boolean | null | Value[] | Map<string, Value>;

/** Texts that a config may hold, with a leaning to those that need care. */
const texts = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom('', 'true', 'null', '010', '0x1f', '1_000', '*.example.com', '[::1]:80', '- a', 'a: b', '#x', ' a', 'a ', '~', '<<', '!x', '&a', '%', '@', 'a\nb\n', "it's", '"'),
).filter((text) => !text.includes('${') && !text.startsWith('file:') && !/[\uFEFF\uFFFE\uFFFF]/.test(text));

const keys = fc.oneof(fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9._-]{0,10}$/), texts).filter((key) => !key.startsWith('x-'));

const values = fc.letrec<{ value: Value; map: Map<string, Value> }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    texts,
    fc.constantFrom<Value>(true, false, null),
    fc.integer({ min: -1e9, max: 1e9 }),
    fc.integer({ min: -1e6, max: 1e6 }).map((n) => n / 100),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('map'),
  ),
  map: fc.array(fc.tuple(keys, tie('value')), { maxLength: 5 }).map((entries) => new Map(entries)),
}));

function toObject(value: Value): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, inner]) => [key, toObject(inner)]));
  return Array.isArray(value) ? value.map(toObject) : value;
}

/** Objects order keys that look like indexes first and make -0 of -0: neither is what this file is about. */
function normal(value: unknown): unknown {
  if (value instanceof Map) return [...(value as Map<string, unknown>)].map(([key, inner]) => [key, normal(inner)]).sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  if (Array.isArray(value)) return value.map(normal);
  return value === 0 ? 0 : value;
}

/** JSON without what YAML 1.2 takes for a doubtful number: exponents. */
function jsonOf(value: Value): string {
  if (value instanceof Map) return `{ ${[...value].map(([key, inner]) => `${JSON.stringify(key)}: ${jsonOf(inner)}`).join(', ')} }`;
  return Array.isArray(value) ? `[${value.map(jsonOf).join(', ')}]` : JSON.stringify(value);
}

describe('what was written is what is read', () => {
  test('written by js-yaml, in block and in flow style', () => {
    fc.assert(fc.property(values.map, fc.integer({ min: -1, max: 3 }), (map, flowLevel) => {
      fc.pre(!hasKey(map, '__proto__'));
      const { tree, problems } = loadText(dump(toObject(map), { noRefs: true, flowLevel }));
      expect(problems.sorted()).toEqual([]);
      expect(tree === null ? null : normal(valueOf(tree))).toEqual(normal(map));
    }), { numRuns: 300 });
  });

  test('written as JSON, of which YAML is a superset', () => {
    fc.assert(fc.property(values.map, (map) => {
      const { tree, problems } = loadText(jsonOf(map));
      expect(problems.sorted()).toEqual([]);
      expect(tree === null ? null : normal(valueOf(tree))).toEqual(normal(map));
    }), { numRuns: 300 });
  });

  test('through variables: whatever a quoted one holds arrives unchanged', () => {
    fc.assert(fc.property(fc.array(fc.nat(0xffff)).map((codes) => String.fromCharCode(...codes)), (value) => {
      const { tree } = loadText('a: "${V}"\nb: ["<${V}>"]\n', fixedSource({ V: value }));
      expect(tree === null ? null : valueOf(tree)).toEqual(new Map<string, unknown>([['a', value], ['b', [`<${value}>`]]]));
    }));
  });
});

function hasKey(value: Value, key: string): boolean {
  if (value instanceof Map) return value.has(key) || [...value.values()].some((inner) => hasKey(inner, key));
  return Array.isArray(value) && value.some((inner) => hasKey(inner, key));
}

describe('positions', () => {
  test('each node and key begins where its text does', () => {
    const plainText = fc.stringMatching(/^[a-z]{1,8}$/);
    const tree = fc.letrec<{ value: Value; map: Map<string, Value> }>((tie) => ({
      value: fc.oneof({ depthSize: 'small' }, plainText, fc.nat(999), fc.array(tie('value'), { minLength: 1, maxLength: 3 }), tie('map')),
      map: fc.array(fc.tuple(plainText, tie('value')), { minLength: 1, maxLength: 4 }).map((entries) => new Map(entries)),
    })).map;
    fc.assert(fc.property(tree, fc.boolean(), fc.integer({ min: -1, max: 2 }), (map, forceQuotes, flowLevel) => {
      const text = '# öä 😀\n' + dump(toObject(map), { noRefs: true, flowLevel, forceQuotes, quoteStyle: 'double' });
      const loaded = loadText(text);
      expect(loaded.tree).not.toBeNull();
      if (loaded.tree !== null) checkPositions(loaded.tree, text);
    }), { numRuns: 200 });
  });

  function checkPositions(node: YamlNode, text: string): void {
    if (node.kind === 'scalar') {
      expect(text.slice(node.at).startsWith(node.quoted ? JSON.stringify(node.source) : node.source)).toBe(true);
    } else if (node.kind === 'list') {
      expect(['[', '-']).toContain(text[node.at]);
      for (const item of node.items) checkPositions(item, text);
    } else {
      const first = [...node.entries.values()][0];
      expect(text[node.at] === '{' || node.at === first?.keyAt).toBe(true);
      for (const [key, entry] of node.entries) {
        expect(text.slice(entry.keyAt).replace(/^"/, '').startsWith(key)).toBe(true);
        checkPositions(entry.value, text);
      }
    }
  }

  test('what was left empty is shown at its key or dash', () => {
    const text = 'a:\nb: { c: , d: }\ne:\n  - # none\n  - x # one\n  -\n  - "q"\n  -\nf:\n- [1]\n-\n';
    const { tree, lines, problems } = loadText(text);
    expect(problems.sorted()).toEqual([]);
    const shown: string[] = [];
    const visit = (node: YamlNode): void => {
      if (node.kind === 'scalar' && node.value === null) shown.push(Object.values(lines.locate(node.at)).join(':'));
      if (node.kind === 'list') node.items.forEach(visit);
      if (node.kind === 'map') for (const entry of node.entries.values()) visit(entry.value);
    };
    visit(tree as YamlNode);
    expect(shown).toEqual(['1:1', '2:6', '2:11', '4:3', '6:3', '8:3', '11:1']);
  });
});

describe('no input makes it throw, and each refusal has a place', () => {
  const secrets = fixedSource({ A: 'a', B: '' }, { s: 'x' });

  function check(input: string | Uint8Array): void {
    const { tree, problems, text } = loadText(input, secrets);
    const found = problems.sorted();
    if (tree === null) expect(found.length).toBeGreaterThan(0);
    const lines = text.split(/\r\n|\r|\n/).length;
    for (const problem of found) {
      expect(problem.line).toBeGreaterThanOrEqual(1);
      expect(problem.line).toBeLessThanOrEqual(lines);
      expect(problem.column).toBeGreaterThanOrEqual(1);
      expect(problem.message).not.toMatch(/undefined|\[object/);
    }
    renderProblems(found, new Map([['weir.yaml', text]]), { color: true });
  }

  test('arbitrary bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), check), { numRuns: 1000 });
  });

  test('pieces of YAML in any order', () => {
    const pieces = fc.constantFrom('a', 'b', ': ', ':', '- ', '-', '\n', '\n  ', '\n    ', '\t', ' ', '{', '}', '[', ']', ', ', '"', "'", '#', ' # ', '&x ', '*x', '*.y', '!t ', '!!str ', '<<: ', '|', '>', '|2-\n', '? ', '---\n', '...\n', '%YAML 1.2\n', '${A}', '${', '${U}', '$${', 'file:s', 'file:', '010', '1', '[::1]:80', '\\', '@', '%', '\u0007', '\r', '😀', '\uFEFF', 'x-z');
    fc.assert(fc.property(fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join('')), check), { numRuns: 3000 });
  });

  test('a config with one byte damaged', () => {
    const bytes = Buffer.from(largeConfig({ backends: 6, routes: 4, pools: 2 }));
    fc.assert(fc.property(fc.nat(bytes.length - 1), fc.constantFrom(...Buffer.from('\t\n"\'[]{}:,#*&!|>%@`$-? \\x'), 0, 255), (at, byte) => {
      const damaged = Buffer.from(bytes);
      damaged[at] = byte;
      check(damaged);
    }), { numRuns: 500 });
  });
});

test('the largest config promised loads whole', () => {
  const { tree, problems } = loadText(largeConfig({ backends: 10_000, routes: 10_000 }));
  expect(problems.sorted()).toEqual([]);
  const pools = tree?.entries.get('pools')?.value;
  expect(pools?.kind === 'map' ? pools.entries.size : 0).toBe(100);
});
