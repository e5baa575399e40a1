/** When a session ends: idle, after its answers, with its backend, with the listener. */
import { expect, test } from 'vitest';
import { makePool } from '../../support/engine.ts';
import { freeUdpPort, udpListenerSpec, type UdpEnd } from '../../support/udp-rig.ts';
import { backend, inOrder, rig } from '../../support/udp-scenario.ts';

test('silence ends a session; datagrams of either side are none', async () => {
  const origin = await backend();
  const proxy = await rig([origin.port], { timeouts: { idleMs: 30_000 } });
  const client = await proxy.client();
  await client.ask('a', proxy.port);
  await proxy.pass(29_000);
  origin.reply(origin.heard[0]!.from, 'unasked');
  await client.next();
  await proxy.pass(29_000);
  await client.ask('b', proxy.port);
  await proxy.pass(29_000);
  expect(proxy.sessions).toBe(1);
  expect(origin.sources).toHaveLength(1);
  await proxy.pass(2_000);
  expect(proxy.sessions).toBe(0);
  expect(proxy.count('connections')).toBe(0);
  expect(proxy.engine.context.table.backend(0)).toMatchObject({ connections: 0, inFlight: 0 });
  await client.ask('c', proxy.port);
  expect(origin.sources).toHaveLength(2);
});

test('datagrams that nobody answers keep a session as well', async () => {
  const origin = await backend();
  origin.answer = () => {};
  const proxy = await rig([origin.port]);
  const client = await proxy.client();
  for (let sent = 1; sent <= 3; sent++) {
    await client.send('x', proxy.port);
    await proxy.until(() => origin.heard.length === sent);
    await proxy.pass(20_000);
  }
  expect(origin.sources).toHaveLength(1);
  expect(proxy.sessions).toBe(1);
});

test('responses: 1 ends a session with the answer, and frees its place at once', async () => {
  const origin = await backend();
  const proxy = await rig([origin.port], { limits: { responsesMax: 1, connections: 1 } });
  const clients = await Promise.all([proxy.client(), proxy.client(), proxy.client()]);
  for (const client of clients) {
    expect(await client.ask('q', proxy.port)).toBe('echo:q');
    expect(proxy.sessions).toBe(0);
  }
  expect(proxy.count('connectionsTotal')).toBe(3);
});

test('responses counts for each datagram: two questions at once get two answers', async () => {
  const origin = await backend();
  const held: (() => void)[] = [];
  origin.answer = ({ bytes, from }, it) => void held.push(() => it.reply(from, bytes));
  const proxy = await rig([origin.port], { limits: { responsesMax: 1 } });
  const client = await proxy.client();
  await client.send('A', proxy.port);
  await client.send('AAAA', proxy.port);
  await proxy.until(() => held.length === 2);
  held[0]!();
  expect((await client.next()).bytes.toString()).toBe('A');
  held[1]!();
  expect((await client.next()).bytes.toString()).toBe('AAAA');
  expect(proxy.sessions).toBe(0);
  expect(origin.sources).toHaveLength(1);
});

test('a refused datagram ends the session, ejects its backend, and the next one goes elsewhere', async () => {
  const origin = await backend();
  const dead = await freeUdpPort('127.0.0.1');
  const outlier = { consecutiveFailures: 5, ejectForMs: 30_000, maxEjectedShare: 0.5 };
  const proxy = await rig([dead, origin.port], {}, { ...inOrder, outlier });
  const client = await proxy.client();
  await client.send('lost', proxy.port);
  await proxy.until(() => proxy.engine.messages.some(({ kind }) => kind === 'ejected'));
  expect(proxy.sessions).toBe(0);
  expect(proxy.engine.context.table.backend(0)).toMatchObject({ ejected: true, connections: 0, inFlight: 0 });
  expect(await client.ask('again', proxy.port)).toBe('echo:again');
});

