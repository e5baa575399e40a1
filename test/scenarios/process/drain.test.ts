/** The way down: what stands in front is told first, then listeners close, then exchanges finish, then it ends with 0. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ask, until, WeirProcess } from '../../support/weir-process.ts';

// Whole processes start and stop here, and share the machine's cores with other tests.
vi.setConfig({ testTimeout: 90_000 });

/** A backend whose answers wait to be told. */
const waiting: ServerResponse[] = [];
const backend = createServer((_request: IncomingMessage, response: ServerResponse) => void waiting.push(response));
let arrived = (): void => undefined;
backend.on('request', () => arrived());
beforeAll(async () => {
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
});
afterAll(() => {
  backend.closeAllConnections();
  backend.close();
});

function config(drain: string): string {
  return `
listeners:
  web:
    bind: "127.0.0.1:0"
    routes: [{ match: { path: /slow }, pool: slow }, { respond: { status: 200, body: here } }]
pools:
  slow: { backends: ["127.0.0.1:${(backend.address() as AddressInfo).port}"] }
admin: { bind: "127.0.0.1:0" }
drain: ${drain}
`;
}

/** A request that is under way at the backend. */
async function underWay(weir: WeirProcess): Promise<{ answer: ReturnType<WeirProcess['get']>; finish: () => void }> {
  const atBackend = new Promise<void>((resolve) => (arrived = resolve));
  const answer = weir.get('/slow');
  answer.catch(() => undefined);
  await atBackend;
  const response = waiting.pop()!;
  return { answer, finish: () => response.end('finished') };
}

async function refuses(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const accepted = await once(socket, 'connect').then(() => true, () => false);
  socket.destroy();
  return !accepted;
}

test('TERM: readyz 503 while service goes on, then no accepting, then what is under way finishes', async () => {
  await using weir = await WeirProcess.start(config('{ delay: 1500ms, timeout: 20s }'));
  const port = weir.port();
  expect((await weir.admin('/readyz')).status).toBe(200);
  const { answer, finish } = await underWay(weir);
  weir.signal('SIGTERM');
  await weir.line(({ text }) => text === 'draining');
  const [ready, plain] = await Promise.all([weir.admin('/readyz'), ask(port, '/')]);
  expect(ready.status).toBe(503);
  expect(ready.body).toContain('draining');
  expect(plain.body).toBe('here');
  await weir.line(({ text }) => text === 'stopping');
  await until(() => refuses(port));
  finish();
  expect(await answer).toMatchObject({ status: 200, body: 'finished', headers: { connection: 'close' } });
  expect(await weir.exited).toEqual({ code: 0, signal: null });
  expect(weir.log.map(({ text }) => text)).not.toContain('connections cut: drain.timeout is over');
});

test('what outlasts drain.timeout is cut and counted; the exit code is 0 all the same', async () => {
  await using weir = await WeirProcess.start(config('{ delay: 0, timeout: 300ms }'));
  const { answer } = await underWay(weir);
  weir.signal('SIGTERM');
  expect(await weir.line(({ text }) => text.startsWith('connections cut'))).toMatchObject({ connections: 1 });
  await expect(answer).rejects.toThrow();
  expect(await weir.exited).toEqual({ code: 0, signal: null });
});

test('INT skips the delay', async () => {
  await using weir = await WeirProcess.start(config('{ delay: 1h, timeout: 20s }'));
  weir.signal('SIGINT');
  expect(await weir.exited).toEqual({ code: 0, signal: null });
});

test('a second signal ends it at once, with the code a shell would give', async () => {
  await using weir = await WeirProcess.start(config('{ delay: 1h, timeout: 20s }'));
  weir.signal('SIGTERM');
  await weir.line(({ text }) => text === 'draining');
  weir.signal('SIGINT');
  expect(await weir.exited).toEqual({ code: 130, signal: null });
});

test('drained by the admin interface it still serves, with Connection: close, until undrain', async () => {
  await using weir = await WeirProcess.start(config('{ delay: 0, timeout: 20s }'));
  await weir.admin('/api/v1/drain', 'POST', { reason: 'kernel update' });
  expect((await weir.admin('/readyz')).status).toBe(503);
  await until(async () => (await weir.get('/')).headers.connection === 'close');
  expect((await weir.get('/')).body).toBe('here');
  await weir.admin('/api/v1/undrain', 'POST', {});
  expect((await weir.admin('/readyz')).status).toBe(200);
  expect(JSON.parse((await weir.admin('/api/v1/status')).body)).toMatchObject({ state: 'ready' });
});

test('TERM before it is up ends it as well', async () => {
  await using weir = await WeirProcess.spawn(config('{ delay: 1h, timeout: 20s }'));
  await weir.line(({ text }) => text === 'weir starts');
  weir.signal('SIGTERM');
  expect(await weir.exited).toEqual({ code: 0, signal: null });
});
