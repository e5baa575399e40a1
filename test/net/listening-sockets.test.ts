/** Counted by address and port, whoever's they are. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, expect, test } from 'vitest';
import { listeningSockets } from '../../src/net/listening-sockets.ts';

const open: Server[] = [];
afterEach(() => open.splice(0).forEach((each) => each.close()));

async function listen(host: string | null, port = 0): Promise<number> {
  const each = createServer().listen({ port, ...(host !== null && { host }), reusePort: true });
  open.push(each);
  await once(each, 'listening');
  return (each.address() as AddressInfo).port;
}

const hasIpv6 = Object.values(networkInterfaces()).some((found) => found?.some(({ address }) => address === '::1'));
const hosts = ['127.0.0.1', '0.0.0.0', null, ...(hasIpv6 ? ['::1'] : [])];

test.runIf(process.platform === 'linux').each(hosts)('at %s', async (host) => {
  const port = await listen(host);
  expect(await listeningSockets(host, port)).toBe(1);
  await listen(host, port);
  expect(await listeningSockets(host, port)).toBe(2);
  expect(await listeningSockets('127.0.0.9', port)).toBe(0);
});
