/** TLS of http listeners: certificates by name, what is spoken, and that HTTP over it is HTTP. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { X509Certificate } from 'node:crypto';
import { connect as connectHttp2 } from 'node:http2';
import { afterAll, describe, expect, it } from 'vitest';
import type { ConnectionOptions } from 'node:tls';
import { listenerColumns, TLS_RESULTS, type TlsResult } from '../../../src/shared/counter-pages.ts';
import { buildProxyHeader } from '../../../src/net/proxy-protocol.ts';
import type { TlsSpec } from '../../../src/shared/snapshot.ts';
import { makeRoute, type ListenerPatch } from '../../support/engine.ts';
import { OK, scenario, type Scenario } from '../../support/engine-scenario.ts';
import type { Script } from '../../support/scripted-origin.ts';
import { makeTls, TestCa } from '../../support/test-ca.ts';
import { until } from '../../support/tcp-scenario.ts';
import { TlsVisitor } from '../../support/tls-visitor.ts';

const ca = new TestCa();
afterAll(() => ca.remove());
const site = ca.issue({ names: ['localhost', 'a.example'] });
const wild = ca.issue({ names: ['*.b.example', 'x.a.example'] });
const rsa = ca.issue({ names: ['localhost'], type: 'rsa' });

const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

const secured = (script: Script, tls: TlsSpec = makeTls([site, wild]), listener: ListenerPatch = {}): Promise<Scenario> => scenario(script, { listener: { ...listener, tls } });
const visit = ({ port }: Scenario, options: ConnectionOptions = {}): Promise<TlsVisitor> => TlsVisitor.open(port, { ca: ca.ca, ...options });
const namesOf = (visitor: TlsVisitor): string => new X509Certificate(visitor.socket.getPeerX509Certificate()!.raw).subjectAltName ?? '';

function handshakes({ engine }: Scenario, result: TlsResult): number {
  const live = engine.plane.config!.listeners.get('front')!;
  return live.counters[live.base + listenerColumns.tlsHandshakes + TLS_RESULTS.indexOf(result)]!;
}

/** The code of the error that a handshake ends in. */
async function refusal(s: Scenario, options: ConnectionOptions): Promise<string> {
  return visit(s, options).then(
    () => 'none',
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );
}

