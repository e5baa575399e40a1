/** What a client sends or leaves unread without end stops at a bound, by backpressure or by refusal; another client is served meanwhile. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listenerColumns } from '../../../src/shared/counter-pages.ts';
import { Engine, makeListener, makePool, RawClient, type ListenerPatch } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { anyMatch } from '../../support/route-fixtures.ts';

const OTHER = 'GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

interface Front {
  readonly engine: Engine;
  readonly client: () => Promise<RawClient>;
  /** One request of somebody else, answered whole. */
  readonly serveOther: () => Promise<void>;
  /** Requests and bodies as the origin read them. */
  readonly seen: { path: string; body: string; trailers: NodeJS.Dict<string>; isWhole: boolean }[];
}

/** An engine before a real HTTP server that answers each path with 64 KiB, /other with two bytes. */
async function front(listener: ListenerPatch = {}): Promise<Front> {
  const seen: Front['seen'] = [];
  const origin = createServer({ maxHeaderSize: 1 << 20 }, (request: IncomingMessage, response) => {
    const entry = { path: request.url!, body: '', trailers: {} as NodeJS.Dict<string>, isWhole: false };
    if (request.url !== '/other') seen.push(entry);
    request.setEncoding('latin1').on('data', (text: string) => (entry.body += text));
    request.on('error', () => undefined);
    request.on('end', () => {
      entry.isWhole = true;
      entry.trailers = request.trailers;
      response.end(request.url === '/other' ? 'ok' : `${request.url} `.padEnd(65_536, '.'));
    });
  });
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const port = await freePort();
  const engine = await Engine.start([makeListener(port, listener)], [makePool([(origin.address() as AddressInfo).port])]);
  onTestFinished(() => {
    engine.stop();
    engine.plane.cut();
    origin.closeAllConnections();
    origin.close();
  });
  const client = (): Promise<RawClient> => RawClient.open(port);
  const serveOther = async (): Promise<void> => {
    const other = await client();
    other.send(OTHER);
    expect(await other.untilEnd()).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nok$/);
    other.close();
  };
  return { engine, client, serveOther, seen };
}

