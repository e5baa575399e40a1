/** TLS passed through by what its ClientHello asks for: whose backend gets it, byte for byte, and what is closed. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type ConnectionOptions, type Server } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listenerColumns, REFUSALS } from '../../../src/shared/counter-pages.ts';
import type { HostPattern, MatchSpec } from '../../../src/shared/snapshot.ts';
import { alpnExtension, helloMessage, inRecords, messageOf, recordedHellos, serverNameExtension } from '../../support/client-hellos.ts';
import { Engine, makeListener, makePool, makeRoute, RawClient, RawOrigin, type ListenerPatch } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { makeTlsFiles } from '../../support/tls-files.ts';

const hellos = new Map(recordedHellos.map(({ name, bytes }) => [name, bytes]));
const toStop: (() => void)[] = [];
/** Each answers with its own name, after all it has received. */
const origins = new Map<string, RawOrigin>();
let port = 0;
let engine: Engine;

const exact = (value: string): HostPattern => ({ kind: 'exact', value });
const below = (value: string): HostPattern => ({ kind: 'suffix', value });
const to = (name: string, match: Partial<MatchSpec>): ReturnType<typeof makeRoute> => makeRoute({ name, match: { ...makeRoute().match, ...match }, action: { kind: 'pool', pool: name } });

const routes = [
  to('inside', { source: ['10.0.0.0/8'] }),
  to('mail', { sni: [exact('mail.example.com')], alpn: ['smtp'] }),
  to('a', { sni: [exact('a.example.com')] }),
  to('wild', { sni: [below('example.com')] }),
  to('dns', { alpn: ['dot'] }),
  to('rest', {}),
];

function count(column: number): number {
  const { cells, base } = engine.context.counters.listeners.at(0);
  return cells[base + column]!;
}

const refused = (): number => count(listenerColumns.refused + REFUSALS.indexOf('client-hello'));

async function load(patch: ListenerPatch = {}): Promise<void> {
  const listener = makeListener(port, { protocol: 'tcp', routes, ...patch });
  const pools = routes.map(({ name }) => makePool([origins.get(name)!.port], { name }));
  if (engine === undefined) engine = await Engine.start([listener], pools);
  else await engine.load([listener], pools);
}

/** A listener by itself; returns its port. */
async function another(itsRoutes: ReturnType<typeof makeRoute>[], pools: ReturnType<typeof makePool>[]): Promise<number> {
  const itsPort = await freePort();
  const its = await Engine.start([makeListener(itsPort, { protocol: 'tcp', routes: itsRoutes })], pools);
  toStop.push(() => its.plane.cut(), () => its.stop());
  return itsPort;
}

beforeAll(async () => {
  for (const { name } of routes) {
    const origin = await RawOrigin.start((socket) => {
      socket.on('data', (bytes: Buffer) => socket.write(Buffer.concat([bytes, Buffer.from(`[${name}]`)])));
      socket.on('end', () => socket.end());
    });
    origins.set(name, origin);
    toStop.push(() => origin.stop());
  }
  port = await freePort();
  await load();
  toStop.push(() => engine.plane.cut(), () => engine.stop());
});
afterAll(() => {
  for (const stop of toStop) stop();
});

/** Sends `bytes` and a FIN; resolves with whose backend got exactly those. */
async function whoGets(bytes: Buffer): Promise<string> {
  const client = await RawClient.open(port);
  client.send(bytes);
  client.socket.end();
  const received = await client.untilEnd();
  client.close();
  const name = /\[(\w+)\]$/.exec(received)?.[1] ?? '';
  expect(received.replaceAll(`[${name}]`, '')).toBe(name === '' ? '' : bytes.toString('latin1'));
  return name;
}

