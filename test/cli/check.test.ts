import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkCommand } from '../../src/cli/check.ts';
import { loadConfigText } from '../../src/config/load-config.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-check-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const GOOD = 'listeners: { web: { bind: ":80", pool: web, limits: { connections: 10 } } }\npools: { web: { backends: [a:80] } }\n';

async function check(text: string | null, json = false): Promise<{ code: number; out: string; err: string }> {
  const file = join(folder, 'weir.yaml');
  if (text === null) rmSync(file, { force: true });
  else writeFileSync(file, text);
  let out = '';
  let err = '';
  const code = await checkCommand(file, { json, color: false }, { out: (part) => (out += part), err: (part) => (err += part) });
  return { code, out, err };
}

describe('weir check', () => {
  it('prints the effective config of a good file, which is a config again', async () => {
    const { code, out, err } = await check(GOOD);
    expect([code, err]).toEqual([0, '']);
    expect(loadConfigText(out, 'again.yaml').snapshot?.pools[0]?.backends[0]?.address).toBe('a:80');
  });

  it('prints warnings beside it', async () => {
    const { code, out, err } = await check(`${GOOD}tier: { probers: 2 }\n`);
    expect(code).toBe(0);
    expect(out).toContain('probers: 2');
    expect(err).toContain('weir.yaml:3:18: warning: tier.probers');
  });

  it('prints all problems with code frames, and nothing else, for a bad one', async () => {
    const { code, out, err } = await check(`${GOOD}log: { level: loud }\ndrain: { delay: 5 }\n`);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('> 3 | log: { level: loud }');
    expect(err).toContain('> 4 | drain: { delay: 5 }');
  });

  it('says that a file is missing', async () => {
    const { code, out, err } = await check(null);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('there is no such file');
  });

  it('--json prints problems and config to stdout', async () => {
    const good = await check(GOOD, true);
    expect([good.code, good.err]).toEqual([0, '']);
    expect(JSON.parse(good.out)).toMatchObject({ problems: [], config: { pools: { web: { backends: [{ address: 'a:80', weight: 1 }] } } } });
    const bad = await check('listeners: 1', true);
    expect([bad.code, bad.err]).toEqual([1, '']);
    expect(JSON.parse(bad.out)).toMatchObject({ problems: [{ line: 1, column: 12, severity: 'error', message: expect.any(String), expected: 'a map' }], config: null });
  });
});
