/** What a socket of TLS does with writes: they are done once OpenSSL has them, which holds one at most that the kernel has not. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { connect, createSecureContext, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { closeInOrder, SecureSocket } from '../../src/net/secure-socket.ts';
import { TestCa } from '../support/test-ca.ts';

const ca = new TestCa();
const context = createSecureContext(ca.issue());
afterAll(() => ca.remove());

const toStop: (() => void)[] = [];
afterEach(() => {
  for (const stop of toStop.splice(0).reverse()) stop();
});

/** More than the kernel takes for a peer that does not read. */
const LARGE_BYTES = 16 * 1024 * 1024;

async function pair(): Promise<{ secure: SecureSocket; client: TLSSocket }> {
  const acceptor = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  toStop.push(() => acceptor.close());
  await once(acceptor, 'listening');
  const client = connect({ port: (acceptor.address() as AddressInfo).port, host: '127.0.0.1', servername: 'localhost', ca: ca.ca });
  client.on('error', () => {});
  const [raw] = (await once(acceptor, 'connection')) as [Socket];
  const secured = Promise.withResolvers<null>();
  const secure = new SecureSocket(raw, { context, alpn: [], clientAuth: 'off' }, { onSecured: () => secured.resolve(null), onHandshakeFailed: (error) => secured.reject(error) });
  toStop.push(() => client.destroy(), () => raw.destroy());
  await Promise.all([secured.promise, once(client, 'secureConnect')]);
  return { secure, client };
}

function received(client: TLSSocket): Promise<{ bytes: Buffer; isEnded: boolean }> {
  const parts: Buffer[] = [];
  let isEnded = false;
  client.on('data', (part: Buffer) => parts.push(part));
  client.on('end', () => (isEnded = true));
  return once(client, 'close').then(() => ({ bytes: Buffer.concat(parts), isEnded }));
}

describe('a write', () => {
  it('is done at once, and its bytes are free', async () => {
    const { secure, client } = await pair();
    const all = received(client);
    const bytes = Buffer.from('as it was');
    let isDone = false;
    secure._write(bytes, 'buffer' as BufferEncoding, () => (isDone = true));
    expect(isDone).toBe(true);
    bytes.fill('x');
    closeInOrder(secure);
    expect((await all).bytes.toString()).toBe('as it was');
  });

  it('leaves nothing to wait for, and the next one goes out behind it', async () => {
    const { secure, client } = await pair();
    const all = received(client);
    secure.write('one ');
    expect(secure.writableLength).toBe(0);
    secure.write('two ');
    secure.cork();
    secure.write('three ');
    secure.write('four');
    secure.uncork();
    secure.end();
    expect(await all).toEqual({ bytes: Buffer.from('one two three four'), isEnded: true });
  });

  it('waits where the one before is still on its way to a client that does not read', async () => {
    const { secure, client } = await pair();
    const bytes = Buffer.alloc(LARGE_BYTES, 'y');
    secure.write(bytes);
    secure.write(bytes);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(secure.writableLength).toBe(LARGE_BYTES);
    const all = received(client);
    let isFlushed = false;
    secure.write('', () => (isFlushed = true));
    secure.end();
    expect((await all).bytes.length).toBe(2 * LARGE_BYTES);
    expect(isFlushed).toBe(true);
  });
});

describe('the end', () => {
  it('comes behind what was taken, also at once', async () => {
    for (const end of [(socket: SecureSocket) => void socket.destroy(), closeInOrder]) {
      const { secure, client } = await pair();
      const all = received(client);
      secure.write(Buffer.alloc(LARGE_BYTES, 'z'));
      end(secure);
      expect((await all).bytes.length).toBe(LARGE_BYTES);
      if (!secure.closed) await once(secure, 'close');
    }
  });

  it('does not wait where more was to be written, nor after an error or a reset', async () => {
    const bytes = Buffer.alloc(LARGE_BYTES, 'z');
    for (const [writes, end] of [[2, (socket: SecureSocket) => void socket.destroy()], [1, (socket: SecureSocket) => void socket.destroy(new Error('broken'))], [1, (socket: SecureSocket) => void socket.resetAndDestroy()]] as const) {
      const { secure } = await pair();
      secure.on('error', () => {});
      const failed: unknown[] = [];
      for (let i = 0; i < writes; i++) secure.write(bytes, (error) => error && failed.push(error));
      const closed = new Promise((resolve) => secure.once('close', resolve));
      end(secure);
      await closed;
      expect(failed).toHaveLength(writes - 1);
    }
  });
});
