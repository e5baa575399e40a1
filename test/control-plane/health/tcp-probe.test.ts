import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { dialUdp } from '../../../src/net/dial-udp.ts';
import { dial } from '../../../src/net/dial.ts';
import type { Talk } from '../../../src/control-plane/health/talk-script.ts';
import { tcpProbe, tcpScript } from '../../../src/control-plane/health/tcp-probe.ts';
import { OddBackend } from '../../support/odd-backends.ts';
import { piecesOf, runOverSplits, runScript } from '../../support/script-runs.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

let backend: OddBackend;
afterEach(() => backend.stop());

const probe = (clock = systemClock, options = {}): Promise<unknown> =>
  tcpProbe.probe({ host: '127.0.0.1', port: backend.port, address: 'x' }, tcpProbe.options.parse(options), { signal: new AbortController().signal, dial, dialUdp, clock });

it('passes a listener that never says anything', async () => {
  backend = await OddBackend.start((socket) => socket.resume());
  expect(await probe()).toMatchObject({ ok: true });
});

it('does not reset a backend that speaks first', async () => {
  backend = await OddBackend.start((socket) => {
    socket.write('220 ready\r\n');
    socket.on('end', () => socket.write('bye\r\n'));
  });
  await probe();
  await backend.idle();
  expect(backend.errors).toEqual([]);
});

it('gives up on a backend that does not close its side', async () => {
  const ended = Promise.withResolvers<Socket>();
  backend = await OddBackend.start((socket) => socket.resume().once('end', () => ended.resolve(socket)), { allowHalfOpen: true });
  const clock = new VirtualClock();
  await probe(clock);
  const socket = await ended.promise;
  expect(clock.pending).toBe(1);
  await clock.advance(1000);
  // Our side is gone altogether now: what the backend still sends is answered with a reset, which its next write meets.
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const speak = (): void => void (socket.destroyed || socket.write('still here', () => setImmediate(speak)));
  speak();
  await closed;
  expect(['ECONNRESET', 'EPIPE']).toContain(backend.errors[0]);
});

describe('send and expect', () => {
  it.each([
    { send: 'ping', expect: 'pong' },
    { send: 'hex:70696e67', expect: 'hex:70 6f:6E 67' },
    { send: '', expect: 'ready' },
    { send: 'ping', expect: '' },
  ])('pass what is answered as expected: %j', async (options) => {
    backend = await OddBackend.start((socket) => {
      socket.write('220 ready\r\n');
      socket.on('data', (bytes) => socket.write(bytes.toString('latin1') === 'ping' ? 'and pong, says the backend' : 'what?'));
    });
    expect(await probe(systemClock, options)).toMatchObject({ ok: true });
    await backend.idle();
    expect(backend.received).toBe(options.send === '' ? '' : 'ping');
    expect(backend.errors).toEqual([]);
  });

  it('fail what closes without it, or says too much before it', async () => {
    backend = await OddBackend.answering('no', { close: true });
    const reason = 'answer lacks "yes"';
    expect(await probe(systemClock, { send: 'x', expect: 'yes' })).toEqual({ ok: false, reason });
    await backend.stop();
    backend = await OddBackend.answering(`${'x'.repeat(65536)}yes`, { close: false });
    expect(await probe(systemClock, { send: 'x', expect: 'yes' })).toEqual({ ok: false, reason });
  });

  it('find the text in any pieces, up to the last of the first 64 KiB', () => {
    const script = (): Talk => tcpScript({ send: '', expect: 'aab' });
    for (const text of ['aab', 'aaab', 'xxaabyy', 'ababaab']) expect(runOverSplits(script, Buffer.from(text)).end, text).toBe('passed');
    for (const text of ['aa', 'aba', '']) expect(runOverSplits(script, Buffer.from(text)).end, text).toBe('waits');
    for (const pieceBytes of [7, 100_000]) expect(runScript(script(), piecesOf(Buffer.from(`${'a'.repeat(65535)}b`), pieceBytes)).end).toBe('passed');
  });

  it.each(['hex:', 'hex:7', 'hex:zz', 'hex: ', 'x'.repeat(4097)])('%s is refused', (text) => {
    expect(tcpProbe.options.safeParse({ expect: text }).success).toBe(false);
  });
});
