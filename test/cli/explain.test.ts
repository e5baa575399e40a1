import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { explainCommand, type ExplainFlags } from '../../src/cli/explain.ts';
import type { Explanation } from '../../src/cli/explain/explanation.ts';

const folder = mkdtempSync(join(tmpdir(), 'weir-explain-'));
afterAll(() => rmSync(folder, { recursive: true }));

const manyRoutes = Array.from({ length: 60 }, (_, i) => `      - { match: { host: h${i}.test, path: /far }, pool: web }`).join('\n');
const config = `
listeners:
  web:
    bind: ":8080"
    trustedProxies: [10.0.0.0/8]
    pool: web
    routes:
      - name: api
        match: { host: [a.test, "*.b.test"], path: /v1, header: { x-canary: "1" } }
        pool: api
        rewrite: { prefix: /, host: web.internal }
      - { name: old, match: { path: /old }, redirect: { prefix: /new, scheme: https, status: 308 } }
      - { name: hello, match: { path: { exact: /hello }, source: 192.0.2.0/24 }, respond: { status: 201, body: hi }, rateLimit: { rate: 10/m, key: "cookie:c", burst: 3 } }
      - { name: pick, match: { path: { regex: "/r[0-9]+" }, method: [POST, PUT], query: { q: { present: true } }, cookie: { c: { present: false } } }, pool: down }
      - { name: again, match: { path: /again }, pool: api, retry: { attempts: 3, when: [503, unavailable, connection-lost, refused-stream, response-timeout], budget: 12.5%, perTry: 2s } }
      - { name: plain, match: { path: /plain }, pool: api, retry: { when: [502] } }
  db: { bind: ":5432", protocol: tcp, pool: web }
  only:
    bind: "127.0.0.1:9090"
    routes:
      - { match: { host: only.test }, pool: web }
  many:
    bind: "127.0.0.1:9091"
    routes:
${manyRoutes}
      - { name: near, match: { path: /far/a/b, method: PUT }, pool: web }
pools:
  web:
    algorithm: { name: maglev, key: header:x-user }
    backends:
      - { address: "10.0.0.12:8080", priority: 1 }
      - { address: "10.0.0.11:8080", weight: 3 }
      - { address: "10.0.0.13:8080", state: drain }
  api: { backends: [10.0.1.1:80] }
  down: { backends: [{ address: "10.0.2.1:80", state: disabled }] }
`;
const file = join(folder, 'weir.yaml');
writeFileSync(file, config);

async function run(url: string, flags: ExplainFlags = {}, path = file): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await explainCommand(path, url, flags, { out: (text) => void (out += text), err: (text) => void (err += text) });
  return { code, out, err };
}

async function explained(url: string, flags: ExplainFlags = {}): Promise<Explanation> {
  const { code, out } = await run(url, { ...flags, json: true });
  expect(code).toBe(0);
  return JSON.parse(out) as Explanation;
}

