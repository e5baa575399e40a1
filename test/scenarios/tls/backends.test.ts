/** TLS to backends: whom it is spoken to, what is refused, and that nothing goes out in the clear. */
import { once } from 'node:events';
import { createServer, type TlsOptions, type TLSSocket, type Server } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { httpProbe } from '../../../src/control-plane/health/http-probe.ts';
import { redisProbe } from '../../../src/control-plane/health/redis-probe.ts';
import { tcpProbe } from '../../../src/control-plane/health/tcp-probe.ts';
import type { ProbeDefinition, ProbeResult } from '../../../src/control-plane/health/probe.ts';
import { dialUdp } from '../../../src/net/dial-udp.ts';
import { dial } from '../../../src/net/dial.ts';
import { dialSecurely, SecureDial } from '../../../src/net/secure-dial.ts';
import type { BackendTlsSpec } from '../../../src/shared/snapshot.ts';
import { Engine, makeListener, makePool, RawClient, RawOrigin, type ListenerPatch } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { until } from '../../support/tcp-scenario.ts';
import { TestCa } from '../../support/test-ca.ts';

const ca = new TestCa('Backends');
const strangers = new TestCa('Strangers');
afterAll(() => [ca, strangers].forEach((each) => each.remove()));
const named = ca.issue({ names: ['api.internal'] });
const addressed = ca.issue({ names: ['IP:127.0.0.1'] });
const foreign = strangers.issue({ names: ['api.internal'] });
const client = ca.issue({ names: ['proxy.internal'] });

const toStop: (() => void)[] = [];
afterEach(() => {
  for (const stop of toStop.splice(0)) stop();
});

interface SecureOrigin {
  readonly server: Server;
  readonly port: number;
  readonly sockets: TLSSocket[];
  /** Whether each of them took up a session of before. */
  readonly reused: boolean[];
  received: string;
}