describe('the certificate', () => {
  it('is chosen by name: exact, then wildcard of one label, else the first', async () => {
    const s = await secured(() => OK);
    for (const [servername, names] of [
      ['localhost', 'DNS:localhost'],
      ['a.example', 'DNS:localhost'],
      ['x.b.example', 'DNS:*.b.example'],
      ['X.B.EXAMPLE', 'DNS:*.b.example'],
      ['x.a.example', 'DNS:*.b.example'],
      ['y.x.b.example', 'DNS:localhost'],
      ['b.example', 'DNS:localhost'],
      ['elsewhere.example', 'DNS:localhost'],
      ['', 'DNS:localhost'],
    ]) {
      const visitor = await visit(s, { servername, checkServerIdentity: () => undefined });
      expect(`${servername}: ${namesOf(visitor).split(',')[0]}`).toBe(`${servername}: ${names}`);
      visitor.close();
    }
  });

  it('has the type of key that the client can use, RSA and ECDSA side by side', async () => {
    const s = await secured(() => OK, makeTls([rsa, site]));
    for (const [ciphers, type] of [['ECDHE-ECDSA-AES128-GCM-SHA256', 'ec'], ['ECDHE-RSA-AES128-GCM-SHA256', 'rsa']]) {
      const visitor = await visit(s, { maxVersion: 'TLSv1.2', ciphers });
      expect(new X509Certificate(visitor.socket.getPeerX509Certificate()!.raw).publicKey.asymmetricKeyType).toBe(type);
      visitor.close();
    }
  });

  it('is shown to nobody who asks for another, or none, with unknownName: refuse', async () => {
    const s = await secured(() => OK, makeTls([site, wild], { unknownName: 'refuse' }));
    expect(await refusal(s, { servername: 'elsewhere.example' })).toBe('ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
    expect(await refusal(s, { servername: '' })).toBe('ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
    expect(await refusal(s, { servername: 'localhost' })).toBe('none');
    await until(() => handshakes(s, 'full') === 1);
    expect(handshakes(s, 'unknown-name')).toBe(2);
  });
});

describe('what is spoken', () => {
  it('is TLS from minVersion on', async () => {
    const s = await secured(() => OK, makeTls([site], { minVersion: 'TLSv1.3' }));
    expect(await refusal(s, { maxVersion: 'TLSv1.2' })).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
    expect((await visit(s)).socket.getProtocol()).toBe('TLSv1.3');
    await until(() => handshakes(s, 'version') === 1);
  });

  it('is of the ciphers and curves that are listed; those of TLS 1.3 need not be', async () => {
    const s = await secured(() => OK, makeTls([site], { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384', curves: 'secp384r1' }));
    expect((await visit(s, { maxVersion: 'TLSv1.2' })).socket.getCipher().name).toBe('ECDHE-ECDSA-AES256-GCM-SHA384');
    expect((await visit(s)).socket.getEphemeralKeyInfo()).toMatchObject({ name: 'secp384r1' });
    expect(await refusal(s, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).toMatch(/HANDSHAKE_FAILURE/);
    await until(() => handshakes(s, 'no-cipher') === 1);
  });

  it('is HTTP/1.1 by ALPN, HTTP/1.0 for who names that, and nothing for who names others', async () => {
    const s = await secured(() => OK);
    expect((await visit(s, { ALPNProtocols: ['h2', 'http/1.1'] })).socket.alpnProtocol).toBe('http/1.1');
    expect((await visit(s, { ALPNProtocols: ['http/1.0'] })).socket.alpnProtocol).toBe('http/1.0');
    expect(await refusal(s, { ALPNProtocols: ['h2'] })).toMatch(/NO_APPLICATION_PROTOCOL/);
    await until(() => handshakes(s, 'no-protocol') === 1);
  });
});

describe('a request over TLS', () => {
  it('is told to backends as https, with the port it came to', async () => {
    const s = await secured(() => OK, undefined, { forwarded: true });
    const visitor = await visit(s);
    visitor.send(GET);
    await visitor.until((text) => text.includes('ok'));
    const { raw } = s.origin.seen[0]!;
    expect(raw).toContain(`X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: ${s.port}\r\nX-Forwarded-Host: localhost\r\n`);
    expect(raw).toContain('Forwarded: for=127.0.0.1;proto=https;host="localhost"\r\n');
  });

  it('keeps its scheme where it is redirected, and where a trusted proxy said nothing of it', async () => {
    const redirect = makeRoute({ action: { kind: 'redirect', status: 302, to: null, scheme: null, host: 'other.example', port: null, path: '/y', prefix: null } });
    const s = await secured(() => OK, undefined, { routes: [redirect] });
    const visitor = await visit(s);
    visitor.send(GET);
    expect(await visitor.until((text) => text.includes('\r\n\r\n'))).toContain('Location: https://other.example/y\r\n');
    const trusting = await secured(() => OK, undefined, { trustedProxies: ['127.0.0.0/8'] });
    const proxy = await visit(trusting);
    proxy.send(GET.replace('\r\n\r\n', '\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n'));
    await proxy.until((text) => text.includes('ok'));
    expect(trusting.origin.seen[0]!.raw).toContain('X-Forwarded-Proto: https\r\n');
  });

  it('follows another on its connection, pipelined or not, and a first flight in pieces', async () => {
    const s = await secured(({ path }) => `HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`);
    const visitor = await visit(s);
    for (const byte of Buffer.from('GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\n')) visitor.socket.write(Buffer.from([byte]));
    await visitor.until((text) => text.endsWith('/1'));
    visitor.send(['/2', '/3', '/4'].map((path) => GET.replace('/', path)).join(''));
    await visitor.until((text) => text.endsWith('/4'));
    visitor.send(`POST /5 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n${'x'.repeat(3_000_000)}`);
    await visitor.until((text) => text.endsWith('/5'));
    expect(s.origin.seen.map(({ path }) => path)).toEqual(['/1', '/2', '/3', '/4', '/5']);
  });

  it('gets a large answer whole though its client reads in fits and starts, and the origin is held back meanwhile', async () => {
    const bytes = 24 * 1024 * 1024;
    let left = bytes;
    const s = await secured(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
      const write = (): void => {
        while (left > 0) {
          left -= 65_536;
          if (!socket.write(Buffer.alloc(65_536, 97))) return void socket.once('drain', write);
        }
      };
      write();
      return null;
    });
    const visitor = await visit(s);
    visitor.send(GET);
    await visitor.until((text) => text.length > 0);
    visitor.socket.pause();
    // Nothing is read for so long that all that can be held is held.
    let held = left;
    for (let still = 0; still < 200; still++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (left !== held) still = 0;
      held = left;
    }
    expect(left).toBeGreaterThan(0);
    visitor.socket.resume();
    const received = await visitor.until((text) => text.length >= bytes);
    expect(received.length - received.indexOf('\r\n\r\n') - 4).toBe(bytes);
  });
});

describe('HTTP/2', () => {
  it('is spoken where ALPN agrees on it, with all that TLS adds', async () => {
    const s = await secured(() => OK, makeTls([site], { alpn: ['h2', 'http/1.1'] }));
    const session = connectHttp2(`https://localhost:${s.port}`, { ca: ca.ca, lookup: (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]) });
    const ask = async (authority: string): Promise<unknown[]> => {
      const stream = session.request({ ':path': '/', ':authority': authority });
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
      let body = '';
      for await (const chunk of stream) body += String(chunk);
      return [headers[':status'], body];
    };
    expect(await ask('localhost')).toEqual([200, 'ok']);
    expect(await ask('a.example')).toEqual([200, 'ok']);
    expect((await ask('elsewhere.example'))[0]).toBe(421);
    expect(s.origin.seen[0]!.raw).toContain(`X-Forwarded-Proto: https\r\nX-Forwarded-Port: ${s.port}\r\n`);
    session.close();
    await once(session, 'close');
    await until(() => s.engine.plane.openConnections === 0);
  });

  it('gives large answers and takes large bodies whole, several at once', async () => {
    const bytes = 2 * 1024 * 1024;
    const s = await secured(({ path, raw }) => (path === '/up' ? `HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n${raw.length > bytes ? 7654321 : 1234567}` : `HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n${'z'.repeat(bytes)}`), makeTls([site], { alpn: ['h2'] }));
    const visitor = await visit(s, { ALPNProtocols: ['h2'] });
    const session = connectHttp2('https://localhost', { createConnection: () => visitor.socket });
    const ask = async (path: string, body: Buffer | null): Promise<number | string> => {
      const stream = session.request({ ':path': path, ':authority': 'localhost', ':method': body === null ? 'GET' : 'POST' });
      stream.end(body ?? undefined);
      let text = '';
      for await (const chunk of stream) text += String(chunk);
      return path === '/up' ? text : text.length;
    };
    expect(await Promise.all([ask('/1', null), ask('/up', Buffer.alloc(bytes, 97)), ask('/2', null)])).toEqual([bytes, '7654321', bytes]);
    session.close();
    await once(session, 'close');
  });

  it('with a preface and without ALPN is held to the certificate all the same', async () => {
    const s = await secured(() => OK, makeTls([site], { alpn: ['http/1.1'] }));
    const visitor = await visit(s);
    const session = connectHttp2('https://localhost', { createConnection: () => visitor.socket });
    const stream = session.request({ ':path': '/', ':authority': 'elsewhere.example' });
    expect(((await once(stream, 'response')) as [Record<string, unknown>])[0][':status']).toBe(421);
    session.destroy();
  });
});

describe('the end of a connection', () => {
  it('is said in TLS, behind the last byte of the answer', async () => {
    const s = await secured(({ socket }) => {
      socket.end(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(500_000)}`);
      return null;
    });
    const visitor = await visit(s);
    visitor.send('GET / HTTP/1.0\r\nHost: localhost\r\n\r\n');
    const text = await visitor.untilClosed();
    expect([text.endsWith('x'.repeat(1000)), text.length > 500_000, visitor.isEnded, visitor.error]).toEqual([true, true, true, null]);
  });

  it('is no cut to a client that minds, after an answer and after a silence', async () => {
    const s = await secured(() => OK, undefined, { timeouts: { idleMs: 300 } });
    for (const request of ['GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', GET]) {
      const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${s.port}`, '-servername', 'localhost', '-CAfile', ca.root.certFile, '-ign_eof']);
      let said = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (said += bytes.toString('latin1')));
      child.stdin.write(request);
      await once(child, 'close');
      expect(said).toContain('200 OK');
      expect(said).not.toMatch(/unexpected eof/);
    }
  });

  it('is a reset where an answer that could pass for whole was cut', async () => {
    const s = await secured(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
      return null;
    });
    const visitor = await visit(s);
    visitor.send(GET);
    await visitor.until((text) => text.includes('hello'));
    s.origin.seen[0]!.socket.destroy();
    await visitor.untilClosed();
    expect(visitor.error?.code).toBe('ECONNRESET');
  });

  it("lets the client's half close wait for the answer", async () => {
    const s = await secured(({ socket }) => {
      setImmediate(() => socket.write(OK));
      return null;
    });
    const visitor = await visit(s, { allowHalfOpen: true } as ConnectionOptions);
    visitor.socket.end(GET);
    expect(await visitor.untilEnd()).toContain('ok');
    await until(() => s.engine.plane.openConnections === 0);
  });

  it('calls the backend off when the client was reset', async () => {
    const s = await secured(() => null);
    const plain = await s.client();
    const visitor = await TlsVisitor.open(s.port, { socket: plain.socket, ca: ca.ca });
    visitor.send(GET);
    await s.origin.until(1);
    plain.socket.resetAndDestroy();
    await once(s.origin.seen[0]!.socket, 'close');
    await until(() => s.engine.plane.openConnections === 0);
  });
});

describe('a request for another host than the connection was made to', () => {
  const ask = async (s: Scenario, servername: string, host: string): Promise<string> => {
    const visitor = await visit(s, { servername, checkServerIdentity: () => undefined });
    visitor.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const text = await visitor.until((received) => received.includes('\r\n\r\n'));
    visitor.close();
    return text.slice(9, 12);
  };

  it('is misdirected unless the certificate is for that host too', async () => {
    const s = await secured(() => OK);
    const told: string[] = [];
    for (const [servername, host] of [['localhost', 'LocalHost.:8443'], ['localhost', 'a.example'], ['x.b.example', 'y.b.example'], ['localhost', 'x.b.example'], ['a.example', 'elsewhere.example'], ['elsewhere.example', 'elsewhere.example'], ['', 'elsewhere.example']] as const) {
      told.push(`${servername} ${host} ${await ask(s, servername, host)}`);
    }
    expect(told).toEqual(['localhost LocalHost.:8443 200', 'localhost a.example 200', 'x.b.example y.b.example 200', 'localhost x.b.example 421', 'a.example elsewhere.example 421', 'elsewhere.example elsewhere.example 200', ' elsewhere.example 200']);
    expect(s.origin.seen).toHaveLength(5);
  });
});

describe('a PROXY header in front of TLS', () => {
  const FROM = { sourceAddress: '192.0.2.7', sourcePort: 4711, destinationAddress: '198.51.100.1', destinationPort: 8443 };

  it('names the client, and TLS begins behind it', async () => {
    const s = await secured(() => OK, undefined, { proxyProtocol: 'require', trustedProxies: ['127.0.0.0/8'] });
    const plain = await s.client();
    plain.send(buildProxyHeader('v2', FROM));
    const visitor = await TlsVisitor.open(s.port, { socket: plain.socket, ca: ca.ca });
    visitor.send(GET);
    await visitor.until((text) => text.includes('ok'));
    expect(s.origin.seen[0]!.raw).toContain('X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 8443\r\n');
  });
});
