import { hostname } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import type { AdminSpec } from '../../../src/shared/snapshot.ts';
import { AdminWorld, startAdmin, type StartedAdmin } from '../../support/admin-world.ts';
import { plainPool } from '../../support/plain-snapshot.ts';
import { rawRequest, type RawAnswer } from '../../support/raw-http.ts';

const pools = [plainPool('web', ['10.0.0.1:80'])];
const loopback = { text: '127.0.0.1:0', host: '127.0.0.1', port: 0 };
let started: StartedAdmin | null = null;
let world: AdminWorld;
afterEach(() => started?.close());

async function start(admin: Partial<AdminSpec> = {}): Promise<void> {
  world = new AdminWorld({ snapshot: { pools, admin: { bind: loopback, token: null, readToken: null, ...admin } } });
  started = await startAdmin(world);
}

/** One request; `headers` may repeat or leave out anything. */
function call(method: string, path: string, headers: readonly string[] = ['Host: localhost'], body = ''): Promise<RawAnswer> {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  return rawRequest(started!.port, `${[`${method} ${path} HTTP/1.1`, ...headers, ...length, 'Connection: close'].join('\r\n')}\r\n\r\n${body}`);
}

function problem(answer: RawAnswer): { status: number; title: string; detail: string; type: string } {
  expect(answer.headers['content-type']).toBe('application/problem+json');
  const body = JSON.parse(answer.body) as ReturnType<typeof problem>;
  expect(body).toMatchObject({ status: answer.status, type: 'about:blank', title: expect.any(String), detail: expect.any(String) });
  return body;
}

describe('Host', () => {
  it.each(['localhost', 'LOCALHOST:9900', 'localhost.', '127.0.0.1', '10.1.2.3:80', '[::1]:9900', '[fe80::1]', 'proxy-a', hostname()])('may be %s', async (host) => {
    await start();
    expect((await call('GET', '/healthz', [`Host: ${host}`])).status).toBe(200);
  });

  it.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'evil.example:9900', '', 'a b', '[::1', 'localhost:80:80', 'user@localhost', '[127.0.0.1]x'])('may not be "%s"', async (host) => {
    await start();
    for (const path of ['/healthz', '/api/v1/status', '/nowhere']) problem(await call('GET', path, [`Host: ${host}`]));
    expect((await call('GET', '/api/v1/status', [`Host: ${host}`])).status).toBe(421);
  });

  it('may not be given twice', async () => {
    await start();
    expect(problem(await call('GET', '/healthz', ['Host: localhost', 'Host: evil.example'])).status).toBe(400);
  });

  it('may not be absent', async () => {
    await start();
    expect((await call('GET', '/healthz', [])).status).toBe(400);
    expect((await rawRequest(started!.port, 'GET /healthz HTTP/1.0\r\n\r\n')).status).toBe(421);
  });
});

const write = ['Host: localhost', 'Content-Type: application/json'];
const bearer = (token: string): string[] => [...write, `Authorization: Bearer ${token}`];

describe('tokens', () => {
  it('are not needed on loopback when none is set', async () => {
    await start();
    expect((await call('GET', '/api/v1/status')).status).toBe(200);
    expect((await call('POST', '/api/v1/drain', write)).status).toBe(200);
    expect(world.proxyState).toBe('draining');
  });

  it.each<[string, string, string[], number]>([
    ['GET', 'none', write, 401],
    ['GET', 'a wrong one', bearer('wrong'), 401],
    ['GET', 'a prefix of the right one', bearer('secre'), 401],
    ['GET', 'the right one with more behind it', bearer('secret1'), 401],
    ['GET', 'another scheme', [...write, 'Authorization: Basic secret'], 401],
    ['GET', 'an empty one', [...write, 'Authorization: Bearer '], 401],
    ['GET', 'the read token', bearer('reader'), 200],
    ['GET', 'the token', bearer('secret'), 200],
    ['GET', 'the token, the scheme in lower case', [...write, 'Authorization: bearer secret'], 200],
    ['POST', 'none', write, 401],
    ['POST', 'the read token', bearer('reader'), 403],
    ['POST', 'the token', bearer('secret'), 200],
  ])('%s with %s', async (method, _what, headers, status) => {
    await start({ token: 'secret', readToken: 'reader' });
    const answer = await call(method, method === 'GET' ? '/api/v1/status' : '/api/v1/drain', headers);
    expect(answer.status).toBe(status);
    if (status === 401) expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    expect(world.proxyState).toBe(method === 'POST' && status === 200 ? 'draining' : 'ready');
  });

  it('are not needed for /healthz and /readyz, and are for every other path', async () => {
    await start({ token: 'secret' });
    expect((await call('GET', '/healthz')).status).toBe(200);
    expect((await call('GET', '/readyz')).status).toBe(200);
    for (const path of ['/metrics', '/api/v1/status', '/api/v1/backends', '/api/v1/tier', '/api/v1/events', '/api/v1/config', '/api/v1/config/versions', '/api/v1/openapi.json']) {
      expect((await call('GET', path)).status, path).toBe(401);
    }
  });

  it('an absent read token opens nothing', async () => {
    await start({ token: 'secret' });
    expect((await call('GET', '/api/v1/status', ['Host: localhost', 'Authorization: Bearer '])).status).toBe(401);
    expect((await call('GET', '/api/v1/status', ['Host: localhost', 'Authorization: Bearer null'])).status).toBe(401);
  });

  it('change with the config, on open connections too', async () => {
    await start({ token: 'secret' });
    const next = world.load({ pools, admin: { bind: loopback, token: 'other', readToken: null } });
    expect(await started!.admin.prepare(next)).toEqual([]);
    expect((await call('GET', '/api/v1/status', bearer('secret'))).status).toBe(200);
    started!.admin.commit(next);
    expect((await call('GET', '/api/v1/status', bearer('secret'))).status).toBe(401);
    expect((await call('GET', '/api/v1/status', bearer('other'))).status).toBe(200);
  });
});

