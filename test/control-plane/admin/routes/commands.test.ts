import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AdminWorld, startAdmin, type StartedAdmin } from '../../../support/admin-world.ts';
import { plainBackend, plainPool } from '../../../support/plain-snapshot.ts';

let world: AdminWorld;
let started: StartedAdmin;
const V6 = '[2001:db8::1]:8080';

beforeEach(async () => {
  const web = { ...plainPool('web', []), backends: [plainBackend('10.0.0.1:80'), { ...plainBackend('10.0.0.2:80'), state: 'drain' as const }, { ...plainBackend('10.0.0.3:80'), address: V6 }] };
  world = new AdminWorld({ snapshot: { pools: [web], admin: { bind: { text: '127.0.0.1:0', host: '127.0.0.1', port: 0 }, token: null, readToken: 'reading-s3cret' } } });
  started = await startAdmin(world);
});
afterEach(() => started.close());

async function post(path: string, body: unknown = {}): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(started.url + path, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

const stateOf = (address: string): string => `/api/v1/pools/web/backends/${encodeURIComponent(address)}/state`;

describe('a backend’s state', () => {
  it('is set, with weight and reason, and answered as it now is', async () => {
    expect(await post(stateOf(V6), { state: 'drain', weight: 5, reason: 'disk swap' })).toEqual({
      status: 200,
      body: expect.objectContaining({ pool: 'web', address: V6, state: 'drain', weight: 5, reason: 'disk swap' }),
    });
    expect(await post(stateOf(V6), { weight: null })).toMatchObject({ status: 200, body: { state: 'drain', weight: 1 } });
  });

  it('is refused where the file is stricter: that is lifted in the file', async () => {
    expect(await post(stateOf('10.0.0.2:80'), { state: 'ready' })).toMatchObject({ status: 409, body: { detail: expect.stringContaining('file') } });
    expect(await post(stateOf('10.0.0.2:80'), { state: 'disabled' })).toMatchObject({ status: 200 });
    expect(await post(stateOf('10.0.0.2:80'), { state: 'drain' })).toMatchObject({ status: 200 });
  });

  it.each([{}, { state: 'off' }, { weight: -1 }, { weight: 1001 }, { weight: 1.5 }, { weight: '5' }, { state: 'drain', extra: 1 }, { reason: 'alone' }, { state: 'drain', reason: 'x'.repeat(501) }, [], null, 'drain'])('is not set by %j', async (body) => {
    expect(await post(stateOf('10.0.0.1:80'), body)).toMatchObject({ status: 400 });
    expect(world.table.backend(0).state).toBe('ready');
  });

  it('is 404 for a pool or backend that is not there', async () => {
    expect(await post('/api/v1/pools/absent/backends/10.0.0.1:80/state', { state: 'drain' })).toMatchObject({ status: 404 });
    expect(await post(stateOf('10.0.0.9:80'), { state: 'drain' })).toMatchObject({ status: 404 });
  });

  it('passes on why it was not done', async () => {
    world.nextOutcome = { kind: 'conflict', text: 'the proxy is stopping' };
    expect(await post(stateOf('10.0.0.1:80'), { state: 'drain' })).toMatchObject({ status: 409, body: { detail: 'the proxy is stopping' } });
    world.nextOutcome = { kind: 'failed', text: 'the state directory is full' };
    expect(await post(stateOf('10.0.0.1:80'), { state: 'drain' })).toMatchObject({ status: 500, body: { detail: 'the state directory is full' } });
  });
});

describe('commands to the proxy', () => {
  it('drain and undrain', async () => {
    expect(await post('/api/v1/drain', { reason: 'kernel update' })).toEqual({ status: 200, body: { member: 'proxy-a', state: 'draining', followed: true } });
    expect(await post('/api/v1/undrain')).toEqual({ status: 200, body: { member: 'proxy-a', state: 'ready', followed: true } });
    const empty = await fetch(`${started.url}/api/v1/drain`, { method: 'POST', headers: { 'content-type': 'application/json' } });
    expect(empty.status).toBe(200);
  });

  it('reload tells the version, or the problems', async () => {
    expect(await post('/api/v1/reload')).toEqual({ status: 200, body: { version: 1, changed: false, warnings: [] } });
    const problem = { file: 'weir.yaml', line: 3, column: 5, severity: 'error', message: 'unknown key "backend"', suggestion: 'did you mean "backends"?' } as const;
    world.nextReload = { kind: 'refused', text: 'the config has errors', problems: [problem] };
    expect(await post('/api/v1/reload')).toMatchObject({ status: 422, body: { detail: 'the config has errors', problems: [problem] } });
  });
});

describe('the config', () => {
  it('is shown as written, with its version as ETag, without the secrets in it', async () => {
    const reference = '# comment, kept\nadmin: { bind: "127.0.0.1:9900", token: file:admin.token, readToken: ${READ} }\nlog: { level: info }\n';
    world.text = `${reference}x-kept: |\n  token: literal-one\n  readToken: 'it''s' # two\n  { password: "a\\"b", other: 1 }\nx-more: [reading-s3cret, "reading-s3cret"]\n`;
    const answer = await fetch(`${started.url}/api/v1/config`);
    expect([answer.headers.get('content-type'), answer.headers.get('etag')]).toEqual(['application/yaml', '"1"']);
    expect(await answer.text()).toBe(`${reference}x-kept: |\n  token: "***"\n  readToken: "***" # two\n  { password: "***", other: 1 }\nx-more: [***, "***"]\n`);
  });

  it('has versions', async () => {
    const answer = await fetch(`${started.url}/api/v1/config/versions`);
    expect(await answer.json()).toMatchObject({ items: [{ version: 1, running: true }] });
  });

  it('cannot be published without a store', async () => {
    const publish = (body: string): Promise<Response> => fetch(`${started.url}/api/v1/config`, { method: 'POST', body, headers: { 'content-type': 'application/yaml' } });
    expect((await publish('pools: {}')).status).toBe(409);
    expect((await publish('x'.repeat(16 * 1024 * 1024 + 1))).status).toBe(413);
  });
});