describe('a hello', () => {
  it.each([
    ['a.example.com', 'a'],
    ['A.EXAMPLE.com.', 'a'],
    ['b.example.com', 'wild'],
    ['c.b.example.com', 'wild'],
    ['example.com', 'rest'],
    ['mail.example.com', 'wild'],
    ['a.example.com.evil', 'rest'],
    ['a..example.com', 'rest'],
  ])('for %s goes to %s', async (name, expected) => {
    expect(await whoGets(inRecords(helloMessage([serverNameExtension(name)])))).toBe(expected);
  });

  it('is routed by its protocols too', async () => {
    expect(await whoGets(inRecords(helloMessage([serverNameExtension('mail.example.com'), alpnExtension('h2', 'smtp')])))).toBe('mail');
    expect(await whoGets(inRecords(helloMessage([alpnExtension('dot')])))).toBe('dns');
    expect(await whoGets(inRecords(helloMessage(null)))).toBe('rest');
  });

  it.each(recordedHellos)('of $name arrives as it was sent, whole and in records of 100 bytes', async ({ name, bytes }) => {
    const expected = name.endsWith('no-name') ? 'rest' : 'a';
    expect(await whoGets(bytes)).toBe(expected);
    expect(await whoGets(inRecords(messageOf(bytes), [100]))).toBe(expected);
  });

  it('may come byte by byte, with more behind it', async () => {
    const client = await RawClient.open(port);
    client.socket.setNoDelay(true);
    const hello = inRecords(messageOf(hellos.get('openssl-3.0')!), [7]);
    for (const byte of hello) {
      client.send(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.until((text) => text.includes('[a]'));
    client.send('more');
    await client.until((text) => text.endsWith('more[a]'));
    expect(client.received.replaceAll('[a]', '')).toBe(`${hello.toString('latin1')}more`);
    client.close();
  });
});

describe('what is no hello', () => {
  it.each([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n')],
    ['an SSLv2 hello', Buffer.from([0x80, 0x2e, 0x01, 0x03, 0x01])],
    ['a broken one', inRecords(helloMessage([serverNameExtension('a.example.com'), serverNameExtension('a.example.com')]))],
    ['one of megabytes', inRecords(Buffer.from([1, 0xff, 0xff, 0xff]))],
    ['one that ends early', hellos.get('openssl-3.0')!.subarray(0, 100)],
  ])('%s is closed, and counted', async (_, bytes) => {
    const before = refused();
    expect(await whoGets(bytes)).toBe('');
    expect(refused()).toBe(before + 1);
  });

  it('a connection that ends before a byte is none, and not counted', async () => {
    const before = refused();
    expect(await whoGets(Buffer.alloc(0))).toBe('');
    expect(refused()).toBe(before);
  });

  it('a slow one is closed in time, and silence too', async () => {
    await load({ timeouts: { headerMs: 200 } });
    const before = refused();
    const [slow, silent] = await Promise.all([RawClient.open(port), RawClient.open(port)]);
    slow.send(hellos.get('openssl-3.0')!.subarray(0, 50));
    await Promise.all([slow.untilEnd(), silent.untilEnd()]);
    expect([slow.received, silent.received, refused()]).toEqual(['', '', before + 1]);
    for (const client of [slow, silent]) client.close();
    await load();
  });

  it('many at once leave nothing open', async () => {
    const before = refused();
    const garbage = Array.from({ length: 200 }, (_, i) => Buffer.from([22, 3, 1, 0, 5, 2, i & 255, 0, 0, 0]));
    await Promise.all(garbage.map(async (bytes) => expect(await whoGets(bytes)).toBe('')));
    expect([refused(), count(listenerColumns.connections)]).toEqual([before + 200, 0]);
  });
});

describe('no hello is waited for', () => {
  it('if a route before those that ask for one takes the connection', async () => {
    await load({ routes: [to('inside', { source: ['127.0.0.0/8'] }), ...routes.slice(1)] });
    expect(await whoGets(Buffer.from('EHLO x\r\n'))).toBe('inside');
    // And it goes through though it is one.
    expect(await whoGets(hellos.get('curl-7.88')!)).toBe('inside');
    await load();
  });

  it('if no route asks for one: a server may speak first', async () => {
    const greeting = await RawOrigin.start((socket) => void socket.write('220 ready\r\n'));
    toStop.push(() => greeting.stop());
    const other = await another([makeRoute()], [makePool([greeting.port])]);
    const client = await RawClient.open(other);
    expect(await client.until((text) => text.length > 0)).toBe('220 ready\r\n');
    client.close();
  });
});

describe('TLS itself', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-tls-'));
  const servers: Server[] = [];
  afterAll(() => {
    for (const server of servers) server.close();
    rmSync(folder, { recursive: true });
  });

  /** A server whose certificate is its own, and that says its name. */
  async function tlsServer(name: string): Promise<number> {
    const files = makeTlsFiles(folder);
    const server = createServer({ cert: readFileSync(files.cert), key: readFileSync(files.key), ALPNProtocols: ['h2', 'http/1.1'] }, (socket) => socket.end(name));
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  it('is between the client and the backend of its name, certificate and all', async () => {
    const [a, wild] = [await tlsServer('a'), await tlsServer('wild')];
    const other = await another([to('a', { sni: [exact('a.example.com')] }), to('wild', { sni: [below('example.com')] })], [makePool([a], { name: 'a' }), makePool([wild], { name: 'wild' })]);
    const ask = async (servername: string, more: ConnectionOptions = {}): Promise<[string, string, string | false | null]> => {
      const socket = connect({ host: '127.0.0.1', port: other, servername, rejectUnauthorized: false, ALPNProtocols: ['h2'], ...more });
      let text = '';
      socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
      await once(socket, 'secureConnect');
      const { fingerprint256 } = socket.getPeerCertificate();
      const protocol = socket.alpnProtocol;
      await once(socket, 'end');
      socket.destroy();
      return [text, fingerprint256, protocol];
    };
    const [first, second, third] = [await ask('a.example.com'), await ask('x.example.com'), await ask('a.example.com', { maxVersion: 'TLSv1.2' })];
    expect([first[0], second[0], third[0]]).toEqual(['a', 'wild', 'a']);
    expect(first[1]).not.toBe(second[1]);
    expect(third[1]).toBe(first[1]);
    expect(first[2]).toBe('h2');
  });
});
