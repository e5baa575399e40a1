import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { nodeAt, type YamlNode } from '../../src/config/yaml-tree.ts';
import { loadYaml } from '../../src/config/load-yaml.ts';
import { fixedSource, loadText, messages, plainValue } from '../support/load-text.ts';

describe('text', () => {
  test('a byte order mark is dropped, and columns do not count it', () => {
    const bytes = Buffer.from('\uFEFFa: *x\n');
    expect(messages(bytes)).toEqual(messages('a: *x\n'));
    expect(messages('\uFEFFa: *x\n')).toEqual(messages('a: *x\n'));
  });

  test('what is not UTF-8 is refused where it begins', () => {
    expect(messages(Buffer.concat([Buffer.from('a: 1\nb: ö'), Uint8Array.of(0xff), Buffer.from('\n')]))).toEqual(['2:5 the file is not valid UTF-8 from here on']);
    expect(messages(Buffer.from('\uFEFFa: 1\n', 'utf16le'))).toEqual(['1:1 the file is UTF-16']);
    expect(messages('a: 1\nb: x\0y\n')).toEqual(['2:5 the file holds a NUL character']);
  });

  test('16 MiB are read, one byte more is not', () => {
    const most = 16 * 1024 * 1024;
    expect(messages(Buffer.from('a: 1\n#'.padEnd(most, 'x')))).toEqual([]);
    expect(messages(Buffer.from('a: 1\n#'.padEnd(most + 1, 'x')))).toEqual([`1:1 the file is larger than 16 MiB (${most + 1} bytes)`]);
  });

  test('lines may end in any of the three ways', () => {
    expect(plainValue('a:\r\n  b: 1\r\n  c: [x,\r\n    y]\r\n')).toEqual({ a: { b: 1, c: ['x', 'y'] } });
    expect(messages('a: 1\rb: True\r')).toEqual(['2:4 `True` is not how a boolean is written here']);
  });

  test('one document, with or without its marks', () => {
    expect(plainValue('---\na: 1\n...\n')).toEqual({ a: 1 });
    expect(plainValue('%YAML 1.2\n---\na: 1\n')).toEqual({ a: 1 });
    expect(messages('a: 1\n---\nb: 2\n')).toEqual(['3:1 a second document begins before this']);
  });

  test.each([['', 'the file is empty'], ['# nothing\n', 'the file is empty'], ['---\n', 'the file is empty'], ['~', 'the top level is a single value'], ['- a', 'the top level is a list'], ['text', 'the top level is a single value']])('%j: %s', (text, message) => {
    expect(messages(text)).toEqual([`1:1 ${message}`]);
  });
});

describe('aliases and merge keys', () => {
  test('an alias is the anchored node itself', () => {
    const { tree } = loadText('a: &x { b: 1 }\nc: *x\nd: [*x]\n');
    expect(tree?.entries.get('c')?.value).toBe(tree?.entries.get('a')?.value);
  });

  test('own keys win over merged ones, wherever << stands, and earlier sources over later', () => {
    const text = ['x-a: &a { k: a, l: a, m: a }', 'x-b: &b { m: b, n: b }', 'first: { <<: *a, k: own }', 'last: { k: own, <<: *a }', 'list: { <<: [*b, *a] }', 'inline: { <<: { k: 1 }, l: 2 }'].join('\n');
    expect(plainValue(text)).toEqual({
      first: { k: 'own', l: 'a', m: 'a' },
      last: { k: 'own', l: 'a', m: 'a' },
      list: { k: 'a', l: 'a', m: 'b', n: 'b' },
      inline: { k: 1, l: 2 },
    });
  });

  test('merging into one map changes no other', () => {
    expect(plainValue('x-a: &a { k: 1 }\nx-b: &b { <<: *a, l: 2 }\nc: *a\nd: { <<: *b, k: 3 }\ne: *b\n')).toEqual({ c: { k: 1 }, d: { k: 3, l: 2 }, e: { k: 1, l: 2 } });
  });

  test('a quoted << is a key like any other', () => {
    expect(plainValue('a: { "<<": 1 }')).toEqual({ a: { '<<': 1 } });
  });

  test.each([
    ['a: { <<: 1 }', '1:10 `<<` merges maps only'],
    ['a: { <<: [{b: 1}, x] }', '1:19 `<<` merges maps only'],
    ['a: { <<: {b: 1}, <<: {c: 1} }', '1:18 `<<` stands twice in one map'],
    ['a: &a { <<: *a }', '1:13 `*a` stands inside the very part it repeats'],
    ['a: &a [*a]', '1:8 `*a` stands inside the very part it repeats'],
    ['a: *later\nb: &later 1', '1:4 there is no anchor `&later` above for `*later` to refer to'],
  ])('%s', (text, message) => {
    expect(messages(text)).toEqual([message]);
  });

  test('a few lines cannot grow to billions of values', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 12; i++) lines.push(`a${i}: &a${i} [${Array<string>(10).fill(`*a${i - 1}`).join(', ')}]`);
    const { tree, problems } = loadText(lines.join('\n'));
    expect(tree).toBeNull();
    expect(problems.sorted().map((problem) => problem.message)).toEqual(['aliases blow this file up to more than 1000000 values']);
  });

  test('nor can merge keys', () => {
    const wide = Array.from({ length: 1000 }, (_, i) => `k${i}: 1`).join(', ');
    const text = `x-a: &a { ${wide} }\nb: [${Array<string>(2000).fill('{ <<: *a }').join(', ')}]`;
    expect(messages(text)).toEqual([expect.stringContaining('aliases blow this file up')]);
  });

  test('aliases cannot nest deeper than brackets can', () => {
    const lines = ['a0: &a0 [x]'];
    for (let i = 1; i < 200; i++) lines.push(`a${i}: &a${i} [*a${i - 1}]`);
    expect(messages(lines.join('\n'))).toEqual([expect.stringMatching(/^99:\d+ more than 100 levels of nesting$/)]);
    expect(messages(`a: ${'['.repeat(150)}${']'.repeat(150)}`)).toEqual([expect.stringContaining('more than 100 levels of nesting')]);
  });

  test('10,000 uses of one anchor are fine', () => {
    expect(messages(`x-a: &a { k: 1, l: [1, 2] }\nb: [${Array<string>(10_000).fill('{ <<: *a }').join(', ')}]`)).toEqual([]);
  });

  test('a problem in an anchored part is told once, however often it is used', () => {
    const { tree, problems } = loadText('x-a: &a { k: v }\nb: *a\nc: *a\n');
    for (const key of ['b', 'c']) problems.error(nodeAt(tree as YamlNode, [key, 'k']).at, 'wrong');
    expect(problems.sorted()).toHaveLength(1);
  });
});

