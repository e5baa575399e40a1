/** Which memory reads of dialed connections go to: how many have a large buffer at once, and that each gives it back. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { freeRead, type ReadTarget } from '../../src/net/read-from.ts';
import { DialedReader } from '../../src/net/relay-dial.ts';

const LARGE_BYTES = 256 * 1024;
/** As many as relay-dial.ts lets have one. */
const LARGE_MAX = 64;

let acceptor: Server;
const takers: Taker[] = [];
afterEach(() => {
  for (const { reader, peer } of takers.splice(0)) {
    reader.socket.destroy();
    peer.destroy();
  }
  acceptor.close();
});

/** Counts what comes; `holds`: reads no more once a read of it was large. */
class Taker implements ReadTarget {
  readonly reader: DialedReader;
  peer!: Socket;
  holds = false;
  count = 0;
  largeReads = 0;

  constructor(port: number) {
    this.reader = new DialedReader('127.0.0.1', port).readFor(this);
    this.reader.socket.on('error', () => undefined);
    takers.push(this);
  }

  static async connect(): Promise<Taker> {
    const accepted = once(acceptor, 'connection') as Promise<[Socket]>;
    const taker = new Taker((acceptor.address() as AddressInfo).port);
    [taker.peer] = await accepted;
    taker.peer.on('error', () => undefined);
    return taker;
  }

  onBytes(bytes: Buffer): void {
    this.count += bytes.length;
    if (bytes.buffer.byteLength === LARGE_BYTES) {
      this.largeReads++;
      if (this.holds) this.reader.pause();
    }
    freeRead(bytes);
  }

  onEnd(): void {}

  onClose(): void {}

  async takes(bytes: number): Promise<void> {
    const wanted = this.count + bytes;
    this.peer.write(Buffer.alloc(bytes));
    while (this.count < wanted) await turn();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('so many connections have a large buffer at once; who closes gives its own back', async () => {
  acceptor = createServer().listen(0, '127.0.0.1');
  await once(acceptor, 'listening');
  const holding: Taker[] = [];
  while (holding.length < LARGE_MAX) {
    const taker = await Taker.connect();
    taker.holds = true;
    taker.peer.write(Buffer.alloc(2 * LARGE_BYTES));
    while (taker.largeReads === 0) await turn();
    holding.push(taker);
  }
  const last = await Taker.connect();
  await last.takes(8 * LARGE_BYTES);
  expect(last.largeReads).toBe(0);
  const { socket } = holding[0]!.reader;
  socket.destroy();
  await once(socket, 'close');
  await last.takes(8 * LARGE_BYTES);
  expect(last.largeReads).toBeGreaterThan(0);
});

test('a small read after large ones gives the buffer back', async () => {
  acceptor = createServer().listen(0, '127.0.0.1');
  await once(acceptor, 'listening');
  for (let i = 0; i < LARGE_MAX; i++) {
    const taker = await Taker.connect();
    await taker.takes(2 * LARGE_BYTES);
    await taker.takes(1);
  }
  const last = await Taker.connect();
  await last.takes(8 * LARGE_BYTES);
  expect(last.largeReads).toBeGreaterThan(0);
});
