import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { dialUdp } from '../../../src/net/dial-udp.ts';
import { dial } from '../../../src/net/dial.ts';
import { httpProbe } from '../../../src/control-plane/health/http-probe.ts';
import type { ProbeResult } from '../../../src/control-plane/health/probe.ts';
import { OddBackend } from '../../support/odd-backends.ts';

const running: OddBackend[] = [];
const started = async (backend: Promise<OddBackend>): Promise<OddBackend> => {
  running.push(await backend);
  return backend;
};
afterEach(async () => {
  await Promise.all(running.splice(0).map((backend) => backend.stop()));
});

function probe(backend: OddBackend, options: Record<string, unknown> = {}, signal = new AbortController().signal): Promise<ProbeResult> {
  const target = { host: '127.0.0.1', port: backend.port, address: 'app.internal:8080' };
  return httpProbe.probe(target, httpProbe.options.parse(options), { signal, dial, dialUdp, clock: systemClock });
}

async function answerTo(text: string, options: Record<string, unknown> = {}): Promise<ProbeResult> {
  return probe(await started(OddBackend.answering(text)), options);
}

const answer = (status: string, body = '', headers = ''): string => `HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\n${headers}\r\n${body}`;

describe('the request', () => {
  it('carries the address as written as Host, and closes', async () => {
    const backend = await started(OddBackend.answering(answer('200 OK')));
    await probe(backend);
    expect(backend.received).toBe('GET / HTTP/1.1\r\nHost: app.internal:8080\r\nConnection: close\r\nUser-Agent: weir-probe\r\nAccept: */*\r\n\r\n');
  });

  it('is what the options say', async () => {
    const backend = await started(OddBackend.answering(answer('200 OK')));
    await probe(backend, { method: 'OPTIONS', path: '/healthz?deep=1', host: 'shop.example.com', headers: { 'X-Probe': 'yes', 'user-agent': 'mine' } });
    expect(backend.received).toBe('OPTIONS /healthz?deep=1 HTTP/1.1\r\nHost: shop.example.com\r\nConnection: close\r\nAccept: */*\r\nX-Probe: yes\r\nuser-agent: mine\r\n\r\n');
  });

  it.each([
    { path: '/a b' },
    { path: '/a\r\nX: y' },
    { path: 'a' },
    { method: 'GET /x HTTP/1.1\r\n' },
    { method: 'CONNECT' },
    { host: 'a\r\nX-Evil: 1' },
    { host: 'a b' },
    { headers: { 'X\r\nY': '1' } },
    { headers: { 'X-A': 'b\r\nX-Evil: 1' } },
    { headers: { 'X-A': 'b\u2028' } },
    { headers: { 'Content-Length': '5' } },
    { headers: { 'transfer-encoding': 'chunked' } },
    { headers: { Host: 'a' } },
    { body: 'x', method: 'HEAD' },
  ])('cannot carry more than one request: %j is refused', (options) => {
    expect(httpProbe.options.safeParse(options).success).toBe(false);
  });

  it('is not sent at all if the address could break it', async () => {
    const backend = await started(OddBackend.answering(answer('200 OK')));
    const target = { host: '127.0.0.1', port: backend.port, address: 'a\r\nX-Evil: 1' };
    const result = await httpProbe.probe(target, httpProbe.options.parse({}), { signal: new AbortController().signal, dial, dialUdp, clock: systemClock });
    expect(result.ok).toBe(false);
    expect(backend.received).toBe('');
  });
});

