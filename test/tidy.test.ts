/**
 * Style is a test: what docs/ARCHITECTURE.md says about the shape of this
 * repository holds, or this fails with the places where it does not.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { whyNot } from './tidy/direction.ts';
import { bannedWord } from './tidy/names.ts';
import { pathsNamedIn } from './tidy/named-paths.ts';
import { reachableFrom, unregisteredPlugins } from './tidy/reachable.ts';
import { allPaths, lineAt, markdownFiles, productFiles, root, textFiles, typescriptFiles, type Source } from './tidy/sources.ts';
import { declaredNames, functionsOf, importsOf } from './tidy/syntax.ts';

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 60;

/** Places a pattern matches, as `path:line: text`. */
function found(files: readonly Source[], pattern: RegExp): string[] {
  return files.flatMap(({ path, text }) => [...text.matchAll(pattern)].map((match) => `${path}:${lineAt(text, match.index)}: ${match[0].trim()}`));
}

describe('the layout', () => {
  it('names files in kebab-case', () => {
    const odd = typescriptFiles.map(({ path }) => path).filter((path) => !/^([a-z0-9-]+\/)*[a-z0-9-]+(\.[a-z]+)*\.ts$/.test(path));
    expect(odd).toEqual([]);
  });

  it('uses no name that says nothing', () => {
    const files = typescriptFiles.filter(({ path }) => bannedWord(path) !== null).map(({ path }) => path);
    const names = productFiles.flatMap((source) => declaredNames(source).filter(({ name }) => bannedWord(name) !== null).map(({ name, line }) => `${source.path}:${line}: ${name}`));
    expect([...files, ...names]).toEqual([]);
  });

  it(`keeps files to ${FILE_LINES_MAX} lines`, () => {
    const lengths = typescriptFiles.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }));
    expect(lengths.filter(({ lines }) => lines > FILE_LINES_MAX).map(({ path, lines }) => `${path} has ${lines} lines`)).toEqual([]);
  });

  it(`keeps functions to ${FUNCTION_LINES_MAX} lines`, () => {
    const long = typescriptFiles.flatMap((source) =>
      functionsOf(source)
        .filter(({ name, lines }) => lines > FUNCTION_LINES_MAX && !(source.path.startsWith('test/') && /^argument of (describe|suite)/.test(name)))
        .map(({ name, line, lines }) => `${source.path}:${line}: ${name} has ${lines} lines`),
    );
    expect(long).toEqual([]);
  });

  it('begins every file of the product with its contract', () => {
    const bare = productFiles.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text)).map(({ path }) => path);
    expect(bare).toEqual([]);
  });
});

describe('imports', () => {
  it('go one way', () => {
    const wrong = productFiles.flatMap((source) =>
      importsOf(source)
        .filter((edge) => edge.own)
        .flatMap(({ to, line, typeOnly }) => {
          const why = whyNot(source.path, to, typeOnly);
          return why === null ? [] : [`${source.path}:${line} imports ${to}: ${why}`];
        }),
    );
    expect(wrong).toEqual([]);
  });

  it('re-export in a registry only', () => {
    const barrels = productFiles.filter(({ path }) => basename(path) !== 'registry.ts').flatMap((source) => importsOf(source).filter((edge) => edge.reExport).map(({ line }) => `${source.path}:${line}`));
    expect(barrels).toEqual([]);
  });

  it('reach every file of the product from a process or thread entry', () => {
    const reached = reachableFrom(productFiles, (path) => path === 'src/main.ts' || path === 'src/worker.ts');
    expect(productFiles.map(({ path }) => path).filter((path) => !reached.has(path))).toEqual([]);
  });

  it('register every plug-in', () => {
    expect(unregisteredPlugins(productFiles)).toEqual([]);
  });
});

describe('prose', () => {
  it('names no path that does not exist', () => {
    const missing = [...markdownFiles, ...productFiles].flatMap((source) =>
      pathsNamedIn(source)
        .filter(({ path }) => !existsSync(join(root, path)) && !existsSync(join(root, dirname(source.path), path)))
        .map(({ path, line }) => `${source.path}:${line}: ${path}`),
    );
    expect(missing).toEqual([]);
  });

  it('names no file that does not exist in a script of package.json', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
    const files = Object.values(scripts).flatMap((script) => [...script.matchAll(/[\w./-]+\.ts\b/g)].map((match) => match[0]));
    expect(files.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('speaks of the project alone, not of the machine it was written on', () => {
    expect(found(textFiles, /(?<![\w.*$}-])\/(?:work|root|farm|tmp|home)\/[\w.-]*/g)).toEqual([]);
  });

  it('leaves no notes to ourselves', () => {
    // Put together here, so that this file does not find itself.
    const marks = ['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|');
    expect(found(textFiles, new RegExp(`\\b(?:${marks})\\b`, 'g'))).toEqual([]);
  });

  it('ends every file with one newline', () => {
    expect(textFiles.filter(({ text }) => text.length > 0 && !/[^\n]\n$/.test(text)).map(({ path }) => path)).toEqual([]);
  });
});

describe('tests', () => {
  const tests = typescriptFiles.filter(({ path }) => path.startsWith('test/') && path !== 'test/tidy.test.ts');

  it('are all run: none is singled out or left out', () => {
    expect(found(tests, /\b(?:describe|it|test|suite)\.(?:only|skip|todo)\b/g)).toEqual([]);
  });

  it('mirror the product, where they test one of its files', () => {
    // test/net mirrors src/net, test/docs mirrors docs.
    const folders = new Set(allPaths.flatMap((path) => (path.startsWith('src/') ? [dirname(path).slice('src/'.length)] : [dirname(path)])));
    const own = /^test\/(conformance|scenarios|golden|simulation|fuzz|support|tidy)\//;
    const astray = tests
      .map(({ path }) => path)
      .filter((path) => path.endsWith('.test.ts') && !own.test(path) && dirname(path) !== 'test' && !folders.has(dirname(path).slice('test/'.length)));
    expect(astray).toEqual([]);
  });
});
