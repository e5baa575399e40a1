/** `tls` of listeners in the config: what is taken, what is refused and why, and that keys are shown nowhere. */
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfigText, type LoadedConfig } from '../../../src/config/load-config.ts';
import type { TlsSpec } from '../../../src/shared/snapshot.ts';
import { TestCa } from '../../support/test-ca.ts';

const ca = new TestCa();
afterAll(() => ca.remove());
const site = ca.issue({ names: ['localhost', '*.b.example', 'IP:127.0.0.1'] });
const rsa = ca.issue({ names: ['localhost'], type: 'rsa' });
ca.write('chain.pem', site.cert + ca.ca);
ca.write('backwards.pem', ca.ca + site.cert);
ca.write('not-pem', 'hello');
ca.write('broken.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
ca.write('locked.key', site.key.replaceAll('PRIVATE KEY', 'ENCRYPTED PRIVATE KEY'));

function load(tls: string, protocol = 'http', nowMs?: number, environment: Record<string, string> = {}): LoadedConfig {
  const text = `listeners:\n  web:\n    bind: ":8443"\n    protocol: ${protocol}\n    tls: ${tls}\n    pool: web\npools:\n  web: { backends: ["127.0.0.1:1"] }\n`;
  return loadConfigText(text, `${ca.folder}/weir.yaml`, { environment, ...(nowMs === undefined ? {} : { nowMs }) });
}
const said = ({ problems }: LoadedConfig): string[] => problems.map(({ severity, message }) => `${severity}: ${message.replaceAll(ca.folder, '')}`);
const pair = (cert: string, key: string): string => `{ cert: "file:${cert}", key: "file:${key}" }`;
const SITE = pair('leaf-1.crt', 'leaf-1.key');

function spec(tls: string, protocol?: string): TlsSpec {
  const loaded = load(tls, protocol);
  expect(said(loaded)).toEqual([]);
  return loaded.snapshot!.listeners[0]!.tls!;
}

describe('tls of a listener', () => {
  it('has defaults for all but its certificates', () => {
    const { certificates, ...rest } = spec(`{ certificates: [${SITE}] }`);
    expect(rest).toMatchObject({ unknownName: 'default', minVersion: 'TLSv1.2', curves: null, alpn: ['h2', 'http/1.1', 'http/1.0'] });
    expect(certificates).toEqual([{ label: 'leaf-1.crt', cert: site.cert.trimEnd(), key: site.key.trimEnd(), names: ['localhost', '*.b.example', '127.0.0.1'], keyType: 'ec', expiresAtMs: expect.any(Number) }]);
    expect(spec(`{ certificates: [${SITE}] }`, 'tcp').alpn).toEqual([]);
    expect(spec(`{ certificates: [${SITE}] }`, 'http\n    http2: false').alpn).toEqual(['http/1.1', 'http/1.0']);
    expect(load(`{ certificates: [${SITE}] }`).snapshot!.listeners[0]!.limits.handshakesMax).toBe(1000);
  });

  it('takes a chain, several pairs, and all that may be said', () => {
    const tls = spec(`{ certificates: [${pair('chain.pem', 'leaf-1.key')}, ${pair('leaf-2.crt', 'leaf-2.key')}], unknownName: refuse, minVersion: TLSv1.3, ciphers: "TLS_AES_256_GCM_SHA384:ECDHE-RSA-AES256-GCM-SHA384", curves: "X25519:prime256v1" }`);
    expect(tls).toMatchObject({ unknownName: 'refuse', minVersion: 'TLSv1.3', curves: 'X25519:prime256v1', certificates: [{ keyType: 'ec' }, { keyType: 'rsa', key: rsa.key.trimEnd() }] });
    expect(spec(`{ certificates: [${SITE}], alpn: [imap, "x-own"] }`, 'tcp').alpn).toEqual(['imap', 'x-own']);
  });

  it('follows its files', () => {
    expect(load(`{ certificates: [${SITE}] }`).secretFiles.map((file) => file.slice(ca.folder.length))).toEqual(['/leaf-1.crt', '/leaf-1.key']);
  });

  it('keeps keys to itself', () => {
    const loaded = load(`{ certificates: [${SITE}] }`);
    for (const shown of [loaded.effective()!, JSON.stringify(loaded.effectiveValues()), JSON.stringify(loaded.problems)]) expect(shown).not.toMatch(/PRIVATE|MI[GH]/);
  });

  it.each([
    ['nothing', '{}', 'error: listeners.web.tls: `certificates` is missing'],
    ['no pair', '{ certificates: [] }', 'error: listeners.web.tls.certificates: '],
    ['a path without file:', `{ certificates: [{ cert: leaf-1.crt, key: "file:leaf-1.key" }] }`, 'error: listeners.web.tls.certificates[0].cert: `leaf-1.crt` is not PEM'],
    ['a file that is not there', `{ certificates: [${pair('none.crt', 'leaf-1.key')}] }`, 'error: cannot read the secret `/none.crt`: there is no such file'],
    ['a file that is not PEM', `{ certificates: [${pair('not-pem', 'leaf-1.key')}] }`, 'error: listeners.web.tls.certificates[0].cert: the secret is not PEM'],
    ['a broken certificate', `{ certificates: [${pair('broken.pem', 'leaf-1.key')}] }`, 'error: listeners.web.tls.certificates[0].cert: `file:broken.pem` holds a certificate that is broken'],
    ['a key for a certificate', `{ certificates: [${pair('leaf-1.key', 'leaf-1.key')}] }`, 'error: listeners.web.tls.certificates[0].cert: `file:leaf-1.key` holds no certificate'],
    ['a certificate for a key', `{ certificates: [${pair('leaf-1.crt', 'leaf-1.crt')}] }`, 'error: listeners.web.tls.certificates[0].key: `file:leaf-1.crt` holds no private key that can be read'],
    ['a key under a passphrase', `{ certificates: [${pair('leaf-1.crt', 'locked.key')}] }`, 'error: listeners.web.tls.certificates[0].key: `file:locked.key` is a key under a passphrase, and nobody would be there to give it'],
    ['the key of another', `{ certificates: [${SITE}, ${pair('leaf-2.crt', 'leaf-1.key')}] }`, 'error: listeners.web.tls.certificates[1].key: `file:leaf-1.key` is not the key of the certificate'],
    ['a chain that begins with its root', `{ certificates: [${pair('backwards.pem', 'leaf-1.key')}] }`, 'error: listeners.web.tls.certificates[0].key: `file:leaf-1.key` is the key of another certificate of the chain than the first'],
    ['a cipher that there is not', `{ certificates: [${SITE}], ciphers: NO-SUCH }`, 'error: listeners.web.tls.ciphers: `NO-SUCH` names no cipher suite that this runtime has'],
    ['a curve that there is not', `{ certificates: [${SITE}], curves: P-1 }`, 'error: listeners.web.tls.curves: `P-1` names a group that this runtime does not have'],
    ['an old version', `{ certificates: [${SITE}], minVersion: TLSv1.1 }`, 'error: listeners.web.tls.minVersion: `TLSv1.1` is not known here'],
  ])('refuses %s', (_, tls, message) => {
    const loaded = load(tls);
    expect(loaded.snapshot).toBeNull();
    expect(said(loaded)).toHaveLength(1);
    expect(said(loaded)[0]).toContain(message);
  });

  it('takes keys from files alone', () => {
    const loaded = load('{ certificates: [{ cert: "${CERT}", key: "${KEY}" }] }', 'http', undefined, { CERT: site.cert, KEY: site.key });
    expect(said(loaded)).toEqual(['error: listeners.web.tls.certificates[0].key: `${KEY}` stands in the config, or in the environment']);
    expect(JSON.stringify(loaded.problems)).not.toMatch(/PRIVATE|MI[GH]/);
  });

  it('does not go with udp', () => {
    expect(said(load(`{ certificates: [${SITE}] }`, 'udp'))[0]).toContain('`tls` does not go with protocol udp');
  });

  it('warns of certificates that end soon, have ended, or have not begun', () => {
    const tls = `{ certificates: [${SITE}] }`;
    const day = 86_400_000;
    const { expiresAtMs } = spec(tls).certificates[0]!;
    const on = new Date(expiresAtMs).toISOString().slice(0, 10);
    expect(said(load(tls, 'http', expiresAtMs - 15 * day))).toEqual([]);
    expect(said(load(tls, 'http', expiresAtMs - 13 * day))).toEqual([`warning: listeners.web.tls.certificates[0].cert: \`file:leaf-1.crt\` expires on ${on}`]);
    expect(said(load(tls, 'http', expiresAtMs))).toEqual([`warning: listeners.web.tls.certificates[0].cert: \`file:leaf-1.crt\` has expired on ${on}`]);
    expect(said(load(tls, 'http', expiresAtMs - 60 * day))[0]).toContain('is not valid before');
    expect(load(tls, 'http', expiresAtMs).snapshot).not.toBeNull();
  });
});

describe('tls of a probe', () => {
  const pool = (health: string): LoadedConfig => loadConfigText(`listeners:\n  db: { bind: ":5432", protocol: tcp, pool: db }\npools:\n  db:\n    backends: ["127.0.0.1:1"]\n    health: ${health}\n`, `${ca.folder}/weir.yaml`, { environment: { CERT: site.cert, KEY: site.key } });
  const tls = (terms: string): string => `{ type: postgres, tls: ${terms} }`;

  it.each([
    ['one check', tls(SITE)],
    ['a list', `[tcp, ${tls(SITE)}]`],
  ])('takes a certificate of ours, and follows its files: %s', (_, health) => {
    const loaded = pool(health);
    expect(said(loaded)).toEqual([]);
    expect(loaded.snapshot!.pools[0]!.health.at(-1)).toMatchObject({ hidden: expect.arrayContaining(['tls']), options: { tls: { cert: site.cert.trimEnd(), key: site.key.trimEnd() } } });
    expect(loaded.secretFiles.map((file) => file.slice(ca.folder.length))).toEqual(['/leaf-1.crt', '/leaf-1.key']);
    for (const shown of [loaded.effective()!, JSON.stringify(loaded.effectiveValues())]) expect(shown).not.toMatch(/PRIVATE|MI[GH]/);
  });

  it.each([
    ['another’s key', pair('leaf-2.crt', 'leaf-1.key'), 'error: pools.db.health.tls.key: `file:leaf-1.key` is not the key of the certificate'],
    ['a key alone', '{ key: "file:leaf-1.key" }', 'error: pools.db.health.tls: has one of cert and key without the other'],
    ['a certificate alone', '{ cert: "file:leaf-1.crt" }', 'error: pools.db.health.tls: has one of cert and key without the other'],
    ['a key that is none', pair('leaf-1.crt', 'leaf-1.crt'), 'error: pools.db.health.tls.key: `file:leaf-1.crt` holds no private key'],
    ['a key from elsewhere', '{ cert: "file:leaf-1.crt", key: "${KEY}" }', 'error: pools.db.health.tls.key: `${KEY}` stands in the config, or in the environment'],
    ['a key that is written out', '{ cert: "file:leaf-1.crt", key: "-----BEGIN PRIVATE KEY-----MIGH" }', 'error: pools.db.health.tls.key: stands in the config, or in the environment'],
  ])('refuses %s, and shows none of it', (_, terms, message) => {
    const loaded = pool(tls(terms));
    expect(loaded.snapshot).toBeNull();
    expect(said(loaded)[0]).toContain(message);
    expect(JSON.stringify(loaded.problems)).not.toMatch(/MI[GH]/);
  });

  it('warns of one that takes anyone for the backend, as the pool’s own does', () => {
    const words = 'false takes any certificate: whoever is in between can be the backend';
    expect(said(pool(tls('{ verify: false }')))).toEqual([`warning: pools.db.health.tls.verify: ${words}`]);
    expect(said(pool(`[tcp, ${tls('{ verify: false }')}]`))).toEqual([`warning: pools.db.health[1].tls.verify: ${words}`]);
  });
});