describe('the status', () => {
  it.each([
    { status: '200 OK', expect: undefined, ok: true },
    { status: '399 Odd', expect: undefined, ok: true },
    { status: '400 Bad Request', expect: undefined, ok: false },
    { status: '503 Unavailable', expect: '503', ok: true },
    { status: '404 Not Found', expect: [200, '400-404'], ok: true },
    { status: '405 Not Allowed', expect: [200, '400-404'], ok: false },
  ])('$status with expect $expect: $ok', async ({ status, expect: wanted, ok }) => {
    expect((await answerTo(answer(status), wanted === undefined ? {} : { expect: wanted })).ok).toBe(ok);
  });

  it('is in the reason', async () => {
    expect(await answerTo(answer('503 Unavailable'))).toEqual({ ok: false, reason: 'status 503, expected 200-399' });
    expect(await answerTo(answer('500 Oops'), { expect: [200, '300-302'] })).toEqual({ ok: false, reason: 'status 500, expected 200, 300-302' });
  });

  it('of a redirect is an answer like any other: it is not followed', async () => {
    const elsewhere = await started(OddBackend.answering(answer('500 No')));
    const backend = await started(OddBackend.answering(answer('302 Found', '', `location: http://127.0.0.1:${elsewhere.port}/\r\n`)));
    expect((await probe(backend)).ok).toBe(true);
    expect(elsewhere.connections).toBe(0);
  });

  it.each(['99', '600', '200-', '399-200', 'ok', '200-300-400', ' 200', []])('%j is no set of them', (written) => {
    expect(httpProbe.options.safeParse({ expect: written }).success).toBe(false);
  });

  it('after interim answers is the final one', async () => {
    expect((await answerTo(`HTTP/1.1 103 Early Hints\r\n\r\n${answer('200 OK')}`)).ok).toBe(true);
  });
});

describe('the body', () => {
  it('must hold the text', async () => {
    expect((await answerTo(answer('200 OK', 'all is well here'), { body: 'is well' })).ok).toBe(true);
    expect(await answerTo(answer('200 OK', 'all is ill'), { body: 'is well' })).toEqual({ ok: false, reason: 'body lacks "is well"' });
  });

  it('is searched across the pieces it comes in, and decoded from chunks', async () => {
    const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n' + [...'so it is well'].map((letter) => `1\r\n${letter}\r\n`).join('') + '0\r\n\r\n';
    expect((await answerTo(chunked, { body: 'is well' })).ok).toBe(true);
  });

  it('passes as soon as the text is there, though the answer goes on', async () => {
    const backend = await started(OddBackend.answering('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nready\r\n', { close: false }));
    expect((await probe(backend, { body: 'ready' })).ok).toBe(true);
    await backend.idle();
  });

  it.each([
    { at: 65536 - 5, ok: true },
    { at: 65536 - 4, ok: false },
  ])('is read for 64 KiB: a text at $at is found: $ok', async ({ at, ok }) => {
    const body = `${'x'.repeat(at)}READY${'x'.repeat(100_000)}`;
    expect((await answerTo(answer('200 OK', body), { body: 'READY' })).ok).toBe(ok);
  });

  it('is not asked for: the head decides, and an endless answer is cut off', async () => {
    const backend = await started(
      OddBackend.start((socket) => {
        socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
        const more = (): boolean => socket.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`);
        socket.on('drain', more);
        while (more());
      }),
    );
    expect((await probe(backend)).ok).toBe(true);
    await backend.idle();
  });
});

describe('a backend that misbehaves', () => {
  it.each([
    { what: 'sends garbage', text: 'SSH-2.0-OpenSSH_9.2\r\n', reason: 'malformed answer' },
    { what: 'contradicts itself about length', text: 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab', reason: 'malformed answer' },
    { what: 'sends an endless header', text: `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`, reason: 'header of the answer is too large' },
    { what: 'sends half a head', text: 'HTTP/1.1 200 OK\r\ncontent-', reason: 'closed before it answered' },
    { what: 'says nothing and closes', text: '', reason: 'closed before it answered' },
  ])('and $what fails: $reason', async ({ text, reason }) => {
    expect(await answerTo(text)).toEqual({ ok: false, reason });
  });

  it('and resets fails', async () => {
    const backend = await started(OddBackend.start((socket) => void socket.once('data', () => socket.resetAndDestroy())));
    expect(await probe(backend)).toEqual({ ok: false, reason: 'connection reset' });
  });

  it('and closes in the middle of a body that was asked for fails', async () => {
    const text = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf';
    expect(await answerTo(text, { body: 'whole' })).toEqual({ ok: false, reason: 'closed in the middle of its answer' });
  });

  it('and switches protocols unasked fails', async () => {
    expect((await answerTo('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n')).ok).toBe(false);
  });

  it('and shuts down its sending side alone is closed all the same', async () => {
    const backend = await started(OddBackend.start((socket) => void socket.once('data', () => socket.end(answer('200 OK'))), { allowHalfOpen: true }));
    expect((await probe(backend)).ok).toBe(true);
    backend.sockets.forEach((socket) => socket.on('end', () => socket.destroy()));
    await backend.idle();
  });
});