describe('keys', () => {
  test('a key that stands twice is told with the first one', () => {
    expect(messages('a: 1\nb: { c: 1, "c": 2 }\na: 3\na: 4\n')).toEqual([
      '2:12 the key `c` stands twice in one map, first in line 2',
      '3:1 the key `a` stands twice in one map, first in line 1',
      '4:1 the key `a` stands twice in one map, first in line 1',
    ]);
  });

  test('names of an object are keys like any other', () => {
    expect(loadText('__proto__: 1\nconstructor: 2\n').tree?.entries.size).toBe(2);
  });

  test.each([['1: x', 'the key `1` is not text'], ['true: x', 'the key `true` is not text'], ['~: x', 'the key `~` is not text'], ['010: x', 'the key `010` is not text'], [': x', 'a key is missing before the colon'], ['? [a]\n: b', 'a list stands where a key is due'], ['{a: 1}: b', 'a map stands where a key is due'], ['"a${B}": 1', 'a variable in a key: ${} works in values only']])('%j: %s', (text, message) => {
    expect(loadText(text).problems.sorted().map((problem) => problem.message)).toEqual([message]);
  });

  test('off, on, yes and no are text', () => {
    expect(plainValue('off: on\nyes: no\n')).toEqual({ off: 'on', yes: 'no' });
  });
});

describe('top-level x- keys', () => {
  test('are left out, and what only they hold is not looked at', () => {
    expect(plainValue('x-a: { v: "${UNSET}", s: file:missing, n: 010 }\nb: { x-c: 1 }\n')).toEqual({ b: { 'x-c': 1 } });
    expect(loadText('x-a: file:missing\nb: 1\n').secretFiles).toEqual([]);
  });

  test('count where an alias brings them in', () => {
    expect(messages('x-a: &a { v: "${UNSET}" }\nx-b: "${OTHER}"\nc: *a\n')).toEqual(['1:15 the variable UNSET is not set']);
    expect(messages('x-a: &a { v: "${UNSET}" }\nc: { <<: *a }\n')).toEqual(['1:15 the variable UNSET is not set']);
  });
});

