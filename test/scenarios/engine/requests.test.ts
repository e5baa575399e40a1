import { describe, expect, it } from 'vitest';
import { OK, scenario, stableHead } from '../../support/engine-scenario.ts';

const close = 'Connection: close\r\n';

describe('what the backend gets', () => {
  it('the request with its path unchanged, and who the client is', async () => {
    const s = await scenario(() => OK);
    await s.ask(`GET /a/b?c=%20d HTTP/1.1\r\nHost: Example.com\r\nAccept: */*\r\n${close}\r\n`);
    expect(stableHead(s.origin.seen[0]!.raw)).toEqual([
      'GET /a/b?c=%20d HTTP/1.1',
      'Host: Example.com',
      'Accept: */*',
      'X-Forwarded-For: 127.0.0.1',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Host: Example.com',
    ]);
    expect(s.origin.seen[0]!.raw).toMatch(/\r\nX-Request-ID: [0-9a-f]{32}\r\n/);
    expect(s.origin.seen[0]!.raw).toContain(`\r\nX-Forwarded-Port: ${s.port}\r\n`);
  });

  it('nothing that ends at a proxy, and no field of ours from an untrusted client', async () => {
    const s = await scenario(() => OK);
    const spoofed = 'X-Forwarded-For: 1.1.1.1\r\nX_Forwarded_For: 2.2.2.2\r\nx-forwarded-proto: https\r\nX-Request-ID: mine\r\nForwarded: for=3.3.3.3\r\nX-Real-IP: 4.4.4.4\r\n';
    await s.ask(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers\r\nX-Hop: 1\r\n${spoofed}X-Keep: yes\r\n\r\n`);
    expect(stableHead(s.origin.seen[0]!.raw)).toEqual(['GET / HTTP/1.1', 'Host: a', 'X-Keep: yes', 'X-Forwarded-For: 127.0.0.1', 'X-Forwarded-Proto: http', 'X-Forwarded-Host: a']);
    expect(s.origin.seen[0]!.raw).not.toContain('mine');
  });

  it('extended or kept fields from a trusted proxy', async () => {
    const s = await scenario(() => OK, { listener: { trustedProxies: ['127.0.0.0/8'] } });
    await s.ask(`GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Request-ID: mine\r\nX-Real-IP: 9.9.9.9\r\n${close}\r\n`);
    const { raw } = s.origin.seen[0]!;
    expect(raw).toContain('\r\nX-Forwarded-For: 9.9.9.9, 127.0.0.1\r\n');
    expect(raw).toContain('\r\nX-Forwarded-Proto: https\r\n');
    expect(raw).toContain('\r\nX-Request-ID: mine\r\n');
    expect(raw).toContain('\r\nX-Real-IP: 9.9.9.9\r\n');
    expect(raw.match(/X-Request-ID/g)).toHaveLength(1);
  });

  it('Via and Forwarded where configured', async () => {
    const s = await scenario(() => OK, { listener: { via: true, forwarded: true } });
    const answer = await s.ask(`GET / HTTP/1.1\r\nHost: a:1\r\n${close}\r\n`);
    expect(s.origin.seen[0]!.raw).toContain('\r\nForwarded: for=127.0.0.1;proto=http;host="a:1"\r\n');
    expect(s.origin.seen[0]!.raw).toContain('\r\nVia: 1.1 weir\r\n');
    expect(answer).toContain('\r\nVia: 1.1 weir\r\n');
  });

  it('an origin-form target with its own Host for an absolute one', async () => {
    const s = await scenario(() => OK);
    await s.ask(`GET http://real.example:81/p?q HTTP/1.1\r\nHost: other\r\n${close}\r\n`);
    expect(stableHead(s.origin.seen[0]!.raw).slice(0, 2)).toEqual(['GET /p?q HTTP/1.1', 'Host: real.example:81']);
    await s.ask(`OPTIONS http://real.example HTTP/1.1\r\nHost: other\r\n${close}\r\n`);
    expect(s.origin.seen[1]!.raw).toMatch(/^OPTIONS \* HTTP\/1\.1\r\n/);
  });

  it('header edits and rewrites of the route', async () => {
    const s = await scenario(() => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: old\r\nX-Set: theirs\r\n\r\nok', {
      listener: {
        routes: [
          {
            match: { host: null, path: [{ kind: 'prefix', value: '/api' }], method: null, header: null, query: null, cookie: null, source: null, sni: null, alpn: null },
            rewrite: { path: null, prefix: '/v2', host: 'internal' },
            requestHeaders: { remove: ['X-Secret', 'x-request-id'], set: [['X-Set', 'ours']], add: [['X-Add', '1'], ['X-Add', '2']] },
            responseHeaders: { remove: ['server'], set: [['x-set', 'ours']], add: [['X-New', 'n']] },
          },
        ],
      },
    });
    const answer = await s.ask(`GET /api/x?y HTTP/1.1\r\nHost: a\r\nX-Secret: 1\r\nX-Set: client\r\n${close}\r\n`);
    const { raw } = s.origin.seen[0]!;
    expect(stableHead(raw)).toEqual(['GET /v2/x?y HTTP/1.1', 'Host: internal', 'X-Forwarded-For: 127.0.0.1', 'X-Forwarded-Proto: http', 'X-Forwarded-Host: a', 'X-Set: ours', 'X-Add: 1', 'X-Add: 2']);
    expect(raw).not.toContain('X-Request-ID');
    expect(answer).not.toMatch(/server|theirs/i);
    expect(answer).toContain('\r\nx-set: ours\r\n');
    expect(answer).toContain('\r\nX-New: n\r\n');
  });
});

