/** `http` probes of pools that speak HTTP/2, against node's server and against frames by hand. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createSecureServer, createServer, type Http2SecureServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { CheckIdentities } from '../../../src/control-plane/health/check-identity.ts';
import { Check } from '../../../src/control-plane/health/check.ts';
import { grpcProbe } from '../../../src/control-plane/health/grpc-probe.ts';
import { httpProbe } from '../../../src/control-plane/health/http-probe.ts';
import type { ProbeResult } from '../../../src/control-plane/health/probe.ts';
import { Prober } from '../../../src/control-plane/health/prober.ts';
import { probeDefinition } from '../../../src/control-plane/health/registry.ts';
import { dialUdp } from '../../../src/net/dial-udp.ts';
import { dial } from '../../../src/net/dial.ts';
import type { BackendTlsSpec, PoolSpec } from '../../../src/shared/snapshot.ts';
import { backendSpec, healthSpec } from '../../support/backend-rig.ts';
import { emptySettings, http2Frame } from '../../support/http2-frames.ts';
import { OddBackend } from '../../support/odd-backends.ts';
import { probeOnce } from '../../support/probe-once.ts';
import { TestCa } from '../../support/test-ca.ts';

const ca = new TestCa('Backends');
afterAll(() => ca.remove());
const site = ca.issue({ names: ['IP:127.0.0.1'] });
const trusting: BackendTlsSpec = { ca: ca.ca, serverName: null, cert: null, key: null, verify: true, minVersion: 'TLSv1.2' };

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

interface Origin {
  readonly port: number;
  readonly requests: IncomingHttpHeaders[];
  /** Codes of streams and connections that ended with an error. */
  readonly errors: unknown[];
  /** Resolves once its connections are gone. */
  idle(): Promise<void>;
}

type Answer = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;
const answering = (status: number, body = ''): Answer => (stream) => {
  stream.respond({ ':status': status });
  stream.end(body);
};

async function origin(answer: Answer, server: Http2Server | Http2SecureServer = createServer()): Promise<Origin> {
  const [requests, errors, closed]: [IncomingHttpHeaders[], unknown[], Promise<unknown>[]] = [[], [], []];
  server.on('session', (session) => {
    closed.push(new Promise((resolve) => session.once('close', resolve)));
    session.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code));
  });
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    // Without the runtime's own mark.
    requests.push(Object.fromEntries(Object.entries(headers)));
    stream.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code));
    answer(stream, headers);
  });
  const port = await listening(server);
  return { port, requests, errors, idle: () => Promise.all(closed).then(() => undefined) };
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

function probe(port: number, options: Record<string, unknown> = {}): Promise<ProbeResult> {
  return probeOnce(httpProbe, port, options, { overHttp2: true });
}

/** All the way from what the pool says. `passed`, or the reason. */
async function probed(port: number, pool: Partial<Pick<PoolSpec, 'protocol' | 'tls'>>, { type = 'http', ...options }: Record<string, unknown> & { type?: string } = {}): Promise<string> {
  const spec = healthSpec({ type, timeoutMs: 10_000, options: probeDefinition(type)!.options.parse(options) });
  const [asked] = new CheckIdentities().of({ health: [spec], proxyProtocol: 'off', ...pool });
  const result = await new Promise<ProbeResult>((resolve) => {
    const prober = new Prober({ clock: systemClock, dial, dialUdp, concurrencyMax: 1, countVoid: () => undefined, names: { addressOf: () => null, failureOf: () => null, connectFailed: () => undefined }, judge: (_check, _startMs, outcome) => resolve(outcome) });
    stops.push(() => prober.stop());
    prober.now(new Check('key', backendSpec(`127.0.0.1:${port}`), asked!.plan));
  });
  return result.ok ? 'passed' : result.reason;
}

