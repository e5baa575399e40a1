/** HTTP/2 that ALPN agrees on: what the socket of TLS makes different. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, type ClientHttp2Session } from 'node:http2';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { OK, scenario, type Scenario } from '../../support/engine-scenario.ts';
import { hasProgram } from '../../support/real-server.ts';
import type { Script } from '../../support/scripted-origin.ts';
import { makeTls, TestCa } from '../../support/test-ca.ts';

const run = promisify(execFile);
const ca = new TestCa();
afterAll(() => ca.remove());
const site = ca.issue({ names: ['localhost'] });

const secured = (script: Script): Promise<Scenario> => scenario(script, { listener: { tls: makeTls([site], { alpn: ['h2', 'http/1.1'] }) } });

function open({ port }: Scenario): ClientHttp2Session {
  return connect(`https://localhost:${port}`, { ca: ca.ca, lookup: (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]), maxSessionMemory: 100 });
}

async function ask(session: ClientHttp2Session, body: Buffer | null = null): Promise<{ status: unknown; length: number; text: string }> {
  const stream = session.request({ ':path': '/', ':method': body === null ? 'GET' : 'POST' }, { endStream: body === null });
  if (body !== null) stream.end(body);
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  const whole = Buffer.concat(parts);
  return { status: headers[':status'], length: whole.length, text: whole.toString('latin1', 0, 100) };
}

describe('over TLS', () => {
  it('large answers and bodies, several at once', async () => {
    const bytes = 1_500_000;
    const s = await secured(({ raw }) => (raw.startsWith('GET') ? `HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n${'x'.repeat(bytes)}` : `HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n${String(raw.length > bytes).padEnd(7)}`));
    const session = open(s);
    const answers = await Promise.all([ask(session), ask(session), ask(session, Buffer.alloc(bytes, 'y')), ask(session)]);
    expect(answers.map(({ status, length }) => [status, length])).toEqual([[200, bytes], [200, bytes], [200, 7], [200, bytes]]);
    expect(answers[2].text).toBe('true   ');
    session.close();
    await once(session, 'close');
  });

  it('a drain is told, and the connection ends in order', async () => {
    const s = await secured(() => OK);
    const session = open(s);
    expect((await ask(session)).status).toBe(200);
    const goaway = once(session, 'goaway');
    s.engine.plane.stop();
    expect((await goaway)[0]).toBe(0);
    await once(session, 'close');
    await expect.poll(() => s.engine.plane.openConnections).toBe(0);
  });
});

describe.skipIf(!hasProgram('curl'))('curl (Debian package curl), over TLS', () => {
  it('speaks HTTP/2 where it may, and HTTP/1.1 where it must', async () => {
    const s = await secured(() => OK);
    const curl = (version: string): Promise<{ stdout: string }> => run('curl', ['-s', version, '--cacert', ca.root.certFile, '-w', ' %{http_version} %{http_code}', '--resolve', `localhost:${s.port}:127.0.0.1`, `https://localhost:${s.port}/`]);
    expect((await curl('--http2')).stdout).toBe('ok 2 200');
    expect((await curl('--http1.1')).stdout).toBe('ok 1.1 200');
  });
});
