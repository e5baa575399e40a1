/** Bytes that one side has not taken yet, while the buffers they came in go round: everybody gets their own. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { listenerColumns } from '../../../src/shared/counter-pages.ts';
import { scenario, type Scenario } from '../../support/engine-scenario.ts';
import { Engine, makeListener, makePool, RawOrigin } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';

const toClose: (() => void)[] = [];
afterEach(() => {
  for (const close of toClose.splice(0)) close();
});

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  toClose.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Reads to the end; the body alone. */
async function bodyOf(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  const all = Buffer.concat(parts);
  return all.subarray(all.indexOf('\r\n\r\n') + 4);
}

/** Resolves once `value` has stood still for some turns of the loop. */
async function settled(value: () => number): Promise<number> {
  let former = -1;
  for (let still = 0; still < 50; ) {
    await new Promise((resolve) => setImmediate(resolve));
    still = value() === former ? still + 1 : 0;
    former = value();
  }
  return former;
}

function bytesOut({ engine }: Scenario): number {
  const { cells, base } = engine.context.counters.listeners.at(0);
  return cells[base + listenerColumns.bytesOut]!;
}

it('an answer that its client has not taken is not overwritten by what others get meanwhile', async () => {
  const s = await scenario((request) => {
    const size = Number(request.path.slice(2));
    return `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${request.path.slice(1, 2).repeat(size)}`;
  });
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
  const unread = async (letter: string, size: number): Promise<{ letter: string; size: number; socket: Socket }> => {
    const socket = await dial(s.port);
    socket.pause();
    socket.write(get(`/${letter}${size}`));
    return { letter, size, socket };
  };
  // As much as the sockets take, and one read more, which waits: answers of just about that size end in the one that waits.
  const endless = await unread('a', 64 * 1024 * 1024);
  const taken = await settled(() => bytesOut(s));
  endless.socket.destroy();
  const slow = await Promise.all([...'bcdefgh'].map((letter, i) => unread(letter, taken - i * 32 * 1024)));
  await settled(() => bytesOut(s));
  // On every connection that those answers came on; what waits while these clients pause comes in the largest reads there are.
  const others = await Promise.all(slow.map(() => unread('z', taken + 1024 * 1024)));
  await settled(() => bytesOut(s));
  for (const { size, socket } of others) expect((await bodyOf(socket)).equals(Buffer.alloc(size, 'z'))).toBe(true);
  for (const { letter, size, socket } of slow) expect((await bodyOf(socket)).equals(Buffer.alloc(size, letter))).toBe(true);
});

/** No two places of it are alike. */
function numbered(bytes: number): Buffer {
  const body = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) body.writeUInt32LE(at, at);
  return body;
}

it.each([
  ['a length', (length: number) => `Content-Length: ${length}\r\n\r\n`, ''],
  ['one chunk', (length: number) => `Transfer-Encoding: chunked\r\n\r\n${length.toString(16)}\r\n`, '\r\n0\r\n\r\n'],
])('a body that its backend has not taken is not freed before: by %s', async (_name, before, behind) => {
  const origin = await RawOrigin.start((socket) => void socket.pause());
  const port = await freePort();
  const engine = await Engine.start([makeListener(port)], [makePool([origin.port])]);
  toClose.push(() => engine.stop(), () => origin.stop());
  const { cells, base } = engine.context.counters.listeners.at(0);
  const bytesIn = (): number => cells[base + listenerColumns.bytesIn]!;
  const body = numbered(12 * 1024 * 1024);
  for (const client of [await dial(port), await dial(port)]) {
    client.write(`POST / HTTP/1.1\r\nHost: a\r\n${before(body.length)}`);
    client.write(body);
    client.write(behind);
  }
  expect(await settled(bytesIn)).toBeLessThan(2 * body.length);
  for (const socket of origin.sockets) {
    const parts: Buffer[] = [];
    let length = 0;
    for await (const part of socket) {
      parts.push(part as Buffer);
      length += (part as Buffer).length;
      // The head is some hundred bytes; behind the body comes nothing that it waits for.
      if (length >= body.length && Buffer.concat(parts).includes(body.subarray(-64))) break;
    }
    const all = Buffer.concat(parts);
    expect(all.includes(body)).toBe(true);
  }
});