/** Serves somebody else until `count` has not changed for fifty of those exchanges: they are the measure of time. */
async function untilStalled({ serveOther }: Front, count: () => number, most: number): Promise<number> {
  let unchanged = 0;
  while (unchanged < 50) {
    const before = count();
    await serveOther();
    unchanged = count() === before ? unchanged + 1 : 0;
    expect(count()).toBeLessThan(most);
  }
  return count();
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const bodyOf = (text: string): string => text.slice(text.indexOf('\r\n\r\n') + 4);

describe('pipelined requests whose answers are not read', () => {
  it('stop reaching the origin, and all are answered in order once the client reads', async () => {
    const f = await front();
    const client = await f.client();
    client.socket.pause();
    const count = 600;
    client.send(Array.from({ length: count }, (_, i) => get(`/${i}`)).join(''));
    const reached = await untilStalled(f, () => f.seen.length, count);
    expect(reached).toBeGreaterThan(0);
    let tail = '';
    const paths: string[] = [];
    client.socket.on('data', (bytes: Buffer) => {
      tail += bytes.toString('latin1');
      let parsedTo = tail.length - 16;
      for (const match of tail.matchAll(/\r\n\r\n\/(\d+) /g)) {
        paths.push(match[1]!);
        parsedTo = Math.max(parsedTo, match.index + match[0].length);
      }
      tail = tail.slice(Math.max(0, parsedTo));
      client.received = '';
    });
    client.socket.resume();
    while (paths.length < count) await once(client.socket, 'data');
    expect(paths).toEqual(Array.from({ length: count }, (_, i) => String(i)));
    client.close();
  });

  it('of an own reply, too: the client is not read on', async () => {
    const f = await front({ routes: [{ match: { ...anyMatch, path: [{ kind: 'exact', value: '/own' }] }, action: { kind: 'respond', status: 200, body: 'x'.repeat(4096), contentType: 'text/plain' } }, {}] });
    const client = await f.client();
    client.socket.pause();
    const count = 100_000;
    client.send(get('/own').repeat(count));
    const { cells, base } = f.engine.context.counters.listeners.at(0);
    // In MiB: what the others are answered meanwhile is far less.
    await untilStalled(f, () => cells[base + listenerColumns.bytesOut]! >> 20, (count * 4096) >> 20);
    client.close();
  });
});

describe('answers that are not read', () => {
  it('hold back their origin, each by itself', async () => {
    const f = await front();
    const clients = await Promise.all(Array.from({ length: 20 }, () => f.client()));
    for (const client of clients) {
      client.socket.pause();
      client.send(Array.from({ length: 500 }, (_, i) => get(`/${i}`)).join(''));
    }
    await untilStalled(f, () => f.seen.length, 20 * 500);
    for (const client of clients) client.socket.resetAndDestroy();
    while (f.engine.plane.openConnections > 0) await f.serveOther();
  });
});

describe('heads', () => {
  const limits = { headerBytesMax: 4096 };
  /** A head of exactly `bytes` bytes. */
  const headOf = (bytes: number): string => {
    const [before, after] = ['GET /head HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: ', '\r\n\r\n'];
    return before + 'x'.repeat(bytes - before.length - after.length) + after;
  };

  it.each([1, 7, 1000, 5000])('that grow to headerSize by %i bytes at a time are taken, one byte more is 431', async (step) => {
    const f = await front({ limits });
    for (const [bytes, status] of [[4096, '200'], [4097, '431']] as const) {
      const client = await f.client();
      client.socket.setNoDelay(true);
      const head = headOf(bytes);
      for (let at = 0; at < head.length; at += step) {
        client.send(head.slice(at, at + step));
        if (at % (step * 16) === 0) await f.serveOther();
      }
      expect(await client.untilEnd()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      client.close();
    }
    expect(f.seen).toHaveLength(1);
  });

  it('that never end are 431 as soon as they are too large, with the rest unsent', async () => {
    const f = await front({ limits });
    const client = await f.client();
    client.send(headOf(4096).slice(0, -4));
    await f.serveOther();
    client.send('xxxxx');
    expect(await client.untilEnd()).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('of two hundred clients, a byte at a time, hold nobody up', async () => {
    const f = await front();
    const clients = await Promise.all(Array.from({ length: 200 }, () => f.client()));
    for (const byte of OTHER) {
      for (const client of clients) client.send(byte);
      await f.serveOther();
    }
    for (const client of clients) expect(bodyOf(await client.untilEnd())).toBe('ok');
  });
});

describe('chunked bodies', () => {
  const head = 'POST /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
  const text = Array.from({ length: 50_000 }, (_, i) => String.fromCharCode(97 + (i % 26))).join('');

  it.each([
    ['chunks of one byte', [...text].map((byte) => `1\r\n${byte}\r\n`).join('')],
    ['chunks of one byte, each with an extension', [...text].map((byte) => `1;a="b;c"\r\n${byte}\r\n`).join('')],
    ['chunks of one byte, each with leading zeros', [...text].map((byte) => `0000000000001\r\n${byte}\r\n`).join('')],
  ])('%s arrive as they were', async (_name, chunks) => {
    const f = await front();
    const client = await f.client();
    client.send(`${head}${chunks}0\r\n\r\n`);
    await f.serveOther();
    expect(await client.untilEnd()).toMatch(/^HTTP\/1\.1 200 /);
    expect(f.seen[0]!.body).toBe(text);
  });

  it('of one byte each are held to bodySize by their octets', async () => {
    const f = await front({ limits: { bodyBytesMax: 1000 } });
    const client = await f.client();
    client.send(`${head}${'1\r\nx\r\n'.repeat(1000)}`);
    await f.serveOther();
    client.send('1\r\nx\r\n');
    expect(await client.untilEnd()).toMatch(/^HTTP\/1\.1 413 /);
    expect(f.seen.filter(({ isWhole }) => isWhole)).toHaveLength(0);
  });

  it.each([
    ['an extension without end', `1;${'a'.repeat(100_000)}`],
    ['extensions far beyond their data', `1;${'a'.repeat(1000)}\r\nx\r\n`.repeat(100)],
    ['a size without end', '0'.repeat(100_000)],
    ['a trailer section over headerSize', `1\r\nx\r\n0\r\n${'X: y\r\n'.repeat(10_000)}`],
    ['a trailer without end', `1\r\nx\r\n0\r\nX: ${'y'.repeat(100_000)}`],
  ])('with %s are 400, and the origin never gets them whole', async (_name, chunks) => {
    const f = await front();
    const client = await f.client();
    client.socket.on('error', () => undefined);
    client.send(head + chunks);
    await f.serveOther();
    expect(await client.untilEnd()).toMatch(/^HTTP\/1\.1 400 /);
    expect(f.seen.filter(({ isWhole }) => isWhole)).toHaveLength(0);
  });

  it('with trailers up to headerSize are taken', async () => {
    const f = await front();
    const client = await f.client();
    const trailers = Array.from({ length: 1000 }, (_, i) => `X-${i}: ${i}\r\n`).join('');
    client.send(`${head}1\r\nx\r\n0\r\n${trailers}\r\n`);
    expect(await client.untilEnd()).toMatch(/^HTTP\/1\.1 200 /);
    expect(Object.keys(f.seen[0]!.trailers)).toHaveLength(1000);
  });
});
