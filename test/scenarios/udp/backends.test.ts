/** Which backend a client meets, what counts against a backend, and what a session takes over of a later config. */
import { Socket } from 'node:dgram';
import { afterEach, expect, test, vi } from 'vitest';
import type { ListenerRow } from '../../../src/shared/backend-table.ts';
import { backendColumns, poolColumns, routeColumns } from '../../../src/shared/counter-pages.ts';
import { makePool, makeRoute, makeSnapshot, type PoolPatch } from '../../support/engine.ts';
import { freeUdpPort, UdpEnd, udpListenerSpec, type UdpRig } from '../../support/udp-rig.ts';
import { backend, inOrder, rig } from '../../support/udp-scenario.ts';

afterEach(() => vi.restoreAllMocks());

const bySource: PoolPatch = { algorithm: { name: 'source-hash', module: null, options: { tableSize: 251 }, key: { kind: 'client-ip', name: '' } } };
const outlier = { consecutiveFailures: 2, ejectForMs: 30_000, maxEjectedShare: 0.5 };

/** Whom a client at `host` meets, from another port each time. */
async function metBy(proxy: UdpRig, host: string): Promise<Set<string>> {
  const met = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const client = await UdpEnd.open(host);
    met.add((await client.ask('x', proxy.port)).split(':')[0]!);
    client.close();
  }
  return met;
}

test('source-hash: a client address meets one backend from any port and any proxy, and addresses are spread', async () => {
  const origins = await Promise.all(['one', 'two', 'three'].map((name) => backend(name)));
  const ports = origins.map(({ port }) => port);
  const [here, there] = [await rig(ports, {}, bySource), await rig(ports, {}, bySource)];
  const all = new Set<string>();
  // So many that each backend has some whatever their ports: of 12, one in 43 runs left one out.
  for (let last = 1; last <= 40; last++) {
    const met = await metBy(here, `127.0.1.${last}`);
    expect(met.size).toBe(1);
    expect(await metBy(there, `127.0.1.${last}`)).toEqual(met);
    for (const name of met) all.add(name);
  }
  expect(all.size).toBe(3);
});

test('routes by source, and what they and the backend count', async () => {
  const [one, two] = [await backend('one'), await backend('two')];
  const port = await freeUdpPort('127.0.0.1');
  const near = makeRoute({ name: 'near', match: { ...makeRoute().match, source: ['127.0.2.0/24'] }, action: { kind: 'pool', pool: 'near' } });
  const proxy = await rig([one.port]);
  await proxy.engine.load([udpListenerSpec(port, { routes: [near, makeRoute()] })], [makePool([one.port]), makePool([two.port], { name: 'near', algorithm: { name: 'ewma', module: null, options: { decay: 10_000 }, key: { kind: 'client-ip', name: '' } } })]);
  const [local, other] = [await proxy.client('127.0.2.1'), await proxy.client()];
  expect(await local.ask('a', port)).toBe('two:a');
  expect(await other.ask('b', port)).toBe('one:b');
  proxy.engine.plane.cut();
  const { backends, pools, routes } = proxy.engine.context.counters;
  const cell = ({ cells, base }: { cells: Float64Array; base: number }, column: number): number => cells[base + column]!;
  expect([0, 1].map((row) => cell(routes.at(row), routeColumns.secondsCount))).toEqual([1, 1]);
  expect([0, 1].map((row) => cell(routes.at(row), routeColumns.errors))).toEqual([1, 1]);
  expect([0, 1].map((row) => cell(backends.at(row), backendColumns.responseCount))).toEqual([1, 1]);
  expect([0, 1].map((row) => cell(backends.at(row), backendColumns.bytesToBackend))).toEqual([1, 1]);
  expect([0, 1].map((row) => cell(backends.at(row), backendColumns.bytesFromBackend))).toEqual([5, 5]);
  expect([0, 1].map((row) => cell(pools.at(row), poolColumns.responseSecondsSum) > 0)).toEqual([true, true]);
  expect(proxy.engine.context.table.backend(1).latencyUs).toBeGreaterThan(0);
});

test('a backend that says nothing is no failure: whoever sends what it ignores could take it out', async () => {
  const [one, two] = [await backend('one'), await backend('two')];
  one.answer = () => {};
  const proxy = await rig([one.port, two.port], {}, { ...inOrder, outlier });
  for (let i = 0; i < 5; i++) await (await proxy.client()).send('ignored', proxy.port);
  await proxy.until(() => one.heard.length === 5);
  await proxy.pass(31_000);
  expect(proxy.sessions).toBe(0);
  expect(proxy.engine.context.table.backend(0).ejected).toBe(false);
});

