/** Programs that `exec` probes name: where they may lie, told with the place in the config. */
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfigText, type LoadOptions } from '../../src/config/load-config.ts';

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'weir-code-')));
  mkdirSync(join(folder, 'plugins'));
  mkdirSync(join(folder, 'plugins-of-others'));
  for (const file of ['plugins/check.sh', 'plugins-of-others/check.sh']) {
    writeFileSync(join(folder, file), '#!/bin/sh\n');
    chmodSync(join(folder, file), 0o755);
  }
  writeFileSync(join(folder, 'plugins/notes.txt'), 'words');
  symlinkSync('/bin/true', join(folder, 'plugins/true'));
  symlinkSync('check.sh', join(folder, 'plugins/link'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function problemsOf(health: string, options: LoadOptions = {}, more = ''): string[] {
  const text = `listeners: { web: { bind: ":8080", pool: web } }\npools: { web: { backends: ["a:80"], health: ${health} } }\n${more}`;
  return loadConfigText(text, join(folder, 'weir.yaml'), options).problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

const of = (path: string): string => `{ type: exec, command: ["${path}", "-v"] }`;

it.each(['plugins/check.sh', './plugins/check.sh', './plugins/link', 'plugins/../plugins/check.sh'])('%s runs, from the folder of --plugins', (path) => {
  expect(problemsOf(of(path), { pluginsDir: join(folder, 'plugins') })).toEqual([]);
});

it.each([
  ['plugins-of-others/check.sh', 'lies outside the folder that code may load from'],
  ['/bin/true', 'lies outside the folder that code may load from'],
  ['plugins', 'lies outside the folder that code may load from'],
  ['plugins/nothing', 'names no file'],
  ['plugins/true', 'leads outside the folder that code may load from'],
  ['plugins/notes.txt', 'is not executable'],
])('%s does not: it %s', (path, message) => {
  expect(problemsOf(of(path), { pluginsDir: join(folder, 'plugins') })).toEqual([`2:69 pools.web.health.command[0]: \`${path}\` ${message}`]);
  expect(problemsOf(`[http, ${of(path)}]`, { pluginsDir: join(folder, 'plugins') })).toEqual([`2:76 pools.web.health[1].command[0]: \`${path}\` ${message}`]);
});

it('is the folder of the config where nobody names one, and no folder at all with a store', () => {
  const tier = 'tier: { name: t, store: "redis://127.0.0.1" }\n';
  expect(problemsOf(of('plugins/check.sh'))).toEqual([]);
  expect(problemsOf(of('plugins/check.sh'), {}, tier)).toEqual(['2:69 pools.web.health.command[0]: `plugins/check.sh` lies outside the folder that code may load from']);
  expect(problemsOf(of('plugins/check.sh'), { pluginsDir: join(folder, 'plugins') }, tier)).toEqual([]);
});

it.each([
  ['exec', '2:45 pools.web.health: `exec` names no program'],
  ['{ type: exec }', '2:45 pools.web.health: names no program'],
  ['{ type: exec, command: [] }', '2:45 pools.web.health: names no program'],
  ['{ type: exec, command: plugins/check.sh }', '2:68 pools.web.health.command: `plugins/check.sh` is not right'],
  ['{ type: exec, command: [plugins/check.sh, 5] }', '2:87 pools.web.health.command[1]: `5` is a number, and text is wanted here'],
])('%s is refused', (health, problem) => {
  expect(problemsOf(health)).toEqual([problem]);
});
