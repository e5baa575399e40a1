import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { bindExclusively } from '../../src/net/exclusive-bind.ts';
import { bindUdp } from '../../src/net/udp-socket.ts';
import { freePort } from '../support/free-port.ts';

test('a free port is found, held against others, and free again after release', async () => {
  const first = await bindExclusively('127.0.0.1', 0);
  if (first.kind !== 'held') throw new Error(first.text);
  expect(await bindExclusively('127.0.0.1', first.port)).toMatchObject({ kind: 'refused', code: 'EADDRINUSE' });
  await first.release();
  const second = await bindExclusively('127.0.0.1', first.port);
  if (second.kind !== 'held') throw new Error(second.text);
  await second.release();
});

test('one that shares its port (SO_REUSEPORT) is found as well, also from a wildcard', async () => {
  const sharing = createServer().listen({ port: 0, host: '127.0.0.1', reusePort: true });
  await once(sharing, 'listening');
  const { port } = sharing.address() as AddressInfo;
  expect(await bindExclusively('127.0.0.1', port)).toMatchObject({ kind: 'refused', code: 'EADDRINUSE' });
  expect(await bindExclusively(null, port)).toMatchObject({ kind: 'refused', code: 'EADDRINUSE' });
  sharing.close();
});

test('an address of another machine is refused by its code', async () => {
  expect(await bindExclusively('192.0.2.1', 0)).toMatchObject({ kind: 'refused', code: 'EADDRNOTAVAIL' });
});

test('UDP: one at a time, and a port of TCP is none of UDP', async () => {
  const port = await freePort();
  const first = await bindExclusively('127.0.0.1', port, 'udp');
  if (first.kind !== 'held') throw new Error(first.text);
  expect(await bindExclusively('127.0.0.1', first.port, 'udp')).toMatchObject({ kind: 'refused', code: 'EADDRINUSE' });
  expect(await bindExclusively(null, first.port, 'udp')).toMatchObject({ kind: 'refused', code: 'EADDRINUSE' });
  // It was free of TCP a moment ago.
  const overTcp = await bindExclusively('127.0.0.1', first.port);
  expect(overTcp.kind).toBe('held');
  if (overTcp.kind === 'held') await overTcp.release();
  await first.release();
  const everywhere = await bindExclusively(null, first.port, 'udp');
  expect(everywhere).toMatchObject({ kind: 'held', port: first.port });
  if (everywhere.kind === 'held') await everywhere.release();
});

test('UDP: a socket that shares its port is found too', async () => {
  const shared = bindUdp('127.0.0.1', 0, { reusePort: true });
  expect(await bindExclusively('127.0.0.1', shared.address().port, 'udp')).toMatchObject({ kind: 'refused', code: 'EADDRINUSE' });
  shared.close();
});
