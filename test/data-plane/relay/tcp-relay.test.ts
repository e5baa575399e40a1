/** Two ends joined, without pools or time: on runtimes that read and write in the short ways, and on those that do not. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { RelayEnd, type RelayOwner } from '../../../src/data-plane/relay/tcp-relay.ts';
import { chooseReader } from '../../../src/net/read-from.ts';
import { DialedReader } from '../../../src/net/relay-dial.ts';
import { chooseWriter } from '../../../src/net/write-to.ts';

/** On one connection that nobody reads. */
const MORE_THAN_FITS = 24_000_000;

const toClose: (Socket | Server)[] = [];
afterEach(() => {
  for (const each of toClose.splice(0)) if ('destroy' in each) each.destroy();
  else each.close();
});

async function listening(): Promise<{ acceptor: Server; port: number; socket: Promise<Socket> }> {
  const acceptor = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(acceptor, 'listening');
  toClose.push(acceptor);
  const socket = once(acceptor, 'connection').then(([accepted]) => accepted as Socket);
  return { acceptor, port: (acceptor.address() as AddressInfo).port, socket };
}

/** Does with its ends what a session does. */
class Joined implements RelayOwner {
  relayed = 0;
  hasEnded = false;
  failed: RelayEnd | null = null;
  client!: RelayEnd;
  backend!: RelayEnd;
  /** The peers of the two ends. */
  clientPeer!: Socket;
  backendPeer!: Socket;

  /** Of the end towards the backend. */
  backendSocket!: Socket;

  static async make({ isJoined = true } = {}): Promise<Joined> {
    const joined = new Joined();
    const [front, back] = [await listening(), await listening()];
    joined.clientPeer = connect({ port: front.port, host: '127.0.0.1', allowHalfOpen: true });
    joined.client = new RelayEnd(await front.socket, joined);
    joined.client.begin();
    const dialed = new DialedReader('127.0.0.1', back.port);
    joined.backend = new RelayEnd(dialed.socket, joined, dialed);
    joined.backendSocket = dialed.socket;
    [joined.backendPeer] = await Promise.all([back.socket, once(dialed.socket, 'connect')]);
    joined.backend.begin();
    for (const socket of [joined.clientPeer, joined.backendPeer, dialed.socket]) toClose.push(socket.on('error', () => undefined));
    if (isJoined) joined.client.join(joined.backend);
    return joined;
  }

  onRelayed(_from: RelayEnd, count: number): void {
    this.relayed += count;
  }

  onRelayEnded(): void {
    this.hasEnded = true;
    this.client.close();
    this.backend.close();
  }

  onEndFailed(end: RelayEnd): void {
    if (this.failed !== null || this.hasEnded) return;
    this.failed = end;
    const other = end === this.client ? this.backend : this.client;
    end.close();
    other.reset();
  }

  onBug(error: unknown): void {
    throw error;
  }
}

