/**
 * The build and the image's steps, on a copy of the checkout: what is
 * published runs, and the Dockerfile copies what is there.
 */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allPaths, root } from './tidy/sources.ts';

const run = promisify(execFile);
const packageJson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string; bin: { weir: string }; files: string[]; scripts: Record<string, string> };
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');

describe('the build', () => {
  let copy = '';

  beforeAll(async () => {
    copy = mkdtempSync(join(tmpdir(), 'weir-build-'));
    for (const path of allPaths.filter((each) => !each.startsWith('test/') && !each.startsWith('bench/'))) cpSync(join(root, path), join(copy, path));
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    await run('npm', ['run', 'build'], { cwd: copy });
  }, 120_000);

  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  it('makes the program that package.json and the image start', () => {
    expect(existsSync(join(copy, packageJson.bin.weir))).toBe(true);
    expect(/ENTRYPOINT \["node", "([^"]+)"\]/.exec(dockerfile)?.[1]).toBe(packageJson.bin.weir);
  });

  it('makes a program that knows its version', async () => {
    const { stdout } = await run(process.execPath, [packageJson.bin.weir, '--version'], { cwd: copy });
    expect(stdout.trim()).toContain(packageJson.version);
  });

  it('makes a program that checks a config', async () => {
    await run(process.execPath, [packageJson.bin.weir, 'check', 'config/web.yaml'], { cwd: copy });
    await expect(run(process.execPath, [packageJson.bin.weir, 'check', 'no-such.yaml'], { cwd: copy })).rejects.toMatchObject({ code: 1 });
  });

  it("carries the store's scripts", () => {
    const scripts = allPaths.filter((path) => path.endsWith('.lua'));
    expect(scripts.length).toBeGreaterThan(10);
    expect(scripts.filter((path) => !existsSync(join(copy, path.replace(/^src/, 'dist'))))).toEqual([]);
  });

  it('can be started as an executable', () => {
    expect(readFileSync(join(copy, packageJson.bin.weir), 'utf8').startsWith('#!/usr/bin/env node\n')).toBe(true);
  });
});

describe('the image', () => {
  it('copies only what is in the checkout or in an earlier step', () => {
    const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((match) => match[1]!.split(' '));
    expect(sources.length).toBeGreaterThan(0);
    expect(sources.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('builds with scripts that exist', () => {
    const scripts = [...dockerfile.matchAll(/npm run (\w+)/g)].map((match) => match[1]!);
    expect(scripts.filter((name) => packageJson.scripts[name] === undefined)).toEqual([]);
  });

  it('does not run as root', () => {
    const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
    expect(/^USER (?!root)\w+$/m.test(last)).toBe(true);
  });
});