describe('substitution', () => {
  const source = fixedSource({ N: '5', T: 'true', S: 'a: b', X: 'text', HEX: '0x1f', FILE: 'file:token', EMPTY: '' }, { token: 's3cret', number: '42' });

  test('a bare value may become a number or boolean, a quoted one stays text, neither becomes structure', () => {
    expect(plainValue('a: ${N}\nb: "${N}"\nc: ${T}\nd: ${S}\ne: ["${S}", "x${N}"]\nf: |\n  l ${X}\ng: ${EMPTY}\nh: 1${N}\n', source)).toEqual({ a: 5, b: '5', c: true, d: 'a: b', e: ['a: b', 'x5'], f: 'l text\n', g: null, h: 15 });
  });

  test('a secret is text, marked, and named for watching', () => {
    const { tree, secretFiles, variables } = loadText('a: file:token\nb: "file:number"\nc: "${NOPE:-file:token}"\nd: ${FILE}\ne: log.file:x\n', source);
    const shown = [...(tree?.entries.values() ?? [])].map(({ value }) => (value.kind === 'scalar' ? [value.value, value.secret, value.substituted] : null));
    expect(shown).toEqual([['s3cret', true, false], ['42', true, false], ['s3cret', true, true], ['s3cret', true, true], ['log.file:x', false, false]]);
    expect(secretFiles).toEqual(['/etc/weir/number', '/etc/weir/token']);
    expect(variables).toEqual(['FILE', 'NOPE']);
  });

  test('a missing secret is told where it is named, and watched all the same', () => {
    const { problems, secretFiles } = loadText('a: file:nope\nb: "file:"\n', source);
    expect(problems.sorted().map((problem) => `${problem.line}:${problem.column} ${problem.message}`)).toEqual(['1:4 cannot read the secret `/etc/weir/nope`: there is no such file', '2:4 cannot read the secret `file:`: it has no path']);
    expect(secretFiles).toEqual(['/etc/weir/nope']);
  });

  test('no message holds what a variable holds', () => {
    const hidden = fixedSource({ SECRET: '0xdeadbeef', PATH_OF: 'file:/hidden/place' });
    const { problems } = loadText('a: ${SECRET}\nb: ${PATH_OF}\n', hidden);
    expect(problems.sorted()).toHaveLength(2);
    expect(JSON.stringify(problems.sorted())).not.toMatch(/deadbeef|hidden/);
  });

  test('a variable is pointed at inside its scalar, escapes and line folds notwithstanding', () => {
    expect(messages('a: x ${U1} ${U2}\nb: "\\t\\t${U3}"\nc: "x\n  ${U4}"\nd: |\n  text\n  ${U5}\n')).toEqual([1, 2, 3, 4, 5].map((n) => expect.stringContaining(`the variable U${n} is not set`)));
    expect(loadText('a: x ${U1} ${U2}\nb: "\\t\\t${U3}"\nc: "x\n  ${U4}"\nd: |\n  text\n  ${U5}\n').problems.sorted().map(({ line, column }) => `${line}:${column}`)).toEqual(['1:6', '1:12', '2:9', '4:3', '7:3']);
  });

  test('nothing more is said about a value that was refused', () => {
    const { tree, problems } = loadText('a: ${U}\nb: 0x1f\nc: *nope\nd: 1\n');
    for (const key of ['a', 'b', 'c', 'd']) problems.error(nodeAt(tree as YamlNode, [key]).at, 'not a duration');
    expect(problems.sorted().filter((problem) => problem.message === 'not a duration').map((problem) => problem.line)).toEqual([4]);
  });
});

describe('hashes', () => {
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

  test('one is of the bytes, the other of the text with values in their places', () => {
    const loaded = loadText('a: "${A}"\nb: c\n', fixedSource({ A: '1' }));
    expect(loaded.sha).toBe(sha256('a: "${A}"\nb: c\n'));
    expect(loaded.effectiveSha).toBe(sha256('a: "1"\nb: c\n'));
  });

  test('without substitution both are the same', () => {
    const loaded = loadText(Buffer.from('\uFEFFa: ö\n'));
    expect(loaded.effectiveSha).toBe(loaded.sha);
  });

  const text = 'admin: { token: "${T}" }\npools: { db: { health: [{ password: "${P}" }] } }\nb: file:s\n';
  const hashed = (values: { T?: string; P?: string; s?: string }, key: string | null): string => {
    const { T = 't', P = 'p', s = 's' } = values;
    return loadYaml(text, 'weir.yaml', fixedSource({ T, P }, { s }), key).effectiveSha;
  };

  test.each([{ T: 'other' }, { P: 'other' }, { s: 'other' }])('a secret that changes, changes the effective one: %j', (change) => {
    expect(hashed({}, 'key')).toBe(hashed({}, 'key'));
    expect(hashed(change, 'key')).not.toBe(hashed({}, 'key'));
    expect(hashed(change, null)).toBe(hashed({}, null));
  });

  test('no secret can be found by the effective one without the key, where it is read from a file or from a variable', () => {
    expect(hashed({}, 'key')).not.toBe(hashed({}, 'another'));
    const guess = 'admin: { token: "t" }\npools: { db: { health: [{ password: "p" }] } }\nb: s\n';
    for (const key of ['key', null]) expect(hashed({}, key)).not.toBe(sha256(guess));
  });
});

describe('syntax errors', () => {
  test('the problems of what stands before are told too', () => {
    expect(messages('a: True\na: ${U}\nb:\n  c: [1, 2\nd: 0x1\n')).toEqual(['1:4 `True` is not how a boolean is written here', '2:1 the key `a` stands twice in one map, first in line 1', '2:4 the variable U is not set', '4:6 `[` is not closed']);
  });

  test('in the first lines of a file they are found like anywhere else', () => {
    expect(messages('\n@x')).toEqual(['2:1 an unquoted value cannot begin with @']);
    expect(messages('@x')).toEqual(['1:1 an unquoted value cannot begin with @']);
    expect(messages('\n\n  [a')).toEqual(['3:3 `[` is not closed']);
  });

  test('everything that is not syntax is told at once', () => {
    expect(messages('a: *.x.y\nb: [0x1, !t u]\nb: 1\n1: 2\n')).toHaveLength(5);
  });
});
