/** Programs of others as clients of TLS, beside those of process.test.ts: sessions taken up again, certificates of clients, load. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine, makeListener, makePool } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { hasProgram } from '../../support/real-server.ts';
import { ScriptedOrigin } from '../../support/scripted-origin.ts';
import { makeTls, TestCa } from '../../support/test-ca.ts';

const run = promisify(execFile);
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const ca = new TestCa();
const alice = ca.issue({ names: ['alice.example'], subject: '/CN=alice' });

let origin: ScriptedOrigin;
let engine: Engine;
let port: number;
/** Asks for certificates of clients. */
let partners: number;
beforeAll(async () => {
  origin = await ScriptedOrigin.start(() => OK);
  [port, partners] = [await freePort(), await freePort()];
  const site = ca.issue({ names: ['localhost'] });
  const tls = makeTls([site], { alpn: ['h2', 'http/1.1'] });
  engine = await Engine.start([makeListener(port, { name: 'front', tls }), makeListener(partners, { name: 'partners', tls: { ...tls, clientAuth: { mode: 'require', ca: ca.ca } } })], [makePool([origin.port])]);
});
afterAll(() => {
  engine.stop();
  origin.stop();
  ca.remove();
});

const curl = (to: number, ...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  run('curl', ['-sS', '--cacert', ca.root.certFile, '--resolve', `localhost:${to}:127.0.0.1`, '-w', ' %{http_version} %{http_code}\n', ...args, `https://localhost:${to}/`]);

describe.skipIf(!hasProgram('curl'))('curl (Debian package curl)', () => {
  it.each(['1.2', '1.3'])('takes its session up again in TLS %s', async (version) => {
    const { stdout, stderr } = await curl(port, '-v', '--http1.1', '--tls-max', version, '--tlsv1.2', '-H', 'Connection: close', `https://localhost:${port}/first`);
    expect(stdout).toBe('ok 1.1 200\nok 1.1 200\n');
    expect(stderr.match(/SSL connection using TLSv\S+/g)).toEqual([`SSL connection using TLSv${version}`, `SSL connection using TLSv${version}`]);
    expect(stderr).toMatch(/re-using session ID/i);
  });

  it.each(['--http1.1', '--http2'])('shows its certificate (%s), and the backend is told of it', async (version) => {
    const before = origin.seen.length;
    const { stdout } = await curl(partners, version, '--cert', alice.certFile, '--key', alice.keyFile);
    expect(stdout).toMatch(/^ok (1\.1|2) 200\n$/);
    expect(origin.seen[before]!.raw).toMatch(/\r\nX-Forwarded-Client-Cert: Hash=[0-9a-f]{64};Subject="CN=alice";DNS=alice\.example\r\n/);
  });

  it('without one has no connection', async () => {
    const before = origin.seen.length;
    await expect(curl(partners, '--http1.1')).rejects.toThrow(/certificate required|alert|reset/i);
    expect(origin.seen).toHaveLength(before);
  });
});

describe.skipIf(!hasProgram('openssl'))('openssl (Debian package openssl)', () => {
  it.each(['-tls1_2', '-tls1_3'])('takes up a session that it kept in a file (%s)', async (version) => {
    const file = join(ca.folder, `session${version}`);
    const client = async (...args: string[]): Promise<string> => {
      const child = run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'localhost', '-CAfile', ca.root.certFile, version, '-ign_eof', ...args]);
      child.child.stdin!.end('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      return (await child).stdout;
    };
    expect(await client('-sess_out', file)).toMatch(/^New, TLSv1/m);
    const again = await client('-sess_in', file);
    expect(again).toMatch(/^Reused, TLSv1/m);
    expect(again).toContain('200 OK');
  });
});

describe.skipIf(!hasProgram('nghttp'))('nghttp and h2load (Debian package nghttp2-client)', () => {
  it('have no request fail, over HTTP/2 and HTTP/1.1', async () => {
    for (const version of [['-m', '20'], ['--h1']]) {
      const { stdout } = await run('h2load', ['-n', '600', '-c', '6', ...version, `https://localhost:${port}/`, '--connect-to', `127.0.0.1:${port}`]);
      expect(stdout).toContain('600 succeeded, 0 failed, 0 errored, 0 timeout');
      expect(stdout).toContain('TLS Protocol: TLSv1.3');
    }
  });

  it('nghttp agrees on h2, and has its answers', async () => {
    const { stdout } = await run('nghttp', ['-v', '-n', '-m', '5', '--no-verify-peer', `https://127.0.0.1:${port}/`]);
    expect(stdout).toContain('The negotiated protocol: h2');
    expect(stdout.match(/:status: 200/g)).toHaveLength(5);
  });
});
