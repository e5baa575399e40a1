/** What the kernel drops at a full receive buffer is told by address, and outlives the socket. */
import type { Socket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { UdpLosses } from '../../src/net/udp-losses.ts';
import { bindUdp } from '../../src/net/udp-socket.ts';

const isTold = existsSync('/proc/net/udp');
if (!isTold) console.log('not run: this system does not tell what it drops');

const open: Socket[] = [];
afterEach(() => open.splice(0).forEach((socket) => socket.close()));

function bound(host = '127.0.0.1', port = 0): Socket {
  const socket = bindUdp(host, port, { reusePort: true });
  open.push(socket);
  return socket;
}

/** Sends more in one turn than any buffer holds, while nobody reads. */
function flood(port: number, host = '127.0.0.1'): void {
  const sender = bound();
  for (let i = 0; i < 2000; i++) sender.send(Buffer.alloc(1000), port, host);
}

test.skipIf(!isTold)('counts grow with what is dropped, are each address\'s own, and stay when the socket is closed', async () => {
  const socket = bound();
  const { port } = socket.address();
  const other = bound('127.0.0.2', port);
  const losses = new UdpLosses();
  const read = async (): Promise<readonly number[]> => (await losses.read([[{ host: '127.0.0.1', port }], [{ host: '127.0.0.2', port }], [{ host: '0.0.0.0', port }]]))!;
  expect(await read()).toEqual([0, 0, 0]);
  flood(port);
  const [first, ofOther, ofAll] = (await read()) as [number, number, number];
  expect(first).toBeGreaterThan(100);
  // Named by the two above, which the wildcard leaves to them.
  expect([ofOther, ofAll]).toEqual([0, 0]);
  flood(port, '127.0.0.2');
  const second = await read();
  expect(second[0]).toBe(first);
  expect(second[1]).toBeGreaterThan(100);
  for (const each of [socket, other]) each.close();
  open.splice(0, 2);
  expect(await read()).toEqual(second);
  // At the wildcard's, once nobody names it.
  expect(await losses.read([[{ host: '0.0.0.0', port }]])).toEqual([second[0]! + second[1]!]);
  expect(await losses.read([[{ host: null, port }]])).toEqual([second[0]! + second[1]!]);
  expect(await losses.read([[{ host: '::', port }]])).toEqual([0]);
});

test.skipIf(!isTold)('a port that nobody asks for any more is forgotten; two looks at once count once', async () => {
  const { port } = bound().address();
  const losses = new UdpLosses();
  const binds = [[{ host: '127.0.0.1', port }]];
  await losses.read(binds);
  flood(port);
  const [one, two] = await Promise.all([losses.read(binds), losses.read(binds)]);
  expect(one![0]).toBeGreaterThan(100);
  expect(two).toEqual(one);
  await losses.read([]);
  expect((await losses.read(binds))![0]).toBe(one![0]);
});
