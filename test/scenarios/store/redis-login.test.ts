/** Who may talk to Redis, and over what: users with few rights, passwords, TLS. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hintsChannel } from '../../../src/control-plane/store/redis/scripts.ts';
import { redisStore, realTime } from '../../support/redis-rig.ts';
import { MASTER_NAME } from '../../support/redis-sentinel.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { walkStore } from '../../support/redis-walk.ts';
import { TierRig, up } from '../../support/tier-contract/tier-rig.ts';
import { makeTlsFiles, type TlsFiles } from '../../support/tls-files.ts';
import { until } from '../../support/weir-process.ts';

const PASSWORD = 'p@ss:w/rd#?';

/** The rules that redis-store.ts tells operators to give. */
function documentedRules(tier: string): string[] {
  const source = readFileSync(new URL('../../../src/control-plane/store/redis-store.ts', import.meta.url), 'utf8');
  const text = /ACL SETUSER weir (on >PASSWORD[^]*?)\n \*\n/.exec(source)![1]!;
  return text.replaceAll(/\n \*/g, ' ').replaceAll('TIER', tier).replace('PASSWORD', PASSWORD).split(/\s+/);
}

it('the page on tiers asks for the same rights', () => {
  const page = readFileSync(new URL('../../../docs/tier.md', import.meta.url), 'utf8');
  const text = /ACL SETUSER weir (on >PASSWORD[^]*?)\n```/.exec(page)![1]!.replaceAll('TIER', 'allowed').replace('PASSWORD', PASSWORD);
  expect(text.split(/\s+/)).toEqual(documentedRules('allowed'));
});

async function reasonOf(work: Promise<unknown>): Promise<string> {
  return await work.then(() => '', (error: unknown) => (error as Error).message);
}

describe('a user of Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());

  const url = (user = 'weir', password = PASSWORD): string => `redis://${user}:${encodeURIComponent(password)}@127.0.0.1:${server.port}`;
  const setUser = (rules: readonly string[]): Promise<unknown> => server.client().call('ACL', 'SETUSER', 'weir', 'reset', ...rules);

  it('with the documented rights can do all that a tier does', async () => {
    await setUser(documentedRules('allowed'));
    const { store, warnings } = redisStore(url(), { tier: 'allowed' });
    const rig = new TierRig({ store, advance: realTime, flush: () => Promise.resolve(), end: () => Promise.resolve() });
    await rig.listen(await rig.ready('a'));
    for (let i = 0; i < 3; i++) await walkStore(store);
    // What mends the store has to work just then.
    await server.client().set('weir:{allowed}:log', 'garbage');
    await walkStore(store);
    await rig.ready('b');
    expect(warnings).toHaveLength(1);
    await store.close();
  });

  it('needs each of them', async () => {
    const rules = documentedRules('allowed');
    const rights = rules.filter((rule) => rule.startsWith('+'));
    expect(rights.length).toBeGreaterThan(20);
    // What goes beyond the log's ten thousand is cut.
    const rare = new Set(['+ltrim']);
    for (const right of rights.filter((each) => !rare.has(each))) {
      await server.client().flushall();
      await setUser(rules.filter((rule) => rule !== right));
      const { store, warnings } = redisStore(url(), { tier: 'allowed' });
      store.subscribe(() => undefined);
      const reason = await reasonOf((async () => {
        await server.client().script('FLUSH');
        await walkStore(store);
        await walkStore(store);
        await server.client().set('weir:{allowed}:log', 'garbage');
        await walkStore(store);
        if (right === '+subscribe') await until(() => warnings.some(({ text }) => text.includes('publishes nothing')));
        if (warnings.some(({ text }) => text.includes('publishes nothing'))) throw new Error('NOPERM to subscribe');
      })());
      expect(`${right}: ${reason}`).toMatch(/NOPERM|can't run this command|no permissions/i);
      await store.close();
    }
  }, 60_000);

  it('cannot touch another tier, nor hear it', async () => {
    await setUser(documentedRules('allowed'));
    const { store, warnings } = redisStore(url(), { tier: 'other' });
    store.subscribe(() => undefined);
    expect(await reasonOf(walkStore(store))).toMatch(/NOPERM|key/);
    await until(() => warnings.length > 0);
    expect(warnings[0]!.fields!['reason']).toMatch(/NOPERM/);
    await store.close();
    expect(hintsChannel('other')).not.toBe(hintsChannel('allowed'));
  });

  it('is told that its password is wrong, without the password', async () => {
    await setUser(documentedRules('allowed'));
    const wrong = 'not-the-password';
    const { store } = redisStore(url('weir', wrong), { tier: 'allowed' });
    const reason = await reasonOf(store.versions());
    expect(reason).toMatch(/^WRONGPASS invalid username-password pair or user is disabled\.?$/);
    expect(reason).not.toContain(wrong);
    // The password may be put right on the other side: the next connection finds out.
    await server.client().call('ACL', 'SETUSER', 'weir', `>${wrong}`);
    await until(() => store.versions().then(() => true, () => false));
    await store.close();
  });

  it('is told that a password is asked for', async () => {
    await server.client().config('SET', 'requirepass', 'default-password');
    const { store } = redisStore(server.url, { tier: 'allowed' });
    expect(await reasonOf(store.versions())).toBe('NOAUTH Authentication required.');
    await store.close();
    const known = redisStore(`redis://:default-password@127.0.0.1:${server.port}/3`, { tier: 'allowed' });
    await walkStore(known.store);
    await known.store.close();
    await server.client().config('SET', 'requirepass', '');
  });
});

describe('over TLS', () => {
  let folder: string;
  let files: TlsFiles;
  let server: RedisServer;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'weir-tls-'));
    files = makeTlsFiles(folder);
    server = await RedisServer.start({ tls: true, config: [`tls-cert-file ${files.cert}`, `tls-key-file ${files.key}`, `tls-ca-cert-file ${files.cert}`, 'tls-auth-clients no'] });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('talks to a server whose certificate it trusts', async () => {
    const { store } = redisStore(`rediss://127.0.0.1:${server.port}?ca=${encodeURIComponent(files.cert)}`);
    await walkStore(store);
    const rig = new TierRig({ store, advance: realTime, flush: () => Promise.resolve(), end: () => Promise.resolve() });
    const a = await rig.ready('a');
    await rig.listen(a);
    await a.report(up('x'));
    await store.close();
  });

  it('does not talk to one whose certificate it does not trust', async () => {
    const { store } = redisStore(`rediss://127.0.0.1:${server.port}`);
    expect(await reasonOf(store.versions())).toMatch(/^TLS: self-signed certificate/);
    await store.close();
  });

  it('does not talk to one that speaks no TLS', async () => {
    const plain = await RedisServer.start();
    const { store } = redisStore(`rediss://127.0.0.1:${plain.port}?ca=${encodeURIComponent(files.cert)}`, { callTimeoutMs: 1000 });
    expect(await reasonOf(store.versions())).toMatch(/^(?:TLS: |connection lost|no answer in 1000 ms)/);
    await store.close();
    await plain.stop();
  });

  it('finds the master by Sentinels that speak TLS and ask for a password', async () => {
    const passwordFile = join(folder, 'sentinel-password');
    writeFileSync(passwordFile, 'sentinel-word\n');
    const tls = [`tls-cert-file ${files.cert}`, `tls-key-file ${files.key}`, `tls-ca-cert-file ${files.cert}`, 'tls-auth-clients no', 'tls-replication yes'];
    const sentinel = await RedisServer.start({ sentinel: true, tls: true, config: [...tls, 'requirepass sentinel-word', `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${server.port} 1`] });
    const query = `ca=${encodeURIComponent(files.cert)}&sentinelPasswordFile=${encodeURIComponent(passwordFile)}`;
    const { store } = redisStore(`sentinel://127.0.0.1:${sentinel.port}/${MASTER_NAME}?${query}`);
    await walkStore(store);
    await store.close();
    const unknown = redisStore(`sentinel://127.0.0.1:${sentinel.port}/another?${query}`);
    expect(await reasonOf(unknown.store.versions())).toBe('no Sentinel knows the master');
    await unknown.store.close();
    const without = redisStore(`sentinel://127.0.0.1:${sentinel.port}/${MASTER_NAME}?ca=${encodeURIComponent(files.cert)}`);
    expect(await reasonOf(without.store.versions())).toBe('no Sentinel answers: NOAUTH Authentication required.');
    await without.store.close();
    await sentinel.stop();
  });
});
