import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { expandVariables, processSubstitutions, SECRET_BYTES_MAX } from '../../src/config/substitute.ts';

const variables: Readonly<Record<string, string>> = { A: 'one', EMPTY: '', NESTED: '${A}', TRICKY: 'x: {y: 1}\n- z', DOLLARS: '$$' };
const lookUp = (name: string): string | undefined => (Object.hasOwn(variables, name) ? variables[name] : undefined);

describe('variables', () => {
  test.each([
    ['no variable', 'no variable'],
    ['${A}', 'one'],
    ['<${A}-${A}>', '<one-one>'],
    ['${EMPTY}', ''],
    ['${A:-two}', 'one'],
    ['${UNSET:-two}', 'two'],
    ['${EMPTY:-two}', 'two'],
    ['${UNSET:-}', ''],
    ['${UNSET:-:8080}', ':8080'],
    ['${UNSET:-0.0.0.0:8080}', '0.0.0.0:8080'],
    ['${UNSET:-${A}}', 'one'],
    ['${UNSET:-a${EMPTY:-b${A}c}d}', 'abonecd'],
    ['${A:-${UNSET}}', 'one'],
    ['$${A}', '${A}'],
    ['$$${A}', '$${A}'],
    ['a$b $ $$ }', 'a$b $ $$ }'],
    ['$A', '$A'],
    ['${NESTED}', '${A}'],
    ['${DOLLARS}{A}', '$${A}'],
    ['${TRICKY}', 'x: {y: 1}\n- z'],
    ['${UNSET:-$}', '$'],
    ['${UNSET:-$${x}', '${x'],
  ])('%s', (text, expanded) => {
    const { text: result, problems } = expandVariables(text, lookUp);
    expect(problems).toEqual([]);
    expect(result).toBe(expanded);
  });

  test.each([
    ['${UNSET}', 0, 'the variable UNSET is not set'],
    ['ab${UNSET}', 2, 'the variable UNSET is not set'],
    ['${EMPTY:-${UNSET}}', 9, 'the variable UNSET is not set'],
    ['${toString}', 0, 'the variable toString is not set'],
    ['x${A', 1, '`${A` is no variable'],
    ['${A:-b', 0, '`${A:-` has no closing brace'],
    ['${A:-${UNSET:-}', 0, '`${A:-` has no closing brace'],
    ['${}', 0, '`${}` is no variable'],
    ['${1}', 0, '`${1}` is no variable'],
    ['${A-b}', 0, '`${A-b}` is no variable'],
    ['${A:?b}', 0, '`${A:?b}` is no variable'],
    ['${ A }', 0, '`${ A }` is no variable'],
  ])('%s is refused', (text, index, message) => {
    expect(expandVariables(text, lookUp).problems.map((problem) => [problem.index, problem.message])).toEqual([[index, message]]);
  });

  test('every unset variable of a text is told', () => {
    expect(expandVariables('${X} ${A} ${Y}', lookUp).problems.map((problem) => problem.index)).toEqual([0, 10]);
  });

  test('names the variables that took part, not those of unneeded defaults', () => {
    expect(expandVariables('${A:-${B}} ${UNSET:-${EMPTY}}', lookUp).variables).toEqual(['A', 'UNSET', 'EMPTY']);
  });

  test('a text that is escaped comes back as it was, whatever is in it', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('$', '{', '}', ':', '-', 'A', 'b') }), (text) => {
      // A dollar sign right before would make `$${` of what is already one.
      fc.pre(!text.includes('$${'));
      expect(expandVariables(text.split('${').join('$${'), lookUp)).toEqual({ text, problems: [], variables: [] });
    }));
  });

  test('no text throws or overflows the stack', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('${', 'A', ':-', '}', '$', '$$') }), (text) => {
      expandVariables(text, lookUp);
    }));
    expect(expandVariables('${A:-'.repeat(100_000), () => undefined).problems).toHaveLength(1);
  });
});

describe('the process as a source', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-substitute-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const source = processSubstitutions(join(folder, 'weir.yaml'), { SET: 'yes' });
  const write = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };

  test('variables are those of the environment, not the properties of an object', () => {
    expect(source.variable('SET')).toBe('yes');
    expect(source.variable('UNSET')).toBeUndefined();
    expect(source.variable('constructor')).toBeUndefined();
  });

  test.each([['token', 'token'], ['token\n', 'token'], ['token\r\n', 'token'], ['two\nlines\n\n', 'two\nlines\n'], ['', ''], ['\n', ''], [' spaces \n', ' spaces '], ['${SET}', '${SET}']])('the content %j is the secret %j', (content, text) => {
    const file = write('secret', content);
    expect(source.readSecret('secret')).toEqual({ ok: true, text, file });
  });

  test('a path is relative to the folder of the config, or absolute', () => {
    mkdirSync(join(folder, 'sub'));
    const file = write('sub/token', 'x');
    symlinkSync(file, join(folder, 'link'));
    expect(source.readSecret('sub/token')).toEqual({ ok: true, text: 'x', file });
    expect(source.readSecret(file)).toEqual({ ok: true, text: 'x', file });
    expect(source.readSecret('link')).toMatchObject({ ok: true, text: 'x' });
  });

  test('64 KiB are allowed and one byte more is not', () => {
    write('full', 'x'.repeat(SECRET_BYTES_MAX));
    write('over', 'x'.repeat(SECRET_BYTES_MAX + 1));
    expect(source.readSecret('full').ok).toBe(true);
    expect(source.readSecret('over')).toMatchObject({ ok: false, reason: 'it is larger than 64 KiB' });
  });

  test('what cannot be read is told, never thrown, and never waited for', () => {
    mkdirSync(join(folder, 'folder'));
    write('binary', Uint8Array.of(0xff, 0xfe, 0x00));
    expect(spawnSync('mkfifo', [join(folder, 'fifo')]).status).toBe(0);
    const reasons = ['missing', 'secret/below', 'folder', 'binary', 'fifo', 'nul\0'].map((path) => {
      const read = source.readSecret(path);
      return read.ok ? 'read' : read.reason;
    });
    expect(reasons).toEqual(['there is no such file', 'there is no such file', 'it is not a regular file', 'it is not UTF-8 text', 'it is not a regular file', 'that is no path']);
  });

  test.skipIf(process.getuid?.() === 0)('a file without permission is told (root may read any, so it cannot be shown as root)', () => {
    chmodSync(write('locked', 'x'), 0o000);
    expect(source.readSecret('locked')).toMatchObject({ ok: false, reason: 'permission denied' });
  });
});