async function origin(options: TlsOptions, onBytes: (socket: TLSSocket, bytes: Buffer) => void): Promise<SecureOrigin> {
  const server = createServer({ allowHalfOpen: true, ...options } as TlsOptions);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const made: SecureOrigin = { server, port: (server.address() as AddressInfo).port, sockets: [], reused: [], received: '' };
  server.on('secureConnection', (socket) => {
    made.sockets.push(socket);
    made.reused.push(socket.isSessionReused());
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      made.received += bytes.toString('latin1');
      onBytes(socket, bytes);
    });
    socket.on('end', () => socket.end());
  });
  toStop.push(() => server.close(), () => made.sockets.forEach((socket) => socket.destroy()));
  return made;
}
const answerOk = (socket: TLSSocket, bytes: Buffer): void => {
  if (bytes.toString('latin1').endsWith('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
};

const terms = (patch: Partial<BackendTlsSpec> = {}): BackendTlsSpec => ({ ca: ca.ca, serverName: 'api.internal', cert: null, key: null, verify: true, minVersion: 'TLSv1.2', ...patch });

interface Front {
  readonly engine: Engine;
  readonly port: number;
  reload(tls: BackendTlsSpec | null): Promise<void>;
  ask(path?: string): Promise<string>;
}

async function front(ports: readonly number[], tls: BackendTlsSpec | null, listener: ListenerPatch = {}): Promise<Front> {
  const port = await freePort();
  const parts = (wanted: BackendTlsSpec | null): Parameters<Engine['load']> => [[makeListener(port, listener)], [makePool(ports, { tls: wanted })]];
  const engine = await Engine.start(...parts(tls));
  toStop.push(() => engine.plane.cut(), () => engine.stop());
  return {
    engine,
    port,
    reload: (wanted) => engine.load(...parts(wanted)),
    async ask(path = '/') {
      const opened = await RawClient.open(port);
      opened.send(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      const answer = await opened.untilEnd();
      opened.close();
      return answer;
    },
  };
}
const details = ({ engine }: Front): unknown[] => engine.messages.flatMap((message) => (message.kind === 'log' && message.text === 'an attempt failed' ? [`${String(message.fields.error)}: ${String(message.fields.detail)}`] : []));

describe('a backend with the right certificate', () => {
  it('is asked for by name, and answers', async () => {
    const api = await origin({ cert: named.cert, key: named.key }, answerOk);
    const f = await front([api.port], terms());
    expect(await f.ask()).toContain('200 OK');
    expect([api.sockets[0]!.servername, api.received.startsWith('GET / HTTP/1.1\r\n')]).toEqual(['api.internal', true]);
  });

  it('may be one for its address', async () => {
    const api = await origin({ cert: addressed.cert, key: addressed.key }, answerOk);
    const f = await front([api.port], terms({ serverName: null }));
    expect(await f.ask()).toContain('200 OK');
  });

  it('sees our certificate if it asks for one', async () => {
    const api = await origin({ cert: named.cert, key: named.key, requestCert: true, rejectUnauthorized: true, ca: [ca.ca] }, answerOk);
    const f = await front([api.port], terms({ cert: client.cert, key: client.key }));
    expect(await f.ask()).toContain('200 OK');
    expect(api.sockets[0]!.getPeerCertificate().subjectaltname).toBe('DNS:proxy.internal');
  });

  it('is spoken to again on the same connection, and over another with the session of before', async () => {
    const api = await origin({ cert: named.cert, key: named.key }, answerOk);
    const f = await front([api.port], terms());
    await f.ask();
    await f.ask();
    expect(api.sockets).toHaveLength(1);
    await until(() => f.engine.plane.config!.backends.get(0)!.tlsSession !== null);
    api.sockets[0]!.destroy();
    await until(() => f.engine.plane.config!.backends.get(0)!.openConnections === 0);
    expect(await f.ask()).toContain('200 OK');
    expect(api.reused).toEqual([false, true]);
  });

  it('gives large answers whole, and takes large bodies, whatever the client does', async () => {
    const bytes = 8 * 1024 * 1024;
    let body = 0;
    const pattern = Buffer.from(Array.from({ length: 65_536 }, (_, i) => 97 + (i % 23)));
    const api = await origin({ cert: named.cert, key: named.key }, (socket, chunk) => {
      body += chunk.length;
      if (body < bytes) return;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
      for (let i = 0; i < bytes / pattern.length; i++) socket.write(pattern);
    });
    const f = await front([api.port], terms());
    const opened = await RawClient.open(f.port);
    toStop.push(() => opened.close());
    opened.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`);
    opened.send(Buffer.alloc(bytes, 98));
    await opened.until((text) => text.length > 100_000);
    opened.socket.pause();
    for (let turn = 0; turn < 300; turn++) await new Promise((resolve) => setImmediate(resolve));
    opened.socket.resume();
    const text = await opened.until((received) => received.length >= bytes);
    const answer = text.slice(text.indexOf('\r\n\r\n') + 4);
    expect([answer.length, answer === pattern.toString('latin1').repeat(bytes / pattern.length)]).toEqual([bytes, true]);
  });
});

describe('a backend is refused', () => {
  it.each([
    ['whose authority is another', foreign, {}, 'its certificate was refused: its authority is not in ca'],
    ['whose certificate is for another name', named, { serverName: 'other.internal' }, 'its certificate was refused: it is for another name'],
    ['whose certificate is not for its address', named, { serverName: null }, 'its certificate was refused: it is for another name'],
    ['that speaks no version that is new enough', named, { minVersion: 'TLSv1.3' }, 'TLS failed: '],
  ] as const)('%s', async (_, { cert, key }, patch, reason) => {
    const api = await origin({ cert, key, ...('minVersion' in patch ? { maxVersion: 'TLSv1.2' } : {}) }, answerOk);
    const f = await front([api.port], terms(patch));
    expect(await f.ask()).toContain('502 Bad Gateway');
    expect(details(f)[0]).toContain(`backend-tls-failed: ${reason}`);
    expect(api.received).toBe('');
  });

  it('that speaks in the clear, which never sees a request', async () => {
    let received = '';
    const plain = await RawOrigin.start((socket) => {
      socket.on('data', (bytes: Buffer) => {
        received += bytes.toString('latin1');
        socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
      });
    });
    toStop.push(() => plain.stop());
    const f = await front([plain.port], terms());
    expect(await f.ask()).toContain('502 Bad Gateway');
    expect([details(f)[0], received.includes('GET')]).toEqual([expect.stringContaining('backend-tls-failed: TLS failed: '), false]);
  });

  it('that falls silent in the handshake, in the time of a connect; another is tried', async () => {
    const silent = await RawOrigin.start(() => {});
    toStop.push(() => silent.stop());
    const api = await origin({ cert: named.cert, key: named.key }, answerOk);
    const port = await freePort();
    const engine = await Engine.start([makeListener(port)], [makePool([silent.port, api.port], { tls: terms(), connections: { perBackend: 0, connectTimeoutMs: 300, idleMs: 4000 } })]);
    toStop.push(() => engine.plane.cut(), () => engine.stop());
    for (let i = 0; i < 2; i++) {
      const opened = await RawClient.open(port);
      opened.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      expect(await opened.untilEnd()).toContain('200 OK');
      opened.close();
    }
  });

  it('unless verify is false', async () => {
    const api = await origin({ cert: foreign.cert, key: foreign.key }, answerOk);
    const f = await front([api.port], terms({ verify: false, serverName: 'other.internal' }));
    expect(await f.ask()).toContain('200 OK');
  });
});

describe('a reload that changes the terms', () => {
  it('ends connections at rest, and forgets the session: what was not verified does not go on', async () => {
    const api = await origin({ cert: foreign.cert, key: foreign.key }, answerOk);
    const f = await front([api.port], terms({ verify: false }));
    expect(await f.ask()).toContain('200 OK');
    await until(() => f.engine.plane.config!.backends.get(0)!.tlsSession !== null);
    await f.reload(terms());
    expect(await f.ask()).toContain('502 Bad Gateway');
    await f.reload(terms({ ca: strangers.ca }));
    expect(await f.ask()).toContain('200 OK');
    await f.reload(terms({ ca: strangers.ca }));
    const before = api.sockets.length;
    expect(await f.ask()).toContain('200 OK');
    expect(api.sockets.length).toBe(before);
  });
});

describe('a tcp listener', () => {
  it('relays into TLS, both ways and to both ends', async () => {
    const api = await origin({ cert: named.cert, key: named.key }, (socket, bytes) => void socket.write(bytes));
    const f = await front([api.port], terms(), { protocol: 'tcp' });
    const opened = await RawClient.open(f.port);
    const text = 'x'.repeat(3_000_000);
    opened.send(text);
    await opened.until((received) => received.length === text.length);
    opened.socket.end();
    expect((await opened.untilEnd()) === text).toBe(true);
    await until(() => f.engine.plane.openConnections === 0);
  });

  it('resets the backend of a client that was reset', async () => {
    const api = await origin({ cert: named.cert, key: named.key }, (socket, bytes) => void socket.write(bytes));
    const f = await front([api.port], terms(), { protocol: 'tcp' });
    const opened = await RawClient.open(f.port);
    opened.send('hello');
    await opened.until((received) => received === 'hello');
    opened.socket.resetAndDestroy();
    await until(() => api.sockets[0]!.destroyed && f.engine.plane.openConnections === 0);
  });

  it('closes where the certificate is refused', async () => {
    const api = await origin({ cert: foreign.cert, key: foreign.key }, answerOk);
    const f = await front([api.port], terms(), { protocol: 'tcp' });
    const opened = await RawClient.open(f.port);
    opened.send('hello');
    await opened.untilEnd();
    expect(details(f)[0]).toContain('backend-tls-failed: its certificate was refused');
    expect(api.received).toBe('');
  });
});

describe('probes', () => {
  const probe = async <Options>(definition: ProbeDefinition<Options>, options: object, port: number, tls: BackendTlsSpec): Promise<ProbeResult> => {
    const secure = dialSecurely(dial, new SecureDial(tls), '127.0.0.1', []);
    return definition.probe({ host: '127.0.0.1', port, address: `127.0.0.1:${port}` }, definition.options.parse(options), { signal: AbortSignal.timeout(5000), dial: secure, dialUdp, clock: systemClock });
  };

  it('are made over TLS', async () => {
    const api = await origin({ cert: named.cert, key: named.key }, (socket, bytes) => (bytes.includes('PING') ? void socket.write('+PONG\r\n') : answerOk(socket, bytes)));
    expect(await probe(httpProbe, {}, api.port, terms())).toMatchObject({ ok: true });
    expect(await probe(redisProbe, {}, api.port, terms())).toMatchObject({ ok: true });
    expect(await probe(tcpProbe, {}, api.port, terms())).toMatchObject({ ok: true });
  });

  it('fail for a certificate that is not right, and say why', async () => {
    const api = await origin({ cert: foreign.cert, key: foreign.key }, answerOk);
    for (const result of [await probe(httpProbe, {}, api.port, terms()), await probe(redisProbe, {}, api.port, terms()), await probe(tcpProbe, {}, api.port, terms())]) {
      expect(result).toMatchObject({ ok: false, reason: 'its certificate was refused: its authority is not in ca' });
    }
  });
});
