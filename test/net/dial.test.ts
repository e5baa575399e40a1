import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { closeGently, dial, dialFailure, dialFailureText } from '../../src/net/dial.ts';
import { OddBackend, refusingPort } from '../support/odd-backends.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const running: OddBackend[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((backend) => backend.stop()));
});
const started = async (backend: Promise<OddBackend>): Promise<OddBackend> => {
  running.push(await backend);
  return backend;
};

describe('dial', () => {
  it.each(['127.0.0.1', '::1'])('connects to %s', async (address) => {
    const backend = await started(OddBackend.start((socket) => socket.resume(), { host: address }));
    const socket = dial({ address, port: backend.port });
    await once(socket, 'connect');
    socket.destroy();
    await backend.idle();
  });

  it('says that a connect was refused', async () => {
    const socket = dial({ address: '127.0.0.1', port: await refusingPort() });
    const [error] = (await once(socket, 'error')) as [Error];
    expect(dialFailure(error)).toBe('refused');
    expect(dialFailureText(error)).toBe('connection refused');
  });

  it('takes literal addresses only: a name would wait for DNS', () => {
    expect(() => dial({ address: 'localhost', port: 1 })).toThrow('not a literal IP');
  });

  it('reads into a buffer of the caller', async () => {
    const backend = await started(OddBackend.start((socket) => socket.end('hello')));
    const read = Promise.withResolvers<string>();
    const socket = dial(
      { address: '127.0.0.1', port: backend.port },
      {
        onread: {
          buffer: Buffer.alloc(64),
          callback: (length, buffer) => {
            read.resolve(Buffer.from(buffer).toString('latin1', 0, length));
            return true;
          },
        },
      },
    );
    expect(await read.promise).toBe('hello');
    socket.destroy();
  });
});

describe('a failure', () => {
  it.each([
    ['ECONNRESET', 'reset', 'connection reset'],
    ['ETIMEDOUT', 'timed-out', 'connection timed out'],
    ['EHOSTUNREACH', 'unreachable', 'no route to the address'],
    ['EMFILE', 'ours', 'out of file descriptors'],
    ['EADDRNOTAVAIL', 'ours', 'no local port or address left'],
    ['EWHATEVER', 'failed', 'connection failed: EWHATEVER'],
  ])('%s is %s: %s', (code, failure, text) => {
    const error = Object.assign(new Error('x'), { code });
    expect([dialFailure(error), dialFailureText(error)]).toEqual([failure, text]);
  });

  it('without a code is told as such', () => {
    expect(dialFailureText(new Error('x'))).toBe('connection failed');
    expect(dialFailure(null)).toBe('failed');
  });
});

describe('closeGently', () => {
  it('sends no reset though bytes are unread', async () => {
    const backend = await started(OddBackend.start((socket) => socket.write('unread')));
    const socket = dial({ address: '127.0.0.1', port: backend.port });
    await once(socket, 'connect');
    const clock = new VirtualClock();
    closeGently(socket, clock, 1000);
    await backend.idle();
    expect(backend.errors).toEqual([]);
    if (!socket.closed) await once(socket, 'close');
    expect(clock.pending).toBe(0);
  });
});
