import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { chooseReader, freeRead, readFrom } from '../../src/net/read-from.ts';

async function pair(): Promise<{ near: Socket; far: Socket; close: () => void }> {
  const acceptor = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(acceptor, 'listening');
  const far = connect((acceptor.address() as AddressInfo).port, '127.0.0.1');
  const [near] = (await once(acceptor, 'connection')) as [Socket];
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

// The first case runs before the self-test and so reads by 'data'; the others by whatever it chose.
describe.sequential('reading an accepted socket', () => {
  for (const mode of ['before the self-test', 'after it'] as const) {
    it(`gives every byte and the end, ${mode}`, async () => {
      if (mode === 'after it') expect(await chooseReader()).toBe('push');
      const { near, far, close } = await pair();
      const body = Buffer.alloc(3_000_000, 'abc');
      let length = 0;
      let matches = true;
      const ended = new Promise<void>((resolve) => {
        const reader = readFrom(near, {
          onBytes: (bytes) => {
            for (let i = 0; i < bytes.length; i += 997) matches &&= bytes[i] === body[length + i];
            length += bytes.length;
            // A slow taker: each read is followed by a pause of one turn.
            reader.pause();
            setImmediate(() => reader.resume());
          },
          onEnd: resolve,
          onClose: () => {},
        });
        reader.begin();
      });
      far.end(body);
      await ended;
      expect({ length, matches }).toEqual({ length: body.length, matches: true });
      close();
    });

    it(`holds the peer back while paused, ${mode}`, async () => {
      const { near, far, close } = await pair();
      let length = 0;
      const reader = readFrom(near, { onBytes: (bytes) => (length += bytes.length), onEnd: () => {}, onClose: () => {} });
      reader.begin();
      reader.pause();
      const body = Buffer.alloc(50_000_000);
      const isWritten = new Promise<boolean>((resolve) => {
        far.write(body, () => resolve(true));
        let turns = 0;
        const look = (): void => void (++turns === 2000 ? resolve(false) : setImmediate(look));
        look();
      });
      expect(await isWritten).toBe(false);
      // What was already on its way when it paused: one read.
      expect(length).toBeLessThanOrEqual(65_536);
      close();
    });
  }

  it('hands on what the socket had read before', async () => {
    const { near, far, close } = await pair();
    far.write('early');
    await once(near, 'readable');
    let text = '';
    readFrom(near, { onBytes: (bytes) => (text += bytes.toString()), onEnd: () => {}, onClose: () => {} }).begin();
    far.write(' late');
    while (text !== 'early late') await new Promise((resolve) => setImmediate(resolve));
    close();
  });

  it('tells of the close once, and of nothing after it', async () => {
    const { near, far, close } = await pair();
    const told: string[] = [];
    const closed = new Promise<void>((resolve) => {
      readFrom(near, {
        onBytes: () => void told.push('bytes'),
        onEnd: () => void told.push('end'),
        onClose: () => {
          told.push('close');
          resolve();
        },
      }).begin();
    });
    near.destroy();
    await closed;
    near.push(Buffer.from('late'));
    expect(told).toEqual(['close']);
    far.destroy();
    close();
  });
});

describe('a read that is given back', () => {
  it('is gone at once, if it is large and all of its memory', () => {
    const read = Buffer.allocUnsafeSlow(8 * 1024);
    freeRead(read);
    expect(read.length).toBe(0);
    expect((read.buffer).detached).toBe(true);
  });

  it('stays if it is small, or a part of memory that others may hold', () => {
    const small = Buffer.allocUnsafeSlow(8 * 1024 - 1);
    const whole = Buffer.alloc(64 * 1024, 'x');
    const part = whole.subarray(0, 32 * 1024);
    for (const read of [small, part, whole.subarray(1)]) freeRead(read);
    expect(small.length).toBe(8 * 1024 - 1);
    expect(part.length).toBe(32 * 1024);
    expect(whole.equals(Buffer.alloc(64 * 1024, 'x'))).toBe(true);
  });

  it.each(['at once', 'when the next one has come'])('takes no byte of another, %s', async (when) => {
    await chooseReader();
    const { near, far, close } = await pair();
    const total = 6_000_000;
    let length = 0;
    let sum = 0;
    let former: Buffer | null = null;
    await new Promise<void>((resolve) => {
      const reader = readFrom(near, {
        onBytes: (bytes) => {
          if (when !== 'at once' && former !== null) freeRead(former);
          for (let i = 0; i < bytes.length; i++) sum += bytes[i]! === (length + i) % 251 ? 1 : 0;
          length += bytes.length;
          former = bytes;
          if (when === 'at once') freeRead(bytes);
          reader.pause();
          setImmediate(() => reader.resume());
        },
        onEnd: resolve,
        onClose: () => {},
      });
      reader.begin();
      const body = Buffer.alloc(total);
      for (let i = 0; i < total; i++) body[i] = i % 251;
      far.end(body);
    });
    expect([length, sum]).toEqual([total, total]);
    close();
  });
});
