import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig, loadConfigText } from '../../src/config/load-config.ts';
import { loadInThread } from '../../src/config/load-in-thread.ts';
import { decodeSnapshot } from '../../src/shared/snapshot-codec.ts';
import { largeConfig } from '../support/large-config.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-load-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const GOOD = 'listeners: { web: { bind: "${BIND:-127.0.0.1:0}", pool: web } }\npools: { web: { backends: [a:80] } }\n';

describe('loadConfig', () => {
  it('gives a snapshot with the number it is told, and the hashes', async () => {
    const loaded = await loadConfig(write('good.yaml', GOOD), { number: 7 });
    expect(loaded.snapshot).toMatchObject({ number: 7, sha: loaded.sha, effectiveSha: loaded.effectiveSha });
    expect(loaded.problems).toEqual([]);
  });

  it('resolves variables from the environment it is given; only the effective hash tells', () => {
    const [one, other] = [':81', ':82'].map((BIND) => loadConfigText(GOOD, 'weir.yaml', { environment: { BIND } }));
    expect(one!.snapshot?.listeners[0]?.binds[0]?.port).toBe(81);
    expect(one!.sha).toBe(other!.sha);
    expect(one!.effectiveSha).not.toBe(other!.effectiveSha);
  });

  it('says why a file cannot be read', async () => {
    const missing = join(folder, 'missing.yaml');
    expect(await loadConfig(missing)).toMatchObject({ snapshot: null, sha: null, problems: [{ file: missing, line: 1, column: 1, severity: 'error', message: `cannot read ${missing}: there is no such file` }] });
    expect((await loadConfig(folder)).problems[0]?.message).toBe(`cannot read ${folder}: it is a folder`);
  });

  it('tells of errors in text, keys and between keys at once', async () => {
    const { problems, snapshot } = await loadConfig(write('bad.yaml', 'listeners: { web: { bind: "${UNSET_VARIABLE}", pool: webb, colour: red } }\npools: { web: { backends: [a:80, a:80] } }\n'), { environment: {} });
    expect(snapshot).toBeNull();
    expect(problems.map(({ message }) => message)).toEqual([
      expect.stringContaining('UNSET_VARIABLE'),
      'listeners.web.pool: `webb` is not a pool of this config',
      'listeners.web: unknown key `colour`',
      'pools.web.backends[1]: `a:80` is the address of backends[0] too',
    ]);
  });

  it('keeps warnings beside a snapshot', () => {
    const { problems, snapshot } = loadConfigText(`${GOOD}tier: { probers: 2 }\n`, 'weir.yaml', { environment: {} });
    expect(snapshot).not.toBeNull();
    expect(problems.map(({ severity }) => severity)).toEqual(['warning']);
  });

  it('warns of more connections than descriptors', () => {
    const messages = (descriptorsMax: number): number => loadConfigText(GOOD, 'weir.yaml', { environment: {}, descriptorsMax }).problems.length;
    expect(messages(19_999)).toBe(1);
    expect(messages(20_000)).toBe(0);
  });
});

describe('loadInThread', () => {
  it('gives what loadConfig gives, encoded', async () => {
    const file = write('thread.yaml', GOOD);
    const [here, there] = await Promise.all([loadConfig(file, { number: 3 }), loadInThread(file, { number: 3 }, { effective: true })]);
    expect(await decodeSnapshot(there.encoded!)).toEqual(here.snapshot);
    expect(there).toMatchObject({ sha: here.sha, effectiveSha: here.effectiveSha, effective: here.effective(), problems: [], rendered: '', secretFiles: [] });
  });

  it('gives the problems, and their text', async () => {
    const there = await loadInThread(write('wrong.yaml', 'listeners: 1\n'));
    expect(there).toMatchObject({ encoded: null, effective: null, problems: [{ line: 1, column: 12, severity: 'error' }] });
    expect(there.rendered).toContain('> 1 | listeners: 1');
  });

  it('turns the loop of the caller while it works on the largest config', async () => {
    const file = write('large.yaml', largeConfig({ backends: 10_000, routes: 10_000 }));
    let turns = 0;
    let isDone = false;
    const turn = (): void => {
      turns++;
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    const { encoded, problems } = await loadInThread(file);
    isDone = true;
    expect(problems).toEqual([]);
    expect(turns).toBeGreaterThan(100);
    const snapshot = await decodeSnapshot(encoded!);
    expect([snapshot.listeners[0]?.routes.length, snapshot.pools.flatMap((pool) => pool.backends).length]).toEqual([10_000, 10_000]);
  });
});