async function received(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  socket.on('data', (bytes: Buffer) => parts.push(bytes)).resume();
  await once(socket, 'end');
  return Buffer.concat(parts);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

// The first cases run before the self-tests and so by 'data', 'end' and `write`.
describe.sequential.each(['by events', 'by the short ways'])('a relay, %s', (how) => {
  it('carries both directions at once, each to its own end', async () => {
    if (how !== 'by events') expect(await Promise.all([chooseReader(), chooseWriter()])).toEqual(['push', 'direct']);
    const joined = await Joined.make();
    const [up, down] = [randomBytes(5_000_000), randomBytes(7_000_000)];
    const [atBackend, atClient] = [received(joined.backendPeer), received(joined.clientPeer)];
    joined.clientPeer.end(up);
    expect((await atBackend).equals(up)).toBe(true);
    expect(joined.hasEnded).toBe(false);
    joined.backendPeer.end(down);
    expect((await atClient).equals(down)).toBe(true);
    await until(() => joined.hasEnded);
    expect(joined.relayed).toBe(up.length + down.length);
    expect(joined.failed).toBeNull();
  });

  it('loses nothing of large writes between pieces of any size', async () => {
    const joined = await Joined.make();
    const sizes = [1, 16_383, 16_384, 16_385, 300_000, 5, 262_144, 70_000, 16_384, 1];
    const sent = Buffer.concat(sizes.map((size) => randomBytes(size)));
    const atClient = received(joined.clientPeer);
    let at = 0;
    for (const size of sizes) {
      joined.backendPeer.write(sent.subarray(at, (at += size)));
      await until(() => joined.relayed === at);
    }
    joined.backendPeer.end();
    expect((await atClient).equals(sent)).toBe(true);
    joined.clientPeer.end();
    await until(() => joined.hasEnded);
  });

  it('reads no more of an end whose other end takes nothing, and all of it later', async () => {
    const joined = await Joined.make();
    const sent = randomBytes(32_000_000);
    joined.clientPeer.pause();
    joined.backendPeer.end(sent);
    let before = -1;
    while (before !== joined.relayed) {
      before = joined.relayed;
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(joined.relayed).toBeLessThan(sent.length / 2);
    expect((await received(joined.clientPeer)).equals(sent)).toBe(true);
    joined.clientPeer.end();
    await until(() => joined.hasEnded);
  });

  it('keeps what is read before there is another end, and after it was told to pause', async () => {
    const joined = await Joined.make({ isJoined: false });
    joined.client.onBytes(Buffer.from('one '));
    joined.client.onBytes(Buffer.from('two '));
    joined.client.putFirst(Buffer.from('zero '));
    joined.client.onEnd();
    joined.client.join(joined.backend);
    expect((await received(joined.backendPeer)).toString()).toBe('zero one two ');
  });

  it('passes an end on behind all that was read, however slowly it is taken', async () => {
    const joined = await Joined.make();
    joined.backendPeer.pause();
    joined.client.onBytes(randomBytes(MORE_THAN_FITS));
    joined.client.onBytes(Buffer.from('and more'));
    joined.client.onEnd();
    const all = await received(joined.backendPeer);
    expect(all.length).toBe(MORE_THAN_FITS + 'and more'.length);
    expect(all.subarray(MORE_THAN_FITS).toString()).toBe('and more');
    expect(joined.failed).toBeNull();
  });

  it('is over when both have ended and all is taken, not before', async () => {
    const joined = await Joined.make();
    joined.backendPeer.pause();
    joined.client.onBytes(randomBytes(MORE_THAN_FITS));
    joined.client.onEnd();
    joined.backendPeer.end();
    await until(() => joined.backend.hasEnded);
    expect(joined.hasEnded).toBe(false);
    expect((await received(joined.backendPeer)).length).toBe(MORE_THAN_FITS);
    await until(() => joined.hasEnded);
    expect(joined.failed).toBeNull();
  });

  it.each([['small', 12_000], ['large', 200_000]])('keeps what waits to be taken from the reads of others, %s ones', async (_size, pieceBytes) => {
    const [waiting, busy] = [await Joined.make(), await Joined.make()];
    const pieces: Buffer[] = [];
    waiting.clientPeer.pause();
    // Until it is read no more: a write of what was read last is partial then.
    for (let before = -1; before !== waiting.relayed; ) {
      before = waiting.relayed;
      for (let count = 0; count < 20; count++) {
        const piece = randomBytes(pieceBytes);
        pieces.push(piece);
        waiting.backendPeer.write(piece);
        for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      }
    }
    const other = received(busy.clientPeer);
    for (let count = 0; count < 100; count++) {
      busy.backendPeer.write(Buffer.alloc(pieceBytes, 1));
      await new Promise((resolve) => setImmediate(resolve));
    }
    busy.backendPeer.end();
    expect((await other).length).toBe(100 * pieceBytes);
    waiting.backendPeer.end();
    expect((await received(waiting.clientPeer)).equals(Buffer.concat(pieces))).toBe(true);
  });

  it('costs itself alone with a bug of its owner', async () => {
    const joined = await Joined.make();
    const bugs: unknown[] = [];
    joined.onBug = (error) => bugs.push(error);
    joined.onRelayed = () => {
      throw new Error('a bug');
    };
    joined.clientPeer.write('x');
    await until(() => bugs.length === 1);
    expect(bugs[0]).toMatchObject({ message: 'a bug' });
  });

  it('lets go of a socket whose end is still on its way, too', async () => {
    const joined = await Joined.make();
    joined.backendPeer.pause();
    joined.client.onBytes(randomBytes(MORE_THAN_FITS));
    joined.client.onEnd();
    const closed = once(joined.backendSocket, 'close');
    joined.backend.reset();
    await closed;
  });

  it.each(['client', 'backend'] as const)('passes a reset of the %s on', async (side) => {
    const joined = await Joined.make();
    const [from, to] = side === 'client' ? [joined.clientPeer, joined.backendPeer] : [joined.backendPeer, joined.clientPeer];
    let code = '';
    to.on('error', (error: NodeJS.ErrnoException) => (code = error.code!)).resume();
    from.write('x');
    await until(() => joined.relayed === 1);
    from.resetAndDestroy();
    await until(() => code !== '');
    expect(code).toBe('ECONNRESET');
    expect(joined.failed).toBe(joined[side]);
  });
});