describe('the request', () => {
  it('has the address as written as its authority', async () => {
    const backend = await origin(answering(200));
    expect(await probe(backend.port)).toMatchObject({ ok: true });
    expect(backend.requests).toEqual([{ ':method': 'GET', ':scheme': 'http', ':authority': `127.0.0.1:${backend.port}`, ':path': '/', 'user-agent': 'weir-probe', accept: '*/*' }]);
    await backend.idle();
    expect(backend.errors).toEqual([]);
  });

  it.each([['OPTIONS', ''], ['POST', ''], ['HEAD', ''], ['get', '']])('is what the options say: %s', async (method, body) => {
    const backend = await origin(answering(204, body));
    expect(await probe(backend.port, { method, path: '/healthz?deep=1', host: 'shop.example.com', headers: { 'X-Probe': ' yes\u00e9\t', 'User-Agent': 'mine' } })).toMatchObject({ ok: true });
    expect(backend.requests).toEqual([{ ':method': method, ':scheme': 'http', ':authority': 'shop.example.com', ':path': '/healthz?deep=1', 'x-probe': 'yes\u00e9', 'user-agent': 'mine', accept: '*/*' }]);
  });

  it('is not sent at all if the address could break it', async () => {
    const backend = await OddBackend.start();
    stops.push(() => backend.stop());
    const result = await httpProbe.probe({ host: '127.0.0.1', port: backend.port, address: 'a\r\nX-Evil: 1' }, httpProbe.options.parse({}), { signal: AbortSignal.timeout(200), dial, dialUdp, clock: systemClock, overHttp2: true });
    expect(result.ok).toBe(false);
    expect(backend.received).not.toContain('Evil');
  });
});

describe('an answer', () => {
  it.each([
    [200, {}, null],
    [302, {}, null],
    [503, {}, 'status 503, expected 200-399'],
    [503, { expect: '503' }, null],
    [200, { body: 'is well' }, null],
    [200, { body: 'is ill' }, 'body lacks "is ill"'],
  ])('with status %i for %j: %s, and the backend sees no error', async (status, options, reason) => {
    const backend = await origin(answering(status, 'all is well'));
    const result = await probe(backend.port, options);
    expect(result.ok ? null : result.reason).toBe(reason);
    await backend.idle();
    expect(backend.errors).toEqual([]);
  });

  it('after interim ones is the final one', async () => {
    const backend = await origin((stream) => {
      stream.additionalHeaders({ ':status': 103 });
      answering(404)(stream, {});
    });
    expect(await probe(backend.port)).toEqual({ ok: false, reason: 'status 404, expected 200-399' });
  });

  it('passes as soon as the text is there, though it goes on without end; then it is cut off', async () => {
    const backend = await origin((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('it is rea');
      const more = (): boolean => stream.write('dy'.repeat(10_000));
      stream.on('drain', more);
      more();
    });
    expect(await probe(backend.port, { body: 'is ready' })).toMatchObject({ ok: true });
    await backend.idle();
  });

  it.each([
    [65536 - 5, true],
    [65536 - 4, false],
  ])('is read for 64 KiB: a text at %i is found: %s', async (at, ok) => {
    const backend = await origin(answering(200, `${'x'.repeat(at)}READY${'x'.repeat(100_000)}`));
    expect((await probe(backend.port, { body: 'READY' })).ok).toBe(ok);
    await backend.idle();
    expect(backend.errors).toEqual([]);
  });
});

const RULES = /^does not keep to the rules of HTTP\/2$/;
const FLOOD = /^(does not keep to the rules of HTTP\/2|sends too much)$/;
const settings = [emptySettings];
const ok = http2Frame(1, 4, 1, Buffer.from([0x88]));
const text = (words: string, flags = 0): Buffer => http2Frame(0, flags, 1, Buffer.from(words));
/** Literal without indexing. */
const field = (name: string, value: string): Buffer => Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);
const goAway = (last: number, code: number): Buffer => http2Frame(7, 0, 0, Buffer.from([0, 0, 0, last, 0, 0, 0, code]));
const reset = (code: number): Buffer => http2Frame(3, 0, 1, Buffer.from([0, 0, 0, code]));

