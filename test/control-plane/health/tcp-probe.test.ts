import type { Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { dial } from '../../../src/net/dial.ts';
import { tcpProbe } from '../../../src/control-plane/health/tcp-probe.ts';
import { OddBackend } from '../../support/odd-backends.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

let backend: OddBackend;
afterEach(() => backend.stop());

const probe = (clock = systemClock): Promise<unknown> =>
  tcpProbe.probe({ host: '127.0.0.1', port: backend.port, address: 'x' }, {}, { signal: new AbortController().signal, dial, clock });

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