describe('a write from a web page', () => {
  it.each<[string, string[], number]>([
    ['a foreign origin', ['Origin: http://evil.example'], 403],
    ['the null origin', ['Origin: null'], 403],
    ['another port of this machine', ['Origin: http://localhost:3000'], 403],
    ['https of the same name', ['Origin: https://localhost'], 403],
    ['its own origin', ['Origin: http://localhost'], 200],
    ['a cross-site fetch', ['Sec-Fetch-Site: cross-site'], 403],
    ['a same-site fetch', ['Sec-Fetch-Site: same-site'], 403],
    ['a same-origin fetch', ['Sec-Fetch-Site: same-origin', 'Origin: http://localhost'], 200],
    ['a program', [], 200],
  ])('%s', async (_what, headers, status) => {
    await start();
    expect((await call('POST', '/api/v1/drain', [...write, ...headers])).status).toBe(status);
    expect(world.proxyState).toBe(status === 200 ? 'draining' : 'ready');
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', ''])('cannot have the content type "%s"', async (type) => {
    await start();
    for (const path of ['/api/v1/drain', '/api/v1/undrain', '/api/v1/reload', '/api/v1/config', '/api/v1/pools/web/backends/10.0.0.1:80/state']) {
      expect(problem(await call('POST', path, ['Host: localhost', ...(type === '' ? [] : [`Content-Type: ${type}`])], '{}')).status, path).toBe(415);
    }
  });

  it('cannot be a GET', async () => {
    await start();
    expect((await call('GET', '/api/v1/drain')).status).toBe(405);
    expect(world.proxyState).toBe('ready');
  });
});

describe('what is malformed', () => {
  it('has an answer of its own', async () => {
    await start();
    expect(problem(await call('GET', '/nowhere')).status).toBe(404);
    expect(problem(await call('GET', '/')).status).toBe(404);
    const wrongMethod = await call('DELETE', '/api/v1/config');
    expect(problem(wrongMethod).status).toBe(405);
    expect(wrongMethod.headers['allow']).toBe('GET, HEAD, POST');
    expect(problem(await call('GET', '/api/v1/status?unknown=1')).detail).toContain('"unknown"');
    expect(problem(await call('GET', '/api/v1/status?pool=a&pool=b')).status).toBe(400);
    expect(problem(await call('POST', '/api/v1/drain', write, '{"reason":')).status).toBe(400);
    expect(problem(await call('POST', '/api/v1/drain', write, '{"forever":true}')).status).toBe(400);
    expect(problem(await call('POST', '/api/v1/pools/%zz/backends/a/state', write, '{}')).status).toBe(400);
    expect(problem(await call('POST', '/api/v1/drain', [...write, 'Content-Encoding: gzip'], 'x')).status).toBe(415);
    expect(problem(await rawRequest(started!.port, 'NONSENSE\r\n\r\n')).status).toBe(400);
    expect(problem(await call('GET', '/healthz', ['Host: localhost', `X: ${'x'.repeat(20_000)}`])).status).toBe(431);
    expect(world.proxyState).toBe('ready');
  });

  it('a body over the limit is 413, told or not told beforehand', async () => {
    await start();
    expect(problem(await call('POST', '/api/v1/drain', write, `{"reason":"${'x'.repeat(70_000)}"}`)).status).toBe(413);
    const chunk = `1000\r\n${'x'.repeat(4096)}\r\n`;
    const head = ['POST /api/v1/drain HTTP/1.1', ...write, 'Transfer-Encoding: chunked', 'Connection: close'].join('\r\n');
    expect(problem(await rawRequest(started!.port, `${head}\r\n\r\n${chunk.repeat(20)}0\r\n\r\n`)).status).toBe(413);
  });

  it('a body that is not UTF-8 is 400', async () => {
    await start();
    const head = ['POST /api/v1/drain HTTP/1.1', ...write, 'Content-Length: 2', 'Connection: close'].join('\r\n');
    expect(problem(await rawRequest(started!.port, Buffer.from(`${head}\r\n\r\n\xff\xff`, 'latin1'))).status).toBe(400);
  });
});

describe('every answer', () => {
  it('is kept by no cache and guessed at by no browser', async () => {
    await start();
    for (const path of ['/healthz', '/metrics', '/api/v1/status', '/nowhere']) {
      expect((await call('GET', path)).headers, path).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    }
  });

  it('to HEAD has no body', async () => {
    await start();
    for (const path of ['/healthz', '/metrics', '/api/v1/status', '/api/v1/events', '/nowhere']) expect((await call('HEAD', path)).body, path).toBe('');
  });
});