describe('bodies', () => {
  it('of a length, in one piece and in many', async () => {
    const s = await scenario(() => OK);
    const body = 'x'.repeat(100_000);
    const client = await s.client();
    client.send(`POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`);
    await client.until((received) => received.endsWith('ok'));
    expect(s.origin.seen[0]!.raw).toMatch(/\r\n\r\nhello$/);
    client.send(`POST /many HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
    for (let at = 0; at < body.length; at += 7919) client.send(body.slice(at, at + 7919));
    await s.origin.until(2);
    expect(s.origin.seen[1]!.raw.endsWith(`\r\n\r\n${body}`)).toBe(true);
  });

  it('in chunks, extensions cut out and trailers filtered', async () => {
    const s = await scenario(() => OK);
    await s.ask(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n${close}\r\n5;x=y\r\nhello\r\n0\r\nX-Sum: 1\r\nAuthorization: x\r\nX_Forwarded_For: 1\r\n\r\n`);
    const { raw } = s.origin.seen[0]!;
    expect(raw).toContain('\r\nTransfer-Encoding: chunked\r\n');
    expect(raw).toMatch(/\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n$/);
  });

  it('split at every byte', async () => {
    const s = await scenario(() => OK);
    const request = 'POST /s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n';
    const client = await s.client();
    client.socket.setNoDelay(true);
    for (let cut = 1; cut < request.length; cut++) {
      client.received = '';
      client.send(request.slice(0, cut));
      await new Promise((resolve) => setImmediate(resolve));
      client.send(request.slice(cut));
      await client.until((received) => received.endsWith('ok'));
    }
    expect(s.origin.seen).toHaveLength(request.length - 1);
    for (const { raw } of s.origin.seen) expect(raw).toMatch(/\r\n\r\n3\r\nabc\r\n0\r\n\r\n$/);
  });

  it('over the limit are refused: 413', async () => {
    const s = await scenario(() => OK, { listener: { limits: { bodyBytesMax: 4 } } });
    expect(await s.ask('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello')).toMatch(/^HTTP\/1\.1 413 /);
    expect(await s.ask('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n')).toMatch(/^HTTP\/1\.1 413 /);
    expect(s.origin.seen).toHaveLength(0);
    expect(await s.ask(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n${close}\r\nfour`)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('Expect: 100-continue goes to the backend, and its 100 to the client', async () => {
    const s = await scenario(() => OK);
    s.origin.origin.sockets.length = 0;
    const client = await s.client();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n');
    while (s.origin.origin.sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
    s.origin.origin.sockets[0]!.write('HTTP/1.1 100 Continue\r\n\r\n');
    await client.until((received) => received.startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
    client.send('hi');
    await client.until((received) => received.endsWith('ok'));
    expect(s.origin.seen[0]!.raw).toContain('\r\nExpect: 100-continue\r\n');
  });
});

describe('a connection', () => {
  it('carries pipelined requests in order', async () => {
    const s = await scenario((request) => `HTTP/1.1 200 OK\r\nContent-Length: ${request.path.length}\r\n\r\n${request.path}`);
    const client = await s.client();
    const paths = Array.from({ length: 200 }, (_, i) => `/p${i}`);
    client.send(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    const received = await client.until((text) => text.endsWith('/p199'));
    expect([...received.matchAll(/\r\n\r\n(\/p\d+)/g)].map((match) => match[1])).toEqual(paths);
    expect(s.origin.origin.sockets).toHaveLength(1);
  });

  it('is reused towards the backend', async () => {
    const s = await scenario(() => OK);
    for (let i = 0; i < 5; i++) await s.ask(`GET / HTTP/1.1\r\nHost: a\r\n${close}\r\n`);
    expect(s.origin.origin.sockets).toHaveLength(1);
  });

  it('that is half closed still gets its answer', async () => {
    const s = await scenario(() => OK);
    const client = await s.client();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    client.socket.end();
    expect(await client.untilEnd()).toMatch(/ok$/);
  });

  it('closes after HTTP/1.0, stays with keep-alive', async () => {
    const s = await scenario(() => OK);
    expect(await s.ask('GET / HTTP/1.0\r\n\r\n')).toContain('\r\nConnection: close\r\n');
    expect(await s.ask('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', 'ok')).toContain('\r\nConnection: keep-alive\r\n');
  });
});