/** The next asked-about send of a session fails for a reason of the way to the backend. */
function failSends(): void {
  const send = Reflect.get(Socket.prototype, 'send') as (...args: unknown[]) => void;
  vi.spyOn(Socket.prototype, 'send').mockImplementation(function (this: Socket, ...args: unknown[]) {
    const callback = args.at(-1);
    if (typeof callback !== 'function' || args.length !== 2) return void send.apply(this, args);
    callback(Object.assign(new Error('no route'), { code: 'EHOSTUNREACH' }));
  });
}

test('failures on the way count until an answer comes between them', async () => {
  const [one, two] = [await backend('one'), await backend('two')];
  const proxy = await rig([one.port, two.port], {}, { ...inOrder, outlier });
  one.answer = ({ bytes, from }, it) => (bytes.toString() === 'quiet' ? undefined : it.reply(from, bytes));
  failSends();
  const failures = (): number => proxy.engine.messages.filter((message) => message.kind === 'log' && message.text === 'a session failed').length;
  const fail = async (): Promise<void> => {
    const client = await proxy.client();
    const before = failures();
    await client.send('quiet', proxy.port);
    await client.send('quiet', proxy.port);
    await proxy.until(() => failures() > before);
  };
  await fail();
  await (await proxy.client()).ask('well', proxy.port);
  await fail();
  expect(proxy.engine.context.table.backend(0).ejected).toBe(false);
  await fail();
  expect(proxy.engine.context.table.backend(0).ejected).toBe(true);
});

test('a name that stands for another address moves its sessions, and a refusal has it looked up', async () => {
  const one = await backend('one');
  const proxy = await rig([], {}, { backends: [{ port: one.port, named: true, host: 'db.test', address: `db.test:${one.port}` }] });
  const row = proxy.engine.context.table.backend(0);
  const client = await proxy.client();
  // There is no address yet.
  await client.send('early', proxy.port);
  await proxy.until(() => proxy.dropped('no-backend') === 1);
  row.storeAddress(Uint8Array.of(127, 0, 0, 1));
  expect(await client.ask('a', proxy.port)).toBe('one:a');
  row.storeAddress(Uint8Array.of(127, 0, 0, 3));
  await proxy.pass(100);
  await client.send('b', proxy.port);
  await proxy.until(() => proxy.engine.messages.some(({ kind }) => kind === 'resolve'));
  expect(one.heard).toHaveLength(1);
});

test('onDown: close without any other backend drops the datagram', async () => {
  const one = await backend('one');
  const proxy = await rig([one.port], {}, { onDown: 'close', panicShare: 0 });
  const client = await proxy.client();
  await client.ask('a', proxy.port);
  const { table } = proxy.engine.context;
  table.backend(0).verdict = 'down';
  table.pool(0).bumpEpoch();
  await proxy.pass(100);
  await client.send('b', proxy.port);
  await proxy.until(() => proxy.dropped('no-backend') === 1);
  expect(proxy.sessions).toBe(0);
  expect(one.heard).toHaveLength(1);
});

test('timeouts and limits of a later config hold for sessions that are there', async () => {
  const one = await backend();
  const proxy = await rig([one.port]);
  const client = await proxy.client();
  await client.ask('a', proxy.port);
  await proxy.engine.load([udpListenerSpec(proxy.port, { timeouts: { idleMs: 1000 } })], [makePool([one.port])]);
  await proxy.pass(100);
  await client.ask('b', proxy.port);
  await proxy.pass(900);
  expect(proxy.sessions).toBe(1);
  await proxy.pass(300);
  expect(proxy.sessions).toBe(0);
  await client.ask('c', proxy.port);
  await proxy.engine.load([udpListenerSpec(proxy.port, { limits: { responsesMax: 1 } })], [makePool([one.port])]);
  await proxy.pass(100);
  await client.ask('d', proxy.port);
  expect(proxy.sessions).toBe(0);
});

