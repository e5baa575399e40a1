import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { loadConfigText } from '../../src/config/load-config.ts';
import { generatedConfigs } from '../support/generated-configs.ts';

const example = new URL('../../config/example.yaml', import.meta.url);

function loadsAgain(text: string): void {
  const first = loadConfigText(text, 'weir.yaml', { environment: {} });
  expect(first.problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  const again = loadConfigText(first.effective()!, 'weir.yaml', { environment: {} });
  const { sha: _, effectiveSha: __, ...snapshot } = first.snapshot!;
  expect(again.snapshot).toMatchObject(snapshot);
  expect(again.effective()).toBe(first.effective());
}

describe('the effective config', () => {
  it('of the example loads again, to the same snapshot', () => {
    loadsAgain(readFileSync(example, 'utf8'));
  });

  test('of any config loads again, to the same snapshot', () => {
    fc.assert(fc.property(generatedConfigs, (config) => loadsAgain(JSON.stringify(config))), { numRuns: 100 });
  });

  it('shows every default', () => {
    const loaded = loadConfigText('listeners: { web: { bind: ":80", pool: web } }\npools: { web: { backends: [a:80], health: {}, algorithm: ewma } }', 'weir.yaml');
    for (const line of ['headerSize: 32KiB', 'tunnel: 1h', 'expect: 200-399', 'decay: 10s', 'weight: 1', 'panicThreshold: 50%', 'lease: 3s', 'removed: 10m', 'token: none', 'to: stdout']) expect(loaded.effective()).toContain(line);
  });

  it('says that a pool with a role never panics, and loads again without a word', () => {
    for (const more of ['', ', panicThreshold: 30%']) {
      const text = `listeners: { db: { bind: ":80", protocol: tcp, pool: db } }\npools: { db: { backends: [a:80], health: { type: redis, role: primary }${more} } }`;
      loadsAgain(text);
      const effective = loadConfigText(text, 'weir.yaml').effective()!;
      expect(effective).toContain('panicThreshold: 0%');
      expect(loadConfigText(effective, 'weir.yaml').problems).toEqual([]);
    }
  });

  it('is null beside an error', () => {
    expect(loadConfigText('listeners: 1', 'weir.yaml').effective()).toBeNull();
  });
});

describe('secrets', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-effective-'));
    writeFileSync(join(folder, 'token'), 'hunter2hunter2\n');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const withSecrets = `
listeners: { web: { bind: ":80", routes: [{ pool: web, requestHeaders: { set: { authorization: "file:token" } } }] } }
pools: { web: { backends: [a:80], health: { headers: { x-key: "file:token" } } } }
admin: { token: "file:token", readToken: written-in-the-file }
`;

  it('are used, and never shown', () => {
    const loaded = loadConfigText(withSecrets, join(folder, 'weir.yaml'));
    expect(loaded.snapshot?.admin.token).toBe('hunter2hunter2');
    expect(loaded.snapshot?.listeners[0]?.routes[0]?.requestHeaders?.set).toEqual([['authorization', 'hunter2hunter2']]);
    expect(loaded.secretFiles).toEqual([join(folder, 'token')]);
    for (const shown of [loaded.effective()!, JSON.stringify(loaded.effectiveValues())]) {
      expect(shown).not.toContain('hunter2');
      expect(shown).not.toContain('written-in-the-file');
      expect(shown.match(/\(hidden\)/g)).toHaveLength(4);
    }
  });

  it('of probes are used, and never shown, however they were written', () => {
    const text = `
listeners: { web: { bind: ":80", pool: web } }
pools: { web: { backends: [a:80], health: [{ type: postgres, password: "file:token" }, { type: postgres, password: "\${PASSWORD}" }, { type: postgres, password: hunter2-literal }, { type: postgres }] } }
`;
    const loaded = loadConfigText(text, join(folder, 'weir.yaml'), { environment: { PASSWORD: 'hunter2-variable' } });
    const health = loaded.snapshot!.pools[0]!.health;
    expect(health.map(({ options }) => options['password'])).toEqual(['hunter2hunter2', 'hunter2-variable', 'hunter2-literal', '']);
    expect(health.every(({ hidden }) => hidden.includes('password'))).toBe(true);
    expect(loaded.effective()).not.toContain('hunter2');
    expect(loaded.effective()!.match(/\(hidden\)/g)).toHaveLength(3);
  });

  it('are hidden from names of checks wherever they came from', () => {
    const text = 'listeners: { web: { bind: ":80", pool: web } }\npools: { web: { backends: [a:80], health: { host: a, headers: { authorization: "Bearer ${TOKEN}", accept: a } } } }';
    expect(loadConfigText(text, 'weir.yaml', { environment: { TOKEN: 'x' } }).snapshot!.pools[0]!.health[0]!.hidden).toEqual(['headers']);
  });

  it.each(['12345', '[12345]', '{ a: 12345 }', 'true', '""'])('that are of the wrong kind are in no message: %s', (password) => {
    const { problems } = loadConfigText(`pools: { web: { backends: ["a:80"], health: { type: postgres, password: ${password} } } }`, 'weir.yaml');
    expect(JSON.stringify(problems)).not.toMatch(/12345|true`/);
  });

  it('are in no message, wherever they stand', () => {
    const places = ['listeners: { web: { bind: "file:token" } }', 'pools: { web: { backends: ["file:token"], algorithm: "file:token", health: "file:token" } }', 'listeners: { web: { bind: ":1", pool: "file:token" } }', 'drain: { delay: "file:token" }', 'log: { level: "file:token", access: "file:token" }', 'tier: { name: "file:token", store: "file:token", probers: "file:token" }', 'listeners: { web: { bind: ":1", routes: [{ match: { path: "file:token", host: { a: "file:token" }, method: "file:token", source: "file:token" } }] } }'];
    for (const text of places) {
      const { problems } = loadConfigText(text, join(folder, 'weir.yaml'));
      expect(JSON.stringify(problems)).not.toContain('hunter2');
    }
  });

  it('values of variables are in no message either', () => {
    const { problems } = loadConfigText('listeners: { web: { bind: "${X}", pool: "${X}", via: "${X}", limits: { headerSize: "${X}" }, timeouts: { idle: "${X}" } } }', 'weir.yaml', { environment: { X: 'from-the-environment' } });
    expect(problems).toHaveLength(5);
    expect(JSON.stringify(problems)).not.toContain('from-the-environment');
  });
});
