/** One request too many is answered here, before a backend is picked, whatever its route does; other routes and keys do not notice. */
import { expect, test } from 'vitest';
import { errorIndex } from '../../../src/base/errors.ts';
import { listenerColumns, requestCell, routeColumns } from '../../../src/shared/counter-pages.ts';
import { OK, scenario, type Scenario } from '../../support/engine-scenario.ts';
import type { RoutePatch } from '../../support/engine.ts';
import { limitSpec } from '../../support/limit-rig.ts';
import { anyMatch } from '../../support/route-fixtures.ts';

/** One request, and no other within the test. */
const ONE = limitSpec({ count: 5, periodMs: 3_600_000, burst: 1 });

function route(path: string, patch: RoutePatch): RoutePatch {
  return { name: path, match: { ...anyMatch, path: [{ kind: 'prefix', value: path }] }, ...patch };
}

function get(path: string, ...lines: string[]): string {
  return [`GET ${path} HTTP/1.1`, 'Host: a', ...lines, '', ''].join('\r\n');
}

async function started(): Promise<Scenario> {
  return scenario(() => OK, {
    listener: {
      routes: [
        route('/pool', { rateLimit: ONE }),
        route('/respond', { action: { kind: 'respond', status: 204, body: '', contentType: '' }, rateLimit: ONE }),
        route('/redirect', { action: { kind: 'redirect', status: 302, to: 'http://b/', scheme: null, host: null, port: null, path: null, prefix: null }, rateLimit: ONE }),
        route('/user', { rateLimit: { ...ONE, key: { kind: 'header', name: 'x-user' } } }),
        { name: 'free' },
      ],
    },
  });
}

test('the answer names the limit and when to come again, and the connection goes on', async () => {
  const s = await started();
  const client = await s.client();
  client.send(get('/pool') + get('/pool') + get('/free'));
  const answers = await client.until((received) => received.split('HTTP/1.1 ').length === 4 && received.endsWith('ok'));
  const [, first, second, third] = answers.split('HTTP/1.1 ');
  expect(first).toMatch(/^200 /);
  expect(first).not.toMatch(/^(RateLimit|Retry-After)/m);
  expect(second!.split('\r\n').filter((line) => !line.startsWith('Date:'))).toEqual([
    '429 Too Many Requests',
    'Content-Type: text/plain; charset=utf-8',
    'Retry-After: 720',
    'RateLimit-Policy: "default";q=5;w=3600',
    'RateLimit: "default";r=0;t=720',
    'Content-Length: 101',
    '',
    '429 Too Many Requests\nMore requests came than this route allows. Retry-After says when to try again.\n',
  ]);
  expect(third).toMatch(/^200 /);
  expect(s.origin.seen.map(({ path }) => path)).toEqual(['/pool', '/free']);
});

test.each(['/respond', '/redirect'])('%s is limited too', async (path) => {
  const s = await started();
  expect(await s.ask(get(path, 'Connection: close'))).toMatch(/^HTTP\/1\.1 (204|302) /);
  expect(await s.ask(get(path, 'Connection: close'))).toMatch(/^HTTP\/1\.1 429 /);
  expect(s.origin.seen).toEqual([]);
});

test('each key has a bucket of its own', async () => {
  const s = await started();
  const ask = async (user: string): Promise<string> => (await s.ask(get('/user', `X-User: ${user}`, 'Connection: close'))).slice(9, 12);
  expect([await ask('a'), await ask('a'), await ask('b'), await ask('b')]).toEqual(['200', '429', '200', '429']);
});

test('who asks for JSON gets JSON', async () => {
  const s = await started();
  await s.ask(get('/pool', 'Connection: close'));
  const refused = await s.ask(get('/pool', 'Accept: application/json', 'Connection: close'));
  expect(refused).toContain('\r\nRetry-After: 720\r\n');
  expect(JSON.parse(refused.slice(refused.indexOf('\r\n\r\n')))).toMatchObject({ status: 429, error: 'rate-limited' });
});

test('a body on its way is not read, and nothing after it is taken for a request', async () => {
  const s = await started();
  await s.ask(get('/pool', 'Connection: close'));
  const refused = await s.ask('POST /pool HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\npart of it');
  expect(refused).toMatch(/^HTTP\/1\.1 429 [^]*\r\nConnection: close\r\n/);
});

test('it is counted as the client’s doing', async () => {
  const s = await started();
  await s.ask(get('/pool', 'Connection: close'));
  await s.ask(get('/pool', 'Connection: close'));
  const { live, routes } = { live: s.engine.plane.config!.listeners.get('front')!, routes: s.engine.plane.config!.listeners.get('front')!.routes };
  expect(live.counters[live.base + listenerColumns.errors + errorIndex['rate-limited']]).toBe(1);
  expect(live.counters[live.base + requestCell(0, 429)]).toBe(1);
  expect(routes[0]!.counters[routes[0]!.base + routeColumns.codeClass + 3]).toBe(1);
});
