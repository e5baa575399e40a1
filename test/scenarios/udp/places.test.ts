/** limits.connections over all workers: who goes when it is full, and that forged senders push nobody out. */
import { expect, test } from 'vitest';
import { listenerColumns, REFUSALS } from '../../../src/shared/counter-pages.ts';
import type { UdpBackend, UdpEnd, UdpRig } from '../../support/udp-rig.ts';
import { backend, rig } from '../../support/udp-scenario.ts';

/** Answers all but datagrams that begin with "quiet". */
async function setUp(connections: number): Promise<{ origin: UdpBackend; proxy: UdpRig; clients: (count: number) => Promise<UdpEnd[]> }> {
  const origin = await backend();
  origin.answer = ({ bytes, from }, it) => (bytes.toString().startsWith('quiet') ? undefined : it.reply(from, bytes));
  const proxy = await rig([origin.port], { limits: { connections } });
  return { origin, proxy, clients: (count) => Promise.all(Array.from({ length: count }, () => proxy.client())) };
}

test('who was never answered goes first, the one longest unused', async () => {
  const { origin, proxy, clients } = await setUp(3);
  const [answered, older, newer, last] = (await clients(4)) as [UdpEnd, UdpEnd, UdpEnd, UdpEnd];
  await answered.ask('a', proxy.port);
  await older.send('quiet', proxy.port);
  await newer.send('quiet', proxy.port);
  await origin.next().then(() => origin.next()).then(() => origin.next());
  expect(await last.ask('b', proxy.port)).toBe('b');
  expect(proxy.sessions).toBe(3);
  expect(origin.sources).toHaveLength(4);
  // The answered one and the newer one are still who they were; the older one comes anew.
  await answered.ask('c', proxy.port);
  await newer.ask('d', proxy.port);
  expect(origin.sources).toHaveLength(4);
  await older.ask('e', proxy.port);
  expect(origin.sources).toHaveLength(5);
});

test('0 is no limit', async () => {
  const { proxy, clients } = await setUp(0);
  for (const client of await clients(5)) await client.ask('a', proxy.port);
  expect(proxy.sessions).toBe(5);
});

test('among answered ones the one longest unused goes', async () => {
  const { origin, proxy, clients } = await setUp(2);
  const [one, two, three] = (await clients(3)) as [UdpEnd, UdpEnd, UdpEnd];
  await one.ask('1', proxy.port);
  await two.ask('2', proxy.port);
  await proxy.pass(100);
  await one.ask('1', proxy.port);
  expect(await three.ask('3', proxy.port)).toBe('3');
  await one.ask('1', proxy.port);
  expect(origin.sources).toHaveLength(3);
  await two.ask('2', proxy.port);
  expect(origin.sources).toHaveLength(4);
});

test('a flood that nobody answers pushes out one answered session at most', async () => {
  const { origin, proxy, clients } = await setUp(20);
  const answered = await clients(20);
  for (const client of answered) await client.ask('a', proxy.port);
  const flood = await clients(60);
  for (let round = 0; round < 4; round++) for (const each of flood) await each.send('quiet', proxy.port);
  await proxy.until(() => proxy.count('datagramsIn') === 20 + 240);
  expect(proxy.sessions).toBe(20);
  const before = new Set(answered.map((_, i) => origin.heard[i]!.from.port));
  let kept = 0;
  for (const client of answered.toReversed()) {
    await client.ask('b', proxy.port);
    if (before.has(origin.heard.at(-1)!.from.port)) kept++;
  }
  expect(kept).toBeGreaterThanOrEqual(19);
});

test('other workers hold the places: a newcomer waits for one of theirs, and is refused if none comes', async () => {
  const { proxy, clients } = await setUp(2);
  const row = proxy.engine.context.table.listener(0);
  row.addConnections(2);
  const [waiting, refused] = (await clients(2)) as [UdpEnd, UdpEnd];
  await waiting.send('a', proxy.port);
  await proxy.until(() => row.placesWantedHint > 0);
  expect(proxy.sessions).toBe(0);
  // Another worker lets an unanswered session of its own go.
  row.addConnections(-1);
  const heard = waiting.next();
  await proxy.pass(100);
  expect((await heard).bytes.toString()).toBe('a');
  // From now on there is one place of ours: after its wait the next newcomer takes it.
  await refused.send('b', proxy.port);
  await proxy.until(() => row.placesWantedHint > 1);
  const taken = refused.next();
  await proxy.pass(500);
  expect((await taken).bytes.toString()).toBe('b');
  expect(proxy.dropped('limit')).toBe(0);
  proxy.engine.plane.cut();
  row.addConnections(1);
  await waiting.send('c', proxy.port);
  await proxy.until(() => proxy.count('datagramsIn') === 3);
  await proxy.pass(500);
  expect(proxy.dropped('limit')).toBe(1);
  const { cells, base } = proxy.engine.context.counters.listeners.at(0);
  expect(cells[base + listenerColumns.refused + REFUSALS.indexOf('limit')]).toBe(1);
  row.addConnections(-2);
});

test('a place that another worker wants is given by an unanswered session alone', async () => {
  const { origin, proxy, clients } = await setUp(3);
  const [answered, quiet] = (await clients(2)) as [UdpEnd, UdpEnd];
  await answered.ask('a', proxy.port);
  await quiet.send('quiet', proxy.port);
  await proxy.until(() => origin.heard.length === 2);
  const row = proxy.engine.context.table.listener(0);
  row.wantPlace();
  row.wantPlace();
  await proxy.pass(100);
  expect(proxy.sessions).toBe(1);
  expect(row.connections).toBe(1);
  await answered.ask('b', proxy.port);
  expect(origin.sources).toHaveLength(2);
});
