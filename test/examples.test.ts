/** The example configs load as they are, without so much as a warning, and say what the documents say of them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../src/config/load-config.ts';
import { isRolePool, type Snapshot } from '../src/shared/snapshot.ts';
import { root } from './tidy/sources.ts';

/** Made as docs/tls.md has it. */
const certs = mkdtempSync(join(tmpdir(), 'weir-certs-'));
const made = spawnSync('sh', [join(root, 'config/test-ca.sh'), certs], { encoding: 'utf8' });
if (made.status !== 0) throw new Error(`config/test-ca.sh failed: ${made.stderr}`);
afterAll(() => rmSync(certs, { recursive: true, force: true }));

const folders = ['config', 'config/migrating'];
const examples = folders.flatMap((folder) => readdirSync(join(root, folder)).filter((file) => file.endsWith('.yaml')).map((file) => `${folder}/${file}`));

async function load(example: string): Promise<Snapshot> {
  const { snapshot, problems } = await loadConfig(join(root, example), { environment: { CERTS: certs } });
  expect(problems.map(({ line, message }) => `${example}:${line}: ${message}`)).toEqual([]);
  expect(snapshot).not.toBeNull();
  return snapshot!;
}

function routeNames(snapshot: Snapshot): string[] {
  return snapshot.listeners.flatMap((listener) => listener.routes.map((route) => route.name));
}

describe('an example config', () => {
  it.each(examples)('%s loads', async (example) => {
    const snapshot = await load(example);
    expect(snapshot.listeners.length).toBeGreaterThan(0);
  });

  it.each(examples)('%s begins with what it shows', (example) => {
    expect(readFileSync(join(root, example), 'utf8')).toMatch(/^# \S.{20,}/);
  });

  it('web: the weight is that of the third backend', async () => {
    const { pools } = await load('config/web.yaml');
    expect(pools[0]?.backends.map((backend) => backend.weight)).toEqual([1, 1, 2]);
  });

  it('canary: the header and the cookie lead to the new release, everything else to the old', async () => {
    const snapshot = await load('config/canary.yaml');
    const targets = snapshot.listeners[0]?.routes.map((route) => (route.action.kind === 'pool' ? route.action.pool : ''));
    expect(targets).toEqual(['next', 'next', 'stable']);
  });

  it('active-passive: the second waits, and a pool without a usable backend does not panic', async () => {
    const [pool] = (await load('config/active-passive.yaml')).pools;
    expect(pool?.backends.map((backend) => backend.priority)).toEqual([0, 1]);
    expect(pool?.panicShare).toBe(0);
  });

  it('sticky: the ring hashes the session cookie', async () => {
    const [pool] = (await load('config/sticky.yaml')).pools;
    expect(pool?.algorithm).toMatchObject({ name: 'ring-hash', key: { kind: 'cookie', name: 'session' } });
  });

  it('rate-limits: each limit is as written, with the burst of a second where none is', async () => {
    const snapshot = await load('config/rate-limits.yaml');
    expect(snapshot.listeners[0]?.routes.map(({ rateLimit }) => rateLimit)).toEqual([
      { key: { kind: 'client-ip', name: '' }, count: 10, periodMs: 60_000, burst: 5, scope: 'tier' },
      { key: { kind: 'header', name: 'x-api-key' }, count: 100, periodMs: 1000, burst: 200, scope: 'tier' },
      { key: { kind: 'path', name: '' }, count: 50, periodMs: 1000, burst: 50, scope: 'proxy' },
      null,
    ]);
  });

  it('tcp-udp: a database by its primary, the most exact name first, one answer a query', async () => {
    const { listeners, pools } = await load('config/tcp-udp.yaml');
    expect(listeners.map(({ protocol }) => protocol)).toEqual(['tcp', 'tcp', 'udp']);
    expect(listeners[1]?.routes.map(({ match, action }) => [match.sni?.[0]?.value, action])).toEqual([
      ['shop.example.com', { kind: 'pool', pool: 'shop' }],
      ['example.com', { kind: 'pool', pool: 'sites' }],
      [undefined, { kind: 'pool', pool: 'sites' }],
    ]);
    expect(listeners[2]?.limits.responsesMax).toBe(1);
    expect(pools[0]).toMatchObject({ onDown: 'close', panicShare: 0, health: [{ type: 'postgres', role: 'primary', hidden: ['password'] }] });
    expect(pools.map(isRolePool)).toEqual([true, false, false, false]);
    expect(pools[1]?.proxyProtocol).toBe('v2');
    expect(pools[2]?.health.map(({ type, port }) => [type, port])).toEqual([['tcp', null], ['http', 8080]]);
  });

  it('tls: two kinds of keys for one name, clients that must be known, backends in TLS', async () => {
    const { listeners, pools } = await load('config/tls.yaml');
    expect(listeners.map(({ tls }) => tls?.certificates.map(({ keyType }) => keyType))).toEqual([undefined, ['ec', 'rsa'], ['ec'], ['ec']]);
    expect(listeners[2]?.tls).toMatchObject({ minVersion: 'TLSv1.3', unknownName: 'refuse', clientAuth: { mode: 'require' } });
    expect(listeners[1]?.routes[0]?.responseHeaders?.set).toEqual([['Strict-Transport-Security', 'max-age=31536000']]);
    expect(pools.map(({ tls }) => tls?.serverName)).toEqual([undefined, 'localhost', undefined]);
  });

  it('routing: each route does what its name says', async () => {
    const snapshot = await load('config/routing.yaml');
    expect(routeNames(snapshot)).toEqual(['moved', 'without-www', 'robots', 'api', 'site']);
    expect(snapshot.listeners[0]?.routes.map((route) => route.action.kind)).toEqual(['redirect', 'redirect', 'respond', 'pool', 'pool']);
  });
});

describe('docs/migrating.md', () => {
  it('names every converted example, and no other', () => {
    const text = readFileSync(join(root, 'docs/migrating.md'), 'utf8');
    const named = [...text.matchAll(/\]\(\.\.\/(config\/migrating\/[\w-]+\.yaml)\)/g)].map((match) => match[1]!);
    expect(named.sort()).toEqual(examples.filter((example) => example.startsWith('config/migrating/')).sort());
  });
});