describe('a backend that misbehaves', () => {
  it.each<[string, Buffer[], RegExp]>([
    ['speaks HTTP/1.1', [Buffer.from('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n')], /^does not speak HTTP\/2$/],
    ['refuses the stream', [...settings, reset(7)], /^stream was reset \(REFUSED_STREAM\)$/],
    ['resets the stream', [...settings, reset(2)], /^stream was reset \(INTERNAL_ERROR\)$/],
    ['cancels the stream', [...settings, reset(8)], /^closed before it answered$/],
    ['resets it in the middle', [...settings, ok, text('it is'), reset(2)], /^stream was reset \(INTERNAL_ERROR\)$/],
    ['cancels it in the middle', [...settings, ok, text('it is'), reset(8)], /^closed in the middle of its answer$/],
    ['resets it in the middle without an error', [...settings, ok, text('it is'), reset(0)], /^body lacks "it is well"$/],
    ['goes away with an error', [...settings, goAway(0, 11)], /^(connection was ended by the backend \(ENHANCE_YOUR_CALM\)|stream was reset \(REFUSED_STREAM\))$/],
    ['goes away', [...settings, goAway(0, 0)], /^(closed before it answered|stream was reset \(REFUSED_STREAM\))$/],
    ['answers with half a head', [...settings, http2Frame(1, 0, 1, Buffer.from([0x88])), goAway(1, 2)], RULES],
    ['answers with upper case', [...settings, http2Frame(1, 5, 1, Buffer.concat([Buffer.from([0x88]), field('X-Up', 'a')]))], /^stream was reset \(PROTOCOL_ERROR\)$/],
    ['answers without a status', [...settings, http2Frame(1, 5, 1, field('x-up', 'a'))], /^stream was reset \(PROTOCOL_ERROR\)$/],
    ['answers with a status that is none', [...settings, http2Frame(1, 5, 1, field(':status', '99'))], /^stream was reset \(PROTOCOL_ERROR\)$/],
    ['switches protocols', [...settings, http2Frame(1, 5, 1, field(':status', '101'))], /^stream was reset \(PROTOCOL_ERROR\)$/],
    ['answers with a body longer than it said', [...settings, http2Frame(1, 4, 1, Buffer.concat([Buffer.from([0x88]), field('content-length', '2')])), text('too long', 1)], RULES],
    ['answers with more fields than anyone needs', [...settings, http2Frame(1, 1, 1, Buffer.concat([Buffer.from([0x88]), ...repeated(field('x', 'b'), 1500)])), http2Frame(9, 4, 1, Buffer.concat(repeated(field('x', 'b'), 1500)))], /./],
    ['answers with a field of 100 KB', [...settings, http2Frame(1, 0, 1, Buffer.concat([Buffer.from([0x88]), Buffer.from([0, 1, 0x78, 0x7f, 0xa1, 0x8c, 0x06])])), ...repeated(http2Frame(9, 0, 1, Buffer.alloc(16_000, 'y')), 7)], RULES],
    ['pushes', [...settings, http2Frame(5, 4, 1, Buffer.concat([Buffer.from([0, 0, 0, 2, 0x82, 0x86, 0x84]), field(':authority', 'a')])), ok, text('well', 1)], /^body lacks "it is well"$/],
    ['sends data first', [...settings, text('it is well', 1)], RULES],
    ['answers on a stream that is not there', [...settings, http2Frame(1, 5, 3, Buffer.from([0x88]))], RULES],
  ])('and %s fails', async (_what, frames, reason) => {
    const backend = await odd((socket) => void socket.once('data', () => socket.write(Buffer.concat(frames))));
    const result = await probeOnce(httpProbe, backend.port, { body: 'it is well' }, { overHttp2: true });
    expect(result.ok).toBe(false);
    expect(result.ok ? '' : result.reason).toMatch(reason);
    await backend.idle();
  });

  it.each<[string, Buffer[], RegExp]>([
    ['settings', [emptySettings], FLOOD],
    ['pings', [http2Frame(6, 0, 0, Buffer.alloc(8))], FLOOD],
    ['frames that nobody knows', [http2Frame(0x77, 0, 0, Buffer.alloc(1000))], FLOOD],
    ['continuations', [http2Frame(1, 0, 1, Buffer.from([0x88])), ...repeated(http2Frame(9, 0, 1, field('x-a', 'b')), 5000)], FLOOD],
    ['empty continuations', [http2Frame(1, 0, 1, Buffer.from([0x88])), ...repeated(http2Frame(9, 0, 1, Buffer.alloc(0)), 5000)], FLOOD],
    ['interim answers', [http2Frame(1, 4, 1, field(':status', '103'))], FLOOD],
    ['body that nobody asked it to send yet', [ok, ...repeated(text('x'.repeat(1000)), 500)], /^(body lacks .*|does not keep to the rules of HTTP\/2)$/],
    ['empty data', [ok, ...repeated(text(''), 5000)], FLOOD],
  ])('and sends %s without end fails, and the connection is gone', async (_what, frames, reason) => {
    const backend = await odd((socket) => {
      const bytes = Buffer.concat(repeated(Buffer.concat(frames), Math.ceil(100 / frames.length)));
      const more = (): void => {
        while (!socket.destroyed && socket.write(bytes));
      };
      socket.on('drain', more);
      socket.once('data', () => {
        socket.write(emptySettings);
        more();
      });
    });
    const result = await probeOnce(httpProbe, backend.port, { body: 'it is well' }, { overHttp2: true, signal: AbortSignal.timeout(5000) });
    expect(result.ok).toBe(false);
    expect(result.ok ? '' : result.reason).toMatch(reason);
    expect(result.ok ? '' : result.reason).not.toBe('gave up');
    await backend.idle();
  });
});