describe('weir explain', () => {
  it('says route, what the backend is sent, and who may take it', async () => {
    const { note, listeners } = await explained('http://x.b.test:8080/v1/users?x=1', { header: ['X-Canary: 1'] });
    expect([note, listeners.length]).toEqual([null, 1]);
    expect(listeners[0]).toMatchObject({
      listener: 'web', outcome: 'route', status: null, route: { position: 1, name: 'api' }, misses: [],
      action: { kind: 'pool', pool: 'api', algorithm: 'round-robin', key: null, target: '/users?x=1', host: 'web.internal', candidates: [{ address: '10.0.1.1:80', serves: true }] },
    });
  });

  it('says why earlier routes do not take it', async () => {
    const { listeners } = await explained('http://a.test:8080/v1');
    expect(listeners[0]!.route).toEqual({ position: 7, name: '*' });
    expect(listeners[0]!.misses.map(({ name, mismatch }) => [name, mismatch.key, mismatch.name, mismatch.seen, mismatch.wanted])).toEqual([
      ['api', 'header', 'x-canary', [], ['"1"']],
      ['old', 'path', '', ['/v1'], ['/old']],
      ['hello', 'path', '', ['/v1'], ['exact /hello']],
      ['pick', 'path', '', ['/v1'], ['regex /r[0-9]+']],
      ['again', 'path', '', ['/v1'], ['/again']],
      ['plain', 'path', '', ['/v1'], ['/plain']],
    ]);
  });

  it('lists candidates by priority, and which serve', async () => {
    const { listeners } = await explained('http://c.test:8080/');
    expect(listeners[0]!.action).toMatchObject({
      algorithm: 'maglev', key: 'header:x-user',
      candidates: [
        { address: '10.0.0.11:8080', priority: 0, weight: 3, state: 'ready', serves: true },
        { address: '10.0.0.13:8080', priority: 0, weight: 1, state: 'drain', serves: false },
        { address: '10.0.0.12:8080', priority: 1, weight: 1, state: 'ready', serves: false },
      ],
    });
    expect((await run('http://c.test:8080/r1?q', { method: 'PUT' })).out).toContain('nobody serves: 503');
  });

  it('shows both readings where they lead to different routes', async () => {
    const { listeners } = await explained('http://a.test:8080/hello/../old/%61');
    expect(listeners[0]).toMatchObject({
      outcome: 'ambiguous-path', status: 400, route: null, action: null,
      readings: [{ path: '/hello/../old/%61', route: { name: '*' } }, { path: '/old/a', route: { name: 'old' } }],
    });
  });

  it('says 404', async () => {
    const { listeners } = await explained('http://x.test:9090/');
    expect(listeners).toMatchObject([{ listener: 'only', outcome: 'no-route', status: 404, misses: [{ mismatch: { key: 'host', seen: ['x.test'], wanted: ['only.test'] } }] }]);
    expect((await run('http://x.test:9090/')).out).toContain('no route takes it: 404');
  });

  it('works out redirects and own answers', async () => {
    expect((await explained('http://a.test:8080/old/x?q=1')).listeners[0]!).toMatchObject({ status: 308, action: { location: 'https://a.test/new/x?q=1' } });
    expect((await explained('http://a.test:8080/hello', { from: '192.0.2.9' })).listeners[0]!).toMatchObject({ status: 201, client: '192.0.2.9', rateLimit: '10/m by cookie:c, bursts of 3, scope tier', action: { kind: 'respond', body: 'hi' } });
  });

  it('says after what a request is sent again, by its method', async () => {
    const retryOf = async (path: string, flags: ExplainFlags = {}): Promise<string | null> => (await explained(`http://a.test:8080${path}`, flags)).listeners[0]!.retry;
    const all = 'sent 3 times at most, again after refused-stream, connection-lost, response-timeout, 503, unavailable, for 12.5% of requests, 2s for each';
    expect(await retryOf('/again')).toBe(all);
    expect(await retryOf('/again', { method: 'POST', header: ['Content-Type: application/grpc+proto'] })).toBe(all);
    expect(await retryOf('/again', { method: 'POST', header: ['Content-Type: application/grpcx'] })).toBe('sent 3 times at most, again after refused-stream (not connection-lost, response-timeout, 503, unavailable: of a POST nobody knows whether it may be repeated), for 12.5% of requests, 2s for each');
    expect(await retryOf('/plain', { method: 'PATCH' })).toBe('sent 2 times at most, again after nothing that the route names (not 502: of a PATCH nobody knows whether it may be repeated), for 20% of requests');
    expect(await retryOf('/v1')).toBeNull();
    expect((await run('http://a.test:8080/again')).out).toContain(`\n  ${all}\n`);
  });

  it('finds the client behind proxies that the listener trusts', async () => {
    const flags = { from: '10.0.0.1', header: ['X-Forwarded-For: 192.0.2.9'] };
    expect((await explained('http://a.test:8080/hello', flags)).listeners[0]!).toMatchObject({ client: '192.0.2.9', route: { name: 'hello' } });
    expect((await explained('http://a.test:9090/hello', flags)).listeners[0]!.client).toBe('10.0.0.1');
  });

  it('takes every listener if none is bound to the port, or only a path is given', async () => {
    const elsewhere = await explained('http://a.test/');
    expect(elsewhere.listeners.map(({ listener }) => listener)).toEqual(['web', 'only', 'many']);
    expect(elsewhere.note).toContain('no listener is bound to port 80');
    const tcp = await explained('http://a.test:5432/');
    expect(tcp.note).toBe('listener db speaks tcp, and its connections are not explained: this is what each http listener would do');
    expect(tcp.listeners.map(({ listener }) => listener)).toEqual(['web', 'only', 'many']);
    const bare = await explained('/old', { header: ['Host: a.test:81'] });
    expect([bare.listeners.length, bare.note, bare.request.host]).toEqual([3, null, 'a.test:81']);
  });

  it('shows the nearest misses of many, and counts the rest', async () => {
    const { listeners } = await explained('http://h3.test:9091/far/a/b/c');
    expect(listeners[0]!.route).toMatchObject({ position: 4 });
    const missed = (await explained('http://x.test:9091/far/a/b')).listeners[0]!;
    expect(missed.misses).toHaveLength(20);
    expect(missed.misses.at(-1)).toMatchObject({ name: 'near', mismatch: { key: 'method', held: 1 } });
    expect(missed.missesMore).toBe(41);
    expect((await run('http://x.test:9091/far/a/b')).out).toContain('and 41 more');
  });

  it('asks with the method, query and cookies given', async () => {
    expect((await explained('http://a.test:8080/r1?q=1', { method: 'POST' })).listeners[0]!.route!.name).toBe('pick');
    expect((await explained('http://a.test:8080/r1?q=1', { method: 'POST', header: ['Cookie: c=1'] })).listeners[0]!.route!.name).toBe('*');
    expect((await explained('http://a.test:8080/r1?q=1')).listeners[0]!.route!.name).toBe('*');
  });

  it('keeps the path as written, but for what a request line cannot hold', async () => {
    expect((await explained('http://a.test:8080/a/./b%2Fc/café d?ü#x')).request.target).toBe('/a/./b%2Fc/caf%C3%A9%20d?%C3%BC');
  });

  it('prints all of it as text', async () => {
    expect((await run('http://a.test:8080/v1', { header: ['x-canary: 0'] })).out).toBe(
      [
        'GET /v1',
        '  host "a.test:8080", from 127.0.0.1',
        '',
        'listener web (:8080)',
        '  client address 127.0.0.1',
        '  route 7 "*"',
        '  → pool web, maglev by header:x-user',
        '    sent as /v1, host "a.test:8080"',
        '    candidates (*: serves while all are up)',
        '    * 10.0.0.11:8080  priority 0  weight 3  ready',
        '      10.0.0.13:8080  priority 0  weight 1  drain',
        '      10.0.0.12:8080  priority 1  weight 1  ready',
        '  not taken by:',
        '    route 1 "api": header x-canary is "0", wanted "1"',
        '    route 2 "old": path is "/v1", wanted below /old',
        '    route 3 "hello": path is "/v1", wanted exact /hello',
        '    route 4 "pick": path is "/v1", wanted regex /r[0-9]+',
        '    route 5 "again": path is "/v1", wanted below /again',
        '    route 6 "plain": path is "/v1", wanted below /plain',
        '',
      ].join('\n'),
    );
  });

  it.each([
    ['foo', {}],
    ['ftp://a.test/', {}],
    ['http://user@a.test/', {}],
    ['http:///x', {}],
    ['/x', { header: ['no colon'] }],
    ['/x', { header: ['x: a\r\nb: c'] }],
    ['/x', { from: '10.1' }],
  ])('refuses %s %o as wrong usage', async (url, flags) => {
    const { code, out, err } = await run(url, flags);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^weir explain: /);
  });

  it('refuses a config that is wrong, and says where', async () => {
    const wrong = join(folder, 'wrong.yaml');
    writeFileSync(wrong, 'listeners: { web: { bind: ":8080", pool: nowhere } }\n');
    const { code, err } = await run('/x', {}, wrong);
    expect(code).toBe(1);
    expect(err).toContain('nowhere');
    expect((await run('/x', {}, join(folder, 'absent.yaml'))).code).toBe(1);
  });
});
