import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { chooseWriter, endWriting, writeDirectly, writeTo } from '../../src/net/write-to.ts';

async function pair(): Promise<{ near: Socket; far: Socket; close: () => void }> {
  const acceptor = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(acceptor, 'listening');
  const far = connect((acceptor.address() as AddressInfo).port, '127.0.0.1');
  const [near] = (await once(acceptor, 'connection')) as [Socket];
  near.on('error', () => undefined);
  return {
    near,
    far,
    close: () => {
      near.destroy();
      far.destroy();
      acceptor.close();
    },
  };
}

// The first case runs before the self-test and so writes through the stream; the others by whatever it chose.
describe.sequential('writing to a socket', () => {
  it('is not direct before the self-test', async () => {
    // A module of its own: another file of this process may have made the test.
    vi.resetModules();
    const untested = await import('../../src/net/write-to.ts');
    const { near, close } = await pair();
    expect(untested.writeDirectly(near, Buffer.from('x'), () => undefined)).toBe(false);
    expect(near.bytesWritten).toBe(0);
    close();
  });

  it.each(['before the self-test', 'after it'])('sends all in order and FIN behind it, %s', async (when) => {
    if (when === 'after it') expect(await chooseWriter()).toBe('direct');
    const { near, far, close } = await pair();
    const sent = Buffer.alloc(6_000_000, 'abcdefg');
    const parts: Buffer[] = [];
    far.on('data', (bytes: Buffer) => parts.push(bytes));
    const ended = once(far, 'end');
    await new Promise<void>((resolve) => writeTo(near, Buffer.from('first '), () => resolve()));
    const taken = new Promise<void>((resolve) => writeTo(near, sent, () => resolve()));
    endWriting(near, () => undefined);
    await Promise.all([taken, ended]);
    expect(Buffer.concat(parts).equals(Buffer.concat([Buffer.from('first '), sent]))).toBe(true);
    close();
  });

  it('tells at once what the kernel took at once, and later what it did not', async () => {
    const { near, far, close } = await pair();
    far.pause();
    let done = 0;
    writeTo(near, Buffer.alloc(1000), () => done++);
    expect(done).toBe(1);
    const taken = new Promise<void>((resolve) => writeTo(near, Buffer.alloc(50_000_000), () => resolve(void done++)));
    expect(done).toBe(1);
    far.resume();
    await taken;
    expect(done).toBe(2);
    close();
  });

  it('puts what the stream writes behind what was written directly', async () => {
    const { near, far, close } = await pair();
    let length = 0;
    let last = 0;
    far.on('data', (bytes: Buffer) => {
      length += bytes.length;
      last = bytes.at(-1)!;
    });
    const ended = once(far, 'end');
    let isTaken = false;
    far.pause();
    expect(writeDirectly(near, Buffer.alloc(50_000_000), () => (isTaken = true))).toBe(true);
    expect(isTaken).toBe(false);
    near.end(Buffer.of(7));
    far.resume();
    await ended;
    expect([length, last, isTaken]).toEqual([50_000_001, 7, true]);
    close();
  });

  it('tells of a connection that was reset', async () => {
    const { near, far, close } = await pair();
    near.pause();
    far.resetAndDestroy();
    let error: NodeJS.ErrnoException | null = null;
    while (error === null) {
      await new Promise((resolve) => setImmediate(resolve));
      if (near.destroyed) break;
      writeTo(near, Buffer.from('x'), (met) => (error = met ?? null));
    }
    expect(near.destroyed || error !== null).toBe(true);
    close();
  });
});
