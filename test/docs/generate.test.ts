/** What is made from the schema is up to date and complete. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { z } from 'zod';
import { generated } from '../../docs/generate.ts';
import { configJsonSchema } from '../../src/config/json-schema.ts';
import { loadConfigText } from '../../src/config/load-config.ts';
import { healthMaps } from '../../src/config/schema/health.ts';
import { root } from '../tidy/sources.ts';

const example = readFileSync(join(root, 'config/example.yaml'), 'utf8');

describe('generated files', () => {
  it.each([...generated.keys()])('%s is what docs/generate.ts writes', (path) => {
    expect(readFileSync(join(root, path), 'utf8'), 'run: npm run docs').toBe(generated.get(path)!());
  });
});

describe('the reference page', () => {
  const rows = [...readFileSync(join(root, 'docs/reference.md'), 'utf8').matchAll(/^\| `([A-Za-z0-9]+)` \| (.*) \| (.*) \| (.*) \|$/gm)];

  it('gives every key a type and a meaning', () => {
    expect(rows.length).toBeGreaterThan(80);
    expect(rows.filter(([, , type, , meaning]) => type === '' || meaning === '').map(([row]) => row)).toEqual([]);
  });

  it('holds every key of the config', () => {
    const documented = new Set(rows.map(([, key]) => key));
    const keys = new Set<string>();
    collectKeys(configJsonSchema(), keys);
    expect([...keys].filter((key) => !documented.has(key))).toEqual([]);
  });
});

describe('config/example.yaml', () => {
  it('loads without a warning', () => {
    expect(loadConfigText(example, 'config/example.yaml').problems).toEqual([]);
  });

  it('shows every key, in the file or in a comment', () => {
    const keys = new Set<string>();
    collectKeys(configJsonSchema(), keys);
    // Options of algorithms and probes other than the default, and the parts of a redirect, have their place in the reference.
    const ofProbes = [...healthMaps.values()].flatMap(({ shape }) => Object.keys(shape)).filter((key) => !(key in healthMaps.get('http')!.shape));
    const elsewhere = [...ofProbes, 'key', 'choices', 'decay', 'points', 'tableSize', 'scheme', 'regex', 'exact', 'present'];
    expect([...keys].filter((key) => !elsewhere.includes(key) && !new RegExp(`\\b${key}\\b`).test(example))).toEqual([]);
  });

  it('shows defaults: without them the config stays the same', () => {
    const values = loadConfigText(example, 'config/example.yaml').effectiveValues() as { listeners: { web: Record<string, unknown> }; pools: { web: Record<string, unknown> } } & Record<string, unknown>;
    const { bind, routes, pool } = values.listeners.web;
    const bare = { listeners: { web: { bind, routes, pool } }, pools: { ...values.pools, web: { backends: values.pools.web.backends, health: {} } } };
    expect(loadConfigText(JSON.stringify(bare), 'config/example.yaml').effectiveValues()).toEqual(values);
  });
});

describe('the JSON Schema', () => {
  const schema = z.fromJSONSchema(configJsonSchema());
  const good = { listeners: { web: { bind: ':80', pool: 'web' } }, pools: { web: { backends: ['a:80'] } } };

  it.each([
    ['a plain config', good],
    ['anchors', { 'x-anchors': [1], ...good }],
    ['variables', { ...good, listeners: { web: { bind: '${B}', limits: { connections: '${N}' }, timeouts: { idle: '${T:-1s}' } } } }],
    ['off as false', { ...good, pools: { web: { backends: [{ address: 'a:80', weight: 5 }], outlier: false } } }],
  ])('takes %s', (_, value) => {
    expect(schema.safeParse(value).error?.issues).toBeUndefined();
  });

  it.each([
    ['an unknown key', { ...good, listener: {} }],
    ['a number without unit', { drain: { delay: 5 } }],
    ['a word that is none of the choices', { log: { level: 'loud' } }],
    ['a name with a space', { pools: { 'a b': { backends: [] } } }],
    ['a backend without address', { pools: { a: { backends: [{ weight: 1 }] } } }],
  ])('refuses %s', (_, value) => {
    expect(schema.safeParse(value).success).toBe(false);
  });

  test('stands in the file with a description for every key', () => {
    const bare: string[] = [];
    const look = (json: unknown, path: string): void => {
      if (typeof json !== 'object' || json === null) return;
      for (const [key, value] of Object.entries((json as { properties?: object }).properties ?? {})) if ((value as { description?: string }).description === undefined) bare.push(`${path}.${key}`);
      for (const [key, value] of Object.entries(json)) look(value, `${path}.${key}`);
    };
    look(configJsonSchema(), '');
    expect(bare).toEqual([]);
  });
});

function collectKeys(json: unknown, keys: Set<string>): void {
  if (typeof json !== 'object' || json === null) return;
  for (const key of Object.keys((json as { properties?: object }).properties ?? {})) keys.add(key);
  for (const value of Object.values(json)) collectKeys(value, keys);
}
