/** PROXY headers that connections to backends of an http pool begin with. */
import { afterEach, expect, it } from 'vitest';
import { ProxyHeader } from '../../../src/net/proxy-header.ts';
import { buildProxyHeader, parseProxyHeader } from '../../../src/net/proxy-protocol.ts';
import { Engine, makeListener, makePool, RawClient, RawOrigin, type ListenerPatch, type PoolPatch } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';

interface SeenConnection {
  readonly header: ProxyHeader;
  requests: string;
}

const toStop: (() => void)[] = [];
afterEach(() => {
  for (const stop of toStop.splice(0)) stop();
});

/** A backend that reads a header if one comes, and then answers each request; `closesFirst`: it closes the first connection instead. */
async function greeted(pool: PoolPatch, listener: ListenerPatch = {}, closesFirst = false): Promise<{ port: number; seen: SeenConnection[]; engine: Engine; load: (pool: PoolPatch) => Promise<void> }> {
  const seen: SeenConnection[] = [];
  const origin = await RawOrigin.start((socket) => {
    const header = new ProxyHeader();
    const connection: SeenConnection = { header, requests: '' };
    let held = Buffer.alloc(0);
    seen.push(connection);
    if (closesFirst && seen.length === 1) return void socket.once('data', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => {
      held = Buffer.concat([held, bytes]);
      const result = parseProxyHeader(held, 0, held.length, header);
      if (result === 'more') return;
      connection.requests = held.toString('latin1', result === 'ok' ? header.headerBytes : 0);
      if (connection.requests.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    socket.on('end', () => socket.end());
  });
  const port = await freePort();
  const load = (patch: PoolPatch): [ReturnType<typeof makeListener>[], ReturnType<typeof makePool>[]] => [[makeListener(port, listener)], [makePool([origin.port], patch)]];
  const engine = await Engine.start(...load(pool));
  toStop.push(() => engine.stop(), () => origin.stop());
  return { port, seen, engine, load: (patch) => engine.load(...load(patch)) };
}

async function ask(client: RawClient, count: number, fields = ''): Promise<void> {
  client.send(`GET /${count} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  await client.until((text) => text.split('\r\n\r\nok').length === count + 1);
}

async function open(port: number): Promise<RawClient> {
  const client = await RawClient.open(port);
  toStop.push(() => client.close());
  return client;
}

it.each(['v1', 'v2'] as const)('%s: names the client, and serves one request on a connection', async (proxyProtocol) => {
  const { port, seen } = await greeted({ proxyProtocol });
  const client = await open(port);
  await ask(client, 1);
  await ask(client, 2);
  expect(seen.map(({ requests }) => requests.split(' ')[1])).toEqual(['/1', '/2']);
  for (const { header, requests } of seen) {
    expect([header.version, header.sourceAddress, header.sourcePort, header.destinationAddress, header.destinationPort]).toEqual([proxyProtocol === 'v1' ? 1 : 2, '127.0.0.1', client.socket.localPort, '127.0.0.1', port]);
    if (proxyProtocol === 'v1') continue;
    // The request's own id, so that both logs can be laid side by side.
    expect(requests).toContain(`X-Request-ID: ${header.uniqueId!.toString()}\r\n`);
    expect([header.uniqueId!.length, header.isChecked]).toEqual([32, true]);
  }
});

it('names the client that a trusted proxy speaks for, and the ends of a header that came in', async () => {
  const { port, seen } = await greeted({ proxyProtocol: 'v2' }, { trustedProxies: ['127.0.0.0/8'], proxyProtocol: 'accept' });
  await ask(await open(port), 1, 'X-Forwarded-For: 203.0.113.9\r\n');
  expect([seen[0]!.header.sourceAddress, seen[0]!.header.sourcePort]).toEqual(['203.0.113.9', 0]);
  const client = await open(port);
  client.send(buildProxyHeader('v1', { sourceAddress: '2001:db8::7', sourcePort: 4711, destinationAddress: '2001:db8::1', destinationPort: 8443 }));
  await ask(client, 1);
  const { header } = seen[1]!;
  expect([header.sourceAddress, header.sourcePort, header.destinationAddress, header.destinationPort]).toEqual(['2001:db8::7', 4711, '2001:db8::1', 8443]);
});

it('begins the connection of another attempt too', async () => {
  const { port, seen } = await greeted({ proxyProtocol: 'v1' }, {}, true);
  const client = await open(port);
  client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until((text) => text.includes('ok'));
  expect([seen.length, seen[1]!.header.sourceAddress, seen[1]!.requests.split(' ')[1]]).toEqual([2, '127.0.0.1', '/1']);
});

it('is not left out on connections that were at rest when a reload asked for it', async () => {
  const { port, seen, load } = await greeted({});
  const client = await open(port);
  await ask(client, 1);
  expect(seen.map(({ header }) => header.version)).toEqual([0]);
  await load({ proxyProtocol: 'v1' });
  await ask(client, 2);
  expect(seen.map(({ header }) => header.version)).toEqual([0, 1]);
  await load({});
  await ask(client, 3);
  // The one that named a client was closed behind its request.
  expect(seen.find(({ requests }) => requests.includes('GET /3 '))!.header.version).toBe(0);
});
