/** An answer leaves from the address that was asked, and nothing is sent that a backend did not answer. */
import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import type { UdpBackend, UdpRig } from '../../support/udp-rig.ts';
import { backend, rig } from '../../support/udp-scenario.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((found) => found?.some(({ address }) => address === '::1'));

async function wildcard(addresses: string[], host: string | null = null): Promise<{ origin: UdpBackend; proxy: UdpRig }> {
  const origin = await backend();
  const ownAddresses = (families: readonly string[]): readonly string[] => addresses.filter((each) => families.includes(each.includes(':') ? 'IPv6' : 'IPv4'));
  const proxy = await rig([origin.port], {}, {}, host, { ownAddresses });
  return { origin, proxy };
}

test.each(['127.0.0.1', '127.0.0.2', ...(hasIpv6 ? ['::1'] : [])])('of a wildcard, the answer comes from %s', async (address) => {
  const { proxy } = await wildcard(['127.0.0.1', '127.0.0.2', ...(hasIpv6 ? ['::1'] : [])]);
  const client = await proxy.client(address.includes(':') ? '::1' : '127.0.0.1');
  expect(await client.ask('a', proxy.port, address)).toBe('echo:a');
  expect(client.heard[0]!.from).toMatchObject({ address, port: proxy.port });
});

test('one client at two of our addresses has two sessions', async () => {
  const { origin, proxy } = await wildcard(['127.0.0.1', '127.0.0.2'], '0.0.0.0');
  const client = await proxy.client();
  await client.ask('a', proxy.port, '127.0.0.1');
  await client.ask('b', proxy.port, '127.0.0.2');
  expect(origin.sources).toHaveLength(2);
  expect(client.heard.map(({ from }) => from.address)).toEqual(['127.0.0.1', '127.0.0.2']);
});

test('addresses that come and go are followed', async () => {
  const addresses = ['127.0.0.1'];
  const { proxy } = await wildcard(addresses, '0.0.0.0');
  const client = await proxy.client();
  // Nobody can tell which address this came to, so no answer could be right.
  await client.send('early', proxy.port, '127.0.0.3');
  await proxy.until(() => proxy.dropped('unlisted-address') === 1);
  addresses.push('127.0.0.3');
  await proxy.pass(1200);
  expect(await client.ask('a', proxy.port, '127.0.0.3')).toBe('echo:a');
  await client.ask('b', proxy.port);
  expect(proxy.sessions).toBe(2);
  addresses.pop();
  await proxy.pass(2100);
  expect(proxy.sessions).toBe(1);
  await client.send('late', proxy.port, '127.0.0.3');
  await proxy.until(() => proxy.dropped('unlisted-address') === 2);
  expect(await client.ask('c', proxy.port)).toBe('echo:c');
});

test('a datagram to an address not known yet has it looked for at once', async () => {
  const addresses = ['127.0.0.1'];
  const { proxy } = await wildcard(addresses, '0.0.0.0');
  const client = await proxy.client();
  for (let last = 3; last <= 5; last++) {
    const address = `127.0.0.${last}`;
    // A look that finds nothing is not repeated at once, lest a flood to such addresses have us look all the time.
    await proxy.pass(1100);
    addresses.push(address);
    const before = proxy.dropped('unlisted-address');
    await client.send('early', proxy.port, address);
    await proxy.until(() => proxy.dropped('unlisted-address') > before);
    await proxy.pass(200);
    expect(await client.ask('a', proxy.port, address)).toBe('echo:a');
  }
});

test('only the backend of a session is heard, and only clients that asked are spoken to', async () => {
  const { origin, proxy } = await wildcard(['127.0.0.1'], '0.0.0.0');
  const client = await proxy.client();
  const stranger = await proxy.client();
  await client.ask('a', proxy.port);
  const session = origin.heard[0]!.from;
  // To the session's own port from somebody else: the kernel does not even hand it over.
  await stranger.send('forged', session.port);
  await stranger.send('forged', session.port);
  expect(await client.ask('b', proxy.port)).toBe('echo:b');
  expect(client.heard).toHaveLength(2);
  // A client whose datagrams nobody answers gets nothing, of any size.
  origin.answer = () => {};
  const quiet = await proxy.client();
  await quiet.send(Buffer.alloc(1000), proxy.port);
  await proxy.until(() => origin.heard.length === 3);
  await proxy.pass(40_000);
  expect(quiet.heard).toHaveLength(0);
  expect(proxy.count('datagramsOut')).toBe(2);
});

test('an IPv6 client meets an IPv4 backend', async (context) => {
  if (!hasIpv6) context.skip('this machine has no IPv6');
  const { proxy } = await wildcard([], '::1');
  const client = await proxy.client('::1');
  expect(await client.ask('a', proxy.port, '::1')).toBe('echo:a');
});
