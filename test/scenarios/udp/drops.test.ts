/** Datagrams that cannot be passed on: each is counted by its reason, and costs no more than itself. */
import { Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { afterEach, expect, test, vi } from 'vitest';
import { DATAGRAM_BYTES_MAX } from '../../../src/net/udp-socket.ts';
import type { BackendRow } from '../../../src/shared/backend-table.ts';
import { makePool } from '../../support/engine.ts';
import { udpListenerSpec, type UdpBackend, type UdpRig } from '../../support/udp-rig.ts';
import { backend, rig } from '../../support/udp-scenario.ts';

afterEach(() => vi.restoreAllMocks());

const hasIpv6 = Object.values(networkInterfaces()).some((found) => found?.some(({ address }) => address === '::1'));
if (!hasIpv6) console.log('not run: datagrams larger than IPv4 carries need IPv6');

async function setUp(host = '127.0.0.1', backendHost = '127.0.0.1'): Promise<{ origin: UdpBackend; proxy: UdpRig }> {
  const origin = await backend('echo', backendHost);
  const proxy = await rig([origin.port], {}, backendHost === '127.0.0.1' ? {} : { backends: [{ port: origin.port, host: backendHost }] }, host);
  return { origin, proxy };
}

test.skipIf(!hasIpv6)('too-large: from an IPv6 client to an IPv4 backend, and the session goes on', async () => {
  const { origin, proxy } = await setUp('::1');
  const client = await proxy.client('::1');
  await client.ask('a', proxy.port, '::1');
  for (let sent = 1; sent <= 3; sent++) {
    await client.send(Buffer.alloc(DATAGRAM_BYTES_MAX + sent), proxy.port, '::1');
    await proxy.until(() => proxy.dropped('too-large') === sent);
  }
  await client.ask('b', proxy.port, '::1');
  expect(origin.heard.map(({ bytes }) => bytes.toString())).toEqual(['a', 'b']);
  expect(origin.sources).toHaveLength(1);
  expect(proxy.count('datagramsIn')).toBe(5);
});

test.skipIf(!hasIpv6)('too-large: the answer of an IPv6 backend to an IPv4 client', async () => {
  const { origin, proxy } = await setUp('127.0.0.1', '::1');
  const client = await proxy.client();
  origin.answer = ({ bytes, from }, it) => it.reply(from, bytes.toString() === 'much' ? Buffer.alloc(DATAGRAM_BYTES_MAX + 1) : bytes);
  await client.send('much', proxy.port);
  await proxy.until(() => proxy.dropped('too-large') === 1);
  expect(await client.ask('a', proxy.port)).toBe('a');
  expect(client.heard).toHaveLength(1);
  expect(proxy.count('datagramsOut')).toBe(1);
});

test.skipIf(!hasIpv6)('what IPv6 alone carries passes between ends that both speak it', async () => {
  const { origin, proxy } = await setUp('::1', '::1');
  origin.answer = ({ bytes, from }, it) => it.reply(from, bytes);
  const client = await proxy.client('::1');
  const heard = client.next();
  await client.send(Buffer.alloc(DATAGRAM_BYTES_MAX + 20, 'x'), proxy.port, '::1');
  expect((await heard).bytes).toHaveLength(DATAGRAM_BYTES_MAX + 20);
});

test('queue-full: what the kernel does not take is not piled up, on either side', async () => {
  const { origin, proxy } = await setUp();
  const client = await proxy.client();
  await client.ask('a', proxy.port);
  // The socket that the client speaks to has a port of ours; the session's is another.
  let isFull: (socket: Socket) => boolean = (socket) => socket.address().port !== proxy.port;
  vi.spyOn(Socket.prototype, 'getSendQueueSize').mockImplementation(function (this: Socket) {
    return isFull(this) ? 257 * 1024 : 0;
  });
  // The first unanswered one leaves without a look: what is answered was sent.
  origin.answer = () => {};
  await client.send('b', proxy.port);
  await client.send('c', proxy.port);
  await proxy.until(() => proxy.dropped('queue-full') === 1);
  await proxy.until(() => origin.heard.length === 2);
  expect(origin.heard.map(({ bytes }) => bytes.toString())).toEqual(['a', 'b']);
  isFull = (socket) => socket.address().port === proxy.port;
  origin.reply(origin.heard[0]!.from, 'lost');
  await proxy.until(() => proxy.dropped('queue-full') === 2);
  isFull = () => false;
  origin.reply(origin.heard[0]!.from, 'back');
  await proxy.until(() => client.heard.length === 2);
  expect(client.heard.map(({ bytes }) => bytes.toString())).toEqual(['echo:a', 'back']);
  expect(proxy.sessions).toBe(1);
});

test.each([
  ['EMSGSIZE', 'too-large'],
  ['ENOBUFS', 'send-failed'],
] as const)('a send that fails with %s counts as %s, and the session goes on', async (code, reason) => {
  const { origin, proxy } = await setUp();
  const client = await proxy.client();
  await client.ask('a', proxy.port);
  origin.answer = () => {};
  await client.send('b', proxy.port);
  await proxy.until(() => origin.heard.length === 2);
  const send = Reflect.get(Socket.prototype, 'send') as (...args: unknown[]) => void;
  vi.spyOn(Socket.prototype, 'send').mockImplementation(function (this: Socket, ...args: unknown[]) {
    const callback = args.at(-1);
    if (this === client.socket || typeof callback !== 'function') return void send.apply(this, args);
    (callback as (error: Error) => void)(Object.assign(new Error(code), { code }));
    return undefined;
  });
  await client.send('c', proxy.port);
  await proxy.until(() => proxy.dropped(reason) === 1);
  expect(proxy.sessions).toBe(1);
  expect(proxy.engine.context.table.backend(0).ejected).toBe(false);
});

test('no-socket: without a descriptor left a newcomer is dropped, and it is no failure of the backend', async () => {
  const { proxy } = await setUp();
  const client = await proxy.client();
  vi.spyOn(Socket.prototype, 'bind').mockImplementationOnce(() => {
    throw Object.assign(new Error('bind EMFILE'), { code: 'EMFILE' });
  });
  await client.send('x', proxy.port);
  await proxy.until(() => proxy.dropped('no-socket') === 1);
  const { table } = proxy.engine.context;
  expect([proxy.sessions, table.listener(0).connections, table.backend(0).connections, table.backend(0).inFlight]).toEqual([0, 0, 0, 0]);
  expect(table.backend(0).ejected).toBe(false);
  expect(await client.ask('a', proxy.port)).toBe('echo:a');
});

test('no-backend: another worker took the last place between the look and the take, and the place here is given back', async () => {
  const { proxy } = await setUp();
  const { table } = proxy.engine.context;
  vi.spyOn(Object.getPrototypeOf(table.backend(0)) as BackendRow, 'takeConnection').mockReturnValueOnce(false);
  const client = await proxy.client();
  await client.send('x', proxy.port);
  await proxy.until(() => proxy.dropped('no-backend') === 1);
  expect([proxy.sessions, table.listener(0).connections, table.backend(0).inFlight]).toEqual([0, 0, 0]);
  expect(await client.ask('a', proxy.port)).toBe('echo:a');
});

test('no-backend: none is to be had, or all are at their limit', async () => {
  const { origin, proxy } = await setUp();
  const [one, two] = [await proxy.client(), await proxy.client()];
  await proxy.engine.load([udpListenerSpec(proxy.port)], [makePool([origin.port], { connections: { perBackend: 1, connectTimeoutMs: 2000, idleMs: 4000 } })]);
  await one.ask('a', proxy.port);
  await two.send('x', proxy.port);
  await proxy.until(() => proxy.dropped('no-backend') === 1);
  proxy.engine.plane.cut();
  expect(await two.ask('b', proxy.port)).toBe('echo:b');
  await proxy.engine.load([udpListenerSpec(proxy.port)], [makePool([], { backends: [{ port: origin.port, state: 'disabled' }] })]);
  await one.send('y', proxy.port);
  await proxy.until(() => proxy.dropped('no-backend') === 2);
});