test('an answering backend that begins to refuse is noticed between answers too', async () => {
  const [one, two] = [await backend('one'), await backend('two')];
  const outlier = { consecutiveFailures: 5, ejectForMs: 30_000, maxEjectedShare: 0.5 };
  const proxy = await rig([one.port, two.port], {}, { ...inOrder, outlier });
  const client = await proxy.client();
  expect(await client.ask('a', proxy.port)).toBe('one:a');
  one.close();
  // Sent together, so that a refusal meets the send that follows.
  await Promise.all(['b', 'c', 'd', 'e'].map((text) => client.send(text, proxy.port)));
  await proxy.until(() => proxy.engine.context.table.backend(0).ejected);
  expect(await client.ask('f', proxy.port)).toMatch(/^two:/);
});

test('onDown: close moves a session with its next datagram, keep lets it stay', async () => {
  const [one, two] = [await backend('one'), await backend('two')];
  for (const onDown of ['close', 'keep'] as const) {
    const proxy = await rig([one.port, two.port], {}, { ...inOrder, onDown });
    const client = await proxy.client();
    expect(await client.ask('a', proxy.port)).toBe('one:a');
    const { table } = proxy.engine.context;
    table.backend(0).verdict = 'down';
    table.pool(0).bumpEpoch();
    await proxy.pass(100);
    expect(await client.ask('b', proxy.port)).toBe(onDown === 'close' ? 'two:b' : 'one:b');
    expect(proxy.sessions).toBe(1);
  }
});

test('a drained backend keeps its sessions and takes no new ones', async () => {
  const [one, two] = [await backend('one'), await backend('two')];
  const proxy = await rig([one.port, two.port], {}, inOrder);
  const [first, second] = [await proxy.client(), await proxy.client()];
  expect(await first.ask('a', proxy.port)).toBe('one:a');
  const drained = makePool([], { ...inOrder, backends: [{ port: one.port, state: 'drain' }, { port: two.port }] });
  await proxy.engine.load([udpListenerSpec(proxy.port)], [drained]);
  await proxy.pass(100);
  proxy.engine.context.table.pool(0).bumpEpoch();
  expect(await first.ask('b', proxy.port)).toBe('one:b');
  expect(await second.ask('b', proxy.port)).toBe('two:b');
});

test('a listener that leaves serves its sessions until they are quiet, and nobody new', async () => {
  const origin = await backend();
  const proxy = await rig([origin.port]);
  const [client, silent, stranger] = [await proxy.client(), await proxy.client(), await proxy.client()];
  await client.ask('a', proxy.port);
  await silent.ask('a', proxy.port);
  proxy.engine.plane.stop();
  await stranger.send('x', proxy.port);
  expect(await client.ask('b', proxy.port)).toBe('echo:b');
  await proxy.until(() => proxy.dropped('draining') === 1);
  await proxy.pass(900);
  expect(proxy.sessions).toBe(2);
  await proxy.pass(500);
  expect(proxy.sessions).toBe(0);
  await untilRefused(stranger, proxy.port);
});

test('a listener under another name at the same address takes newcomers, and no session is lost', async () => {
  const origin = await backend();
  const proxy = await rig([origin.port]);
  const clients = await Promise.all(Array.from({ length: 8 }, () => proxy.client()));
  for (const client of clients) await client.ask('a', proxy.port);
  await proxy.engine.load([udpListenerSpec(proxy.port, { name: 'renamed' })], [makePool([origin.port])]);
  // With a second socket at the port the kernel would send half of them there.
  for (const client of clients) await client.ask('b', proxy.port);
  expect(origin.sources).toHaveLength(8);
  await (await proxy.client()).ask('c', proxy.port);
  expect(origin.sources).toHaveLength(9);
  await proxy.pass(2000);
  expect(proxy.sessions).toBe(1);
});

/** The port is closed: a connected socket is told so. */
async function untilRefused(end: UdpEnd, port: number): Promise<void> {
  await new Promise<void>((resolve) => end.socket.connect(port, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => {
    end.socket.once('error', () => resolve());
    end.socket.send('x');
  });
}
