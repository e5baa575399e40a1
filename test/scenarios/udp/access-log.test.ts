/** One line for each session, with the bytes of both directions and how it ended. */
import { expect, test } from 'vitest';
import type { ListenerPatch, PoolPatch } from '../../support/engine.ts';
import { RecordedLines } from '../../support/recorded-lines.ts';
import { freeUdpPort, type UdpBackend, type UdpEnd, type UdpRig } from '../../support/udp-rig.ts';
import { backend, inOrder, rig } from '../../support/udp-scenario.ts';

interface Logged {
  readonly origin: UdpBackend;
  readonly proxy: UdpRig;
  readonly client: UdpEnd;
  readonly lines: RecordedLines;
}

/** A backend that answers all but what begins with "quiet". */
async function logged(listener: ListenerPatch = {}, pool: PoolPatch = {}, before: readonly number[] = []): Promise<Logged> {
  const origin = await backend();
  origin.answer = ({ bytes, from }, it) => (bytes.toString().startsWith('quiet') ? undefined : it.reply(from, `${bytes.toString()}!`));
  const lines = new RecordedLines();
  const proxy = await rig([...before, origin.port], listener, pool, '127.0.0.1', { accessLog: lines.log });
  return { origin, proxy, client: await proxy.client(), lines };
}

test('a session that fell silent: its bytes, its times, its backend, and no error', async () => {
  const { origin, proxy, client, lines } = await logged();
  await client.ask('one', proxy.port);
  await client.ask('three', proxy.port);
  expect(lines.entries).toEqual([]);
  await proxy.pass(31_000);
  const backend = `127.0.0.1:${origin.port}`;
  expect(lines.entries).toEqual([
    {
      time: expect.any(Number), listener: 'front', route: 'all', pool: 'web', backend, client: '127.0.0.1', method: 'UDP', target: '-', httpVersion: 0, host: '', status: 0,
      bytesIn: 8, bytesOut: 10, durationMs: expect.any(Number), backendMs: expect.any(Number), attempts: 1, error: '', requestId: '', referer: '', userAgent: '',
    },
  ]);
  const { durationMs, backendMs } = lines.entries[0]!;
  expect(backendMs).toBeGreaterThan(0);
  expect(durationMs).toBeGreaterThanOrEqual(backendMs);
});

test('a session without any answer has no time of the backend, and that is no error: nothing was owed', async () => {
  const { proxy, client, lines } = await logged();
  await client.send('quiet', proxy.port);
  await proxy.until(() => proxy.sessions === 1);
  await proxy.pass(31_000);
  expect(lines.entries).toMatchObject([{ bytesIn: 5, bytesOut: 0, backendMs: -1, error: '' }]);
});

test('responses: a session that had its answers, and one to which answers were owed', async () => {
  const { origin, proxy, client, lines } = await logged({ limits: { responsesMax: 2 } });
  const other = await proxy.client();
  await client.ask('a', proxy.port);
  await proxy.pass(31_000);
  expect(lines.errors).toEqual(['response-timeout']);
  await other.ask('a', proxy.port);
  await other.send('quiet', proxy.port);
  await proxy.until(() => origin.heard.length === 3);
  // Two answers to each of two datagrams are owed, and one came; these are the other three.
  for (let i = 0; i < 3; i++) origin.reply(origin.heard[1]!.from, 'late');
  await proxy.until(() => proxy.sessions === 0);
  expect(lines.errors).toEqual(['response-timeout', '']);
});

test('refused by its backend', async () => {
  const { proxy, client, lines } = await logged({}, inOrder, [await freeUdpPort('127.0.0.1')]);
  await client.send('lost', proxy.port);
  await proxy.until(() => lines.entries.length === 1);
  expect(lines.entries).toMatchObject([{ bytesIn: 4, bytesOut: 0, backendMs: -1, error: 'connect-refused' }]);
});

test('evicted by a newcomer', async () => {
  const { proxy, client, lines } = await logged({ limits: { connections: 1 } });
  await client.ask('a', proxy.port);
  await (await proxy.client()).ask('b', proxy.port);
  expect(lines.entries).toMatchObject([{ bytesIn: 1, bytesOut: 2, error: 'evicted' }]);
});

test('its backend went down, and the pool says close', async () => {
  const other = await backend('other');
  const { proxy, client, lines } = await logged({}, { ...inOrder, onDown: 'close' }, [other.port]);
  await client.ask('a', proxy.port);
  proxy.engine.context.table.backend(0).verdict = 'down';
  proxy.engine.context.table.pool(0).bumpEpoch();
  await proxy.pass(100);
  await client.ask('b', proxy.port);
  expect(lines.entries).toMatchObject([{ backend: `127.0.0.1:${other.port}`, error: 'backend-gone' }]);
});

test('cut at the end of the proxy', async () => {
  const { proxy, client, lines } = await logged();
  await client.ask('a', proxy.port);
  proxy.engine.plane.cut();
  expect(lines.errors).toEqual(['shutting-down']);
});

test('a datagram that begins no session leaves no line', async () => {
  const { proxy, client, lines } = await logged({ routes: [{ match: { host: null, path: null, method: null, header: null, query: null, cookie: null, source: ['192.0.2.0/24'], sni: null, alpn: null } }] });
  await client.send('x', proxy.port);
  await proxy.until(() => proxy.dropped('no-route') === 1);
  proxy.engine.plane.cut();
  expect(lines.entries).toEqual([]);
});
