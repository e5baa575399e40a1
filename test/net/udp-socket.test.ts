import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { listeningSockets } from '../../src/net/listening-sockets.ts';
import { ownAddresses } from '../../src/net/own-addresses.ts';
import { bindUdp, connectUdp } from '../../src/net/udp-socket.ts';
import { freePort } from '../support/free-port.ts';

test('a bound socket has its port at once, and a taken one is told at once', () => {
  const socket = bindUdp('127.0.0.1', 0, { reusePort: false });
  const { port } = socket.address();
  expect(port).toBeGreaterThan(0);
  expect(() => bindUdp('127.0.0.1', port, { reusePort: false })).toThrow('EADDRINUSE');
  expect(() => bindUdp('192.0.2.1', 0, { reusePort: false })).toThrow('EADDRNOTAVAIL');
  socket.close();
});

test('a connected socket sends at once, hears its peer alone, and hears of its end', async () => {
  const peer = bindUdp('127.0.0.1', 0, { reusePort: false });
  const heard: string[] = [];
  const failed = Promise.withResolvers<NodeJS.ErrnoException>();
  const socket = connectUdp('127.0.0.1', peer.address().port, (bytes) => heard.push(bytes.toString()), (error) => failed.resolve(error));
  const other = bindUdp('127.0.0.1', 0, { reusePort: false });
  other.send('not you', socket.address().port, '127.0.0.1');
  socket.send('hello');
  const [bytes, from] = (await once(peer, 'message')) as [Buffer, { port: number }];
  expect(bytes.toString()).toBe('hello');
  peer.send('welcome', from.port, '127.0.0.1');
  await once(socket, 'message');
  expect(heard).toEqual(['welcome']);
  peer.close();
  socket.send('anybody?');
  expect((await failed.promise).code).toBe('ECONNREFUSED');
  for (const each of [socket, other]) each.close();
});

test('sockets that share a UDP port are counted', async () => {
  // No listener of TCP has its number.
  const one = bindUdp('127.0.0.1', await freePort(), { reusePort: true });
  const { port } = one.address();
  const two = bindUdp('127.0.0.1', port, { reusePort: true });
  // Null: this system does not say.
  expect([null, 2]).toContain(await listeningSockets('127.0.0.1', port, 'udp'));
  expect([null, 0]).toContain(await listeningSockets('127.0.0.1', port, 'tcp'));
  for (const each of [one, two]) each.close();
});

test('own addresses are told by family, link-local ones with their zone', () => {
  const interfaces = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  expect(ownAddresses(['IPv4'])).toEqual([...new Set(interfaces.filter(({ family }) => family === 'IPv4').map(({ address }) => address))]);
  for (const address of ownAddresses(['IPv6'])) expect(address).toMatch(/^fe80.*%.+$|^(?!fe80)[^%]+$/);
});
