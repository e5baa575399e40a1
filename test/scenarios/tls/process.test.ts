/** A whole proxy that speaks TLS, with curl and openssl as clients: files that change, sessions over its workers, and what is told of both. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { hasProgram } from '../../support/real-server.ts';
import { TestCa, type Issued } from '../../support/test-ca.ts';
import { TlsVisitor } from '../../support/tls-visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

// Whole processes start and stop here, and share the machine's cores with other tests.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const ca = new TestCa();
let weir: WeirProcess;
const [first, second, foreign] = [ca.issue({ subject: '/CN=first' }), ca.issue({ subject: '/CN=second' }), ca.issue({ names: ['other.example'] })];
const [certFile, keyFile] = [join(ca.folder, 'site.crt'), join(ca.folder, 'site.key')];

const put = ({ certFile: cert, keyFile: key }: Pick<Issued, 'certFile' | 'keyFile'>): void => {
  copyFileSync(cert, certFile);
  copyFileSync(key, keyFile);
};

beforeAll(async () => {
  put(first);
  const tls = `{ certificates: [{ cert: "file:${certFile}", key: "file:${keyFile}" }] }`;
  weir = await WeirProcess.start(`listeners:
  web: { bind: "127.0.0.1:0", tls: ${tls}, routes: [{ respond: { status: 200, body: ok } }] }
admin: { bind: "127.0.0.1:0" }
log: { level: debug }
`);
});
afterAll(async () => {
  await weir.stop();
  ca.remove();
});

const metric = async (name: string): Promise<number> => {
  const { body } = await weir.admin('/metrics');
  return Number(body.split('\n').find((line) => line.startsWith(`${name} `))?.split(' ').at(-1) ?? Number.NaN);
};
const shownSubject = async (): Promise<string> => {
  const visitor = await TlsVisitor.open(weir.port(), { ca: ca.ca });
  const { subject } = visitor.socket.getPeerX509Certificate()!;
  visitor.close();
  return subject;
};

describe('files that change', () => {
  it('are shown from the next connection on, and open ones stay', async () => {
    const open = await TlsVisitor.open(weir.port(), { ca: ca.ca });
    expect(await shownSubject()).toBe('CN=first');
    expect(await weir.reloadBy(() => put(second))).toMatchObject({ text: 'config runs' });
    expect(await shownSubject()).toBe('CN=second');
    open.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(await open.until((text) => text.endsWith('ok'))).toContain('200 OK');
    open.close();
  });

  it('that do not belong together, or are broken, are refused, and the former stay', async () => {
    const refused = await weir.reloadBy(() => copyFileSync(foreign.certFile, certFile));
    expect(refused.text).toContain('config refused');
    expect(JSON.stringify(weir.log)).toContain('is not the key of the certificate');
    expect(await metric('weir_config_last_reload_successful')).toBe(0);
    expect(await shownSubject()).toBe('CN=second');
    expect((await weir.reloadBy(() => writeFileSync(certFile, 'no certificate'))).text).toContain('config refused');
    expect(await shownSubject()).toBe('CN=second');
    await weir.reloadBy(() => put(first));
    expect(await shownSubject()).toBe('CN=first');
    expect(await metric('weir_config_last_reload_successful')).toBe(1);
  });

  it('tell when they end, and keys are told nowhere', async () => {
    const expiry = await metric(`weir_tls_certificate_expiry_timestamp_seconds{listener="web",certificate="${certFile}"}`);
    expect(expiry * 1000).toBeGreaterThan(Date.now());
    const told = await Promise.all(['/api/v1/status', '/api/v1/config', '/metrics'].map(async (path) => (await weir.admin(path)).body));
    expect([...told, JSON.stringify(weir.log), weir.said].join('\n')).not.toMatch(/PRIVATE KEY|MIGHAgEAMBMG/);
  });
});

it('sessions go on in whatever worker a client meets', async () => {
  const before = await TlsVisitor.open(weir.port(), { ca: ca.ca });
  before.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await before.until((text) => text.endsWith('ok'));
  const session = await before.untilSession();
  before.close();
  for (let i = 0; i < 12; i++) {
    const visitor = await TlsVisitor.open(weir.port(), { ca: ca.ca, session });
    expect(visitor.socket.isSessionReused()).toBe(true);
    visitor.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await visitor.until((text) => text.endsWith('ok'));
    visitor.close();
  }
  expect(await metric('weir_tls_handshakes_total{listener="web",result="resumed"}')).toBe(12);
});

describe.skipIf(!hasProgram('curl') || !hasProgram('openssl'))('clients of others (Debian: curl, openssl)', () => {
  const run = (program: string, args: readonly string[], input = ''): string => {
    const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', input, timeout: 30_000 });
    return stdout + stderr;
  };
  const curl = (...args: string[]): string => run('curl', ['-sS', '--cacert', ca.root.certFile, '--resolve', `localhost:${weir.port()}:127.0.0.1`, '-o', '/dev/null', '-w', '%{http_version} %{http_code} %{ssl_verify_result}', ...args, `https://localhost:${weir.port()}/`]);

  it('curl gets its answer in HTTP/2, 1.1 and 1.0, over both versions of TLS', () => {
    expect([curl('--http2'), curl('--http1.1'), curl('--http1.0'), curl('--http1.1', '--tls-max', '1.2')]).toEqual(['2 200 0', '1.1 200 0', '1.1 200 0', '1.1 200 0']);
  });

  it('curl in the clear is told what is wrong', () => {
    expect(run('curl', ['-sS', `http://127.0.0.1:${weir.port()}/`])).toContain('https://');
  });

  it('openssl finds the chain right, TLS 1.1 refused, and no renegotiation', () => {
    const client = (input: string, ...args: string[]): string => run('openssl', ['s_client', '-connect', `127.0.0.1:${weir.port()}`, '-servername', 'localhost', '-CAfile', ca.root.certFile, ...args], input);
    expect(client('')).toContain('Verify return code: 0 (ok)');
    expect(client('', '-tls1_1')).toMatch(/alert protocol version|no protocols available/);
    expect(client('R\n', '-tls1_2')).toMatch(/no renegotiation/);
  });
});
