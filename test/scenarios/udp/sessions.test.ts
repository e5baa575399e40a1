/** A client's datagrams go to one backend, whose answers come back from where the client asked. */
import { expect, test } from 'vitest';
import { backend, rig } from '../../support/udp-scenario.ts';

test('a datagram is answered, from the address it was sent to', async () => {
  const origin = await backend();
  const proxy = await rig([origin.port]);
  const client = await proxy.client();
  expect(await client.ask('hello', proxy.port)).toBe('echo:hello');
  expect(client.heard[0]!.from).toMatchObject({ address: '127.0.0.1', port: proxy.port });
  expect([proxy.count('datagramsIn'), proxy.count('datagramsOut'), proxy.count('bytesIn'), proxy.count('bytesOut')]).toEqual([1, 1, 5, 10]);
});

test('each client has a session of its own, and keeps it', async () => {
  const origin = await backend();
  const proxy = await rig([origin.port]);
  const [one, two] = [await proxy.client(), await proxy.client()];
  expect(await one.ask('1', proxy.port)).toBe('echo:1');
  expect(await two.ask('2', proxy.port)).toBe('echo:2');
  expect(await one.ask('3', proxy.port)).toBe('echo:3');
  expect(proxy.sessions).toBe(2);
  expect(origin.sources).toHaveLength(2);
  expect(origin.heard[2]!.from.port).toBe(origin.heard[0]!.from.port);
  expect(proxy.engine.context.table.backend(0)).toMatchObject({ connections: 2, inFlight: 2 });
});

test('empty datagrams and the largest ones pass whole, both ways', async () => {
  const origin = await backend();
  origin.answer = ({ bytes, from }, it) => it.reply(from, bytes);
  const proxy = await rig([origin.port]);
  const client = await proxy.client();
  expect(await client.ask('', proxy.port)).toBe('');
  const largest = Buffer.alloc(65_507, 'x');
  largest.write('end', 65_504);
  const heard = client.next();
  await client.send(largest, proxy.port);
  expect((await heard).bytes.equals(largest)).toBe(true);
});