describe('a pool', () => {
  it.each<[Pick<PoolSpec, 'protocol'>['protocol'], Record<string, unknown>, string]>([
    ['h2c', {}, 'HTTP/2'],
    ['h2c', { protocol: 'http1' }, 'HTTP/1.1'],
    ['http1', {}, 'HTTP/1.1'],
  ])('of %s is asked, with %j, in %s', async (protocol, options, version) => {
    const backend = version === 'HTTP/2' ? await origin(answering(200)) : { port: await listening(createHttpServer((_request, response) => response.end())) };
    expect(await probed(backend.port, { protocol, tls: null }, options)).toBe('passed');
  });

  it('of h2 is asked over TLS, with the certificate held to its name', async () => {
    const backend = await origin(answering(200, 'well'), createSecureServer({ cert: site.cert, key: site.key }));
    expect(await probed(backend.port, { protocol: 'h2', tls: trusting }, { body: 'well' })).toBe('passed');
    expect(backend.requests[0]).toMatchObject({ ':scheme': 'https' });
    expect(await probed(backend.port, { protocol: 'h2', tls: { ...trusting, serverName: 'other.internal' } })).toBe('its certificate was refused: it is for another name');
  });

  it.each([
    ['refuses it', ['http/1.1']],
    ['knows no ALPN', undefined],
  ])('of h2 is down whose backend %s', async (_what, protocols) => {
    let received = 0;
    const port = await listening(
      createTlsServer({ cert: site.cert, key: site.key, ...(protocols === undefined ? {} : { ALPNProtocols: protocols }) }, (socket) => void socket.on('data', (bytes) => (received += bytes.length)).on('error', () => undefined)),
    );
    for (const type of ['http', 'grpc']) expect(await probed(port, { protocol: 'h2', tls: trusting }, { type })).toBe('does not offer HTTP/2 (ALPN h2)');
    expect(received).toBe(0);
  });

  it('has checks of its own beside one that asks the same address otherwise', () => {
    const health = [healthSpec({ type: 'http', options: {} }), healthSpec()];
    const names = (protocol: PoolSpec['protocol']): string[] => new CheckIdentities().of({ health, proxyProtocol: 'off', protocol }).map(({ digest }) => digest);
    expect(names('h2c')[0]).not.toBe(names('http1')[0]);
    expect(names('h2c')[1]).toBe(names('http1')[1]);
  });

  it('offers by ALPN what it speaks, and nothing else', () => {
    const options = httpProbe.options.parse({});
    expect([httpProbe.alpn!(options, true), httpProbe.alpn!(options, false), httpProbe.alpn!({ ...options, protocol: 'http1' }, true), grpcProbe.alpn!({ service: '' }, false)]).toEqual([['h2'], ['http/1.1'], ['http/1.1'], ['h2']]);
  });
});

async function odd(onSocket: (socket: Socket) => void): Promise<OddBackend> {
  const backend = await OddBackend.start(onSocket);
  stops.push(() => backend.stop());
  return backend;
}

function repeated<T>(item: T, count: number): T[] {
  return Array.from({ length: count }, () => item);
}