test('of a listener that leaves, a session that is owed an answer waits five seconds for it, and ends a second after it', async () => {
  const one = await backend();
  one.answer = () => {};
  const proxy = await rig([one.port]);
  const [owed, late] = [await proxy.client(), await proxy.client()];
  for (const client of [owed, late]) await client.send('a', proxy.port);
  await proxy.until(() => one.heard.length === 2);
  proxy.engine.plane.stop();
  await proxy.pass(2000);
  one.reply(one.heard[0]!.from, 'answer');
  await Promise.race([owed.next(), late.next()]);
  await proxy.pass(800);
  expect(proxy.sessions).toBe(2);
  await proxy.pass(500);
  expect(proxy.sessions).toBe(1);
  await proxy.pass(1400);
  expect(proxy.sessions).toBe(1);
  await proxy.pass(500);
  expect(proxy.sessions).toBe(0);
});

test('what comes between the bind and the commit of a config waits, and is served by it', async () => {
  const one = await backend();
  const proxy = await rig([one.port]);
  const port = await freeUdpPort('127.0.0.1');
  const { plane } = proxy.engine;
  const listeners = [udpListenerSpec(port, { name: 'new' })];
  const row = Int32Array.of(0);
  await plane.prepare(makeSnapshot(listeners, [makePool([one.port])], 2), 2, { listeners: row, routes: row, pools: row, backends: row }, [[port]]);
  const client = await proxy.client();
  await client.send('early', port);
  // This takes several turns of the loop, in which the other socket was read as well.
  await client.ask('x', proxy.port);
  expect(one.heard).toHaveLength(1);
  const heard = client.next();
  plane.commit(2);
  expect((await heard).bytes.toString()).toBe('echo:early');
});

test('a listener that names an address takes its newcomers before one that listens on all of them', async () => {
  const [one, two] = [await backend('one'), await backend('two')];
  const proxy = await rig([one.port], {}, {}, '0.0.0.0', { ownAddresses: () => ['127.0.0.1', '127.0.0.2'] });
  const { port, engine } = proxy;
  const all = udpListenerSpec(port, {}, '0.0.0.0');
  const named = udpListenerSpec(port, { name: 'named', routes: [{ action: { kind: 'pool', pool: 'other' } }] }, '127.0.0.2');
  for (const listeners of [[named, all], [all, named]]) {
    await engine.load(listeners, [makePool([one.port]), makePool([two.port], { name: 'other' })]);
    const client = await proxy.client();
    expect(await client.ask('a', port, '127.0.0.2')).toBe('two:a');
    expect(await client.ask('b', port, '127.0.0.1')).toBe('one:b');
  }
  await engine.load([all], [makePool([one.port])]);
  expect(await (await proxy.client()).ask('c', port, '127.0.0.2')).toBe('one:c');
  // Also if it was there first.
  await engine.load([named], [makePool([one.port]), makePool([two.port], { name: 'other' })]);
  await engine.load([named, all], [makePool([one.port]), makePool([two.port], { name: 'other' })]);
  expect(await (await proxy.client()).ask('d', port, '127.0.0.2')).toBe('two:d');
});

test('a bug met with a datagram or an answer costs that datagram or session, and not the worker', async () => {
  const one = await backend();
  const proxy = await rig([one.port]);
  const [client, other] = [await proxy.client(), await proxy.client()];
  await other.ask('a', proxy.port);
  const { table, counters } = proxy.engine.context;
  const row = Object.getPrototypeOf(table.listener(0)) as ListenerRow;
  const broken = vi.spyOn(row, 'addConnections').mockImplementationOnce(() => {
    throw new Error('a bug');
  });
  await client.send('b', proxy.port);
  await proxy.until(() => proxy.dropped('send-failed') === 1);
  broken.mockRestore();
  expect(await client.ask('c', proxy.port)).toBe('echo:c');
  const faults = (): string[] => proxy.engine.messages.flatMap((message) => (message.kind === 'log' && message.level === 'error' ? [message.text] : []));
  expect(faults()).toEqual(['a datagram could not be handled']);
  // The socket that answers leave by is broken for one of them.
  const { cells, base } = counters.backends.at(0);
  expect(cells[base + backendColumns.inFlight]).toBe(2);
  vi.spyOn(Socket.prototype, 'getSendQueueSize').mockImplementationOnce(() => {
    throw new Error('another bug');
  });
  await client.send('d', proxy.port);
  await proxy.until(() => proxy.dropped('send-failed') === 2);
  expect(proxy.sessions).toBe(1);
  expect(await other.ask('e', proxy.port)).toBe('echo:e');
  expect(await client.ask('f', proxy.port)).toBe('echo:f');
});
