/** Answers by hand, cut anywhere, and backends that are no gRPC server. */
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { grpcProbe } from '../../../src/control-plane/health/grpc-probe.ts';
import type { ProbeResult } from '../../../src/control-plane/health/probe.ts';
import { dialUdp } from '../../../src/net/dial-udp.ts';
import { dial } from '../../../src/net/dial.ts';
import { emptySettings, http2Frame, servingFrames } from '../../support/http2-frames.ts';
import { OddBackend } from '../../support/odd-backends.ts';

function probe(port: number, service = '', signal = new AbortController().signal): Promise<ProbeResult> {
  return grpcProbe.probe({ host: '127.0.0.1', port, address: 'shop.internal:50051' }, grpcProbe.options.parse({ service }), { signal, dial, dialUdp, clock: systemClock });
}

const running: OddBackend[] = [];
async function odd(onSocket: (socket: Socket, backend: OddBackend) => void): Promise<OddBackend> {
  const backend = await OddBackend.start(onSocket);
  running.push(backend);
  return backend;
}
afterEach(async () => {
  await Promise.all(running.splice(0).map((backend) => backend.stop()));
});

describe('what is no gRPC server', () => {
  it('speaks HTTP/1', async () => {
    const web = createHttpServer((_request, response) => response.end('hello'));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    expect(await probe((web.address() as AddressInfo).port)).toEqual({ ok: false, reason: 'does not speak HTTP/2' });
    web.close();
  });

  it.each<[string, (socket: Socket) => void, RegExp]>([
    ['closes at once', (socket) => socket.end(), /^closed before it answered$/],
    ['sends garbage', (socket) => socket.write('what is this, and what more might there be of it?'), /^does not speak HTTP\/2$/],
    ['sends megabytes', (socket) => pour(socket, Buffer.alloc(65_536)), /./],
    ['sends large frames that nobody knows', (socket) => void socket.write(frames([emptySettings, ...repeated(http2Frame(0x77, 0, 0, Buffer.alloc(16_384)), 5)])), /^sends too much$/],
    ['sends frames that nobody knows, without end', (socket) => pour(socket, frames(repeated(http2Frame(0x77, 0, 0, Buffer.alloc(1000)), 64))), /./],
    ['sends settings without end', (socket) => pour(socket, frames(repeated(http2Frame(4, 0, 0, Buffer.alloc(0)), 5000))), /./],
    ['sends pings without end', (socket) => pour(socket, frames(repeated(http2Frame(6, 0, 0, Buffer.alloc(8)), 5000))), /./],
    ['answers with a body without end', (socket) => answer(socket, [http2Frame(1, 4, 1, Buffer.from([0x88])), ...repeated(http2Frame(0, 0, 1, Buffer.alloc(512)), 100)]), /^malformed answer$/],
    ['answers with a page', (socket) => answer(socket, [http2Frame(1, 4, 1, Buffer.from([0x8d])), http2Frame(0, 1, 1, Buffer.from('not found'))]), /^HTTP status 404$/],
    ['answers without trailers', (socket) => answer(socket, [http2Frame(1, 5, 1, Buffer.from([0x88]))]), /^answer without grpc-status$/],
    ['resets the call', (socket) => answer(socket, [http2Frame(3, 0, 1, Buffer.from([0, 0, 0, 7]))]), /^stream was reset \(REFUSED_STREAM\)$/],
    ['goes away with an error', (socket) => answer(socket, [http2Frame(7, 0, 0, Buffer.from([0, 0, 0, 0, 0, 0, 0, 11]))]), /^(connection was ended by the backend \(ENHANCE_YOUR_CALM\)|closed before it answered)$/],
  ])('%s: a failure, and the connection is gone', async (_what, onSocket, reason) => {
    const backend = await odd(onSocket);
    const result = await probe(backend.port);
    expect(result.ok).toBe(false);
    expect(result.ok ? '' : result.reason).toMatch(reason);
    await backend.idle();
  });
});

it('reads an answer however its bytes are cut', async () => {
  const whole = Buffer.concat(servingFrames);
  for (let cut = 1; cut < whole.length; cut++) {
    const backend = await odd((socket) => {
      socket.once('data', () => {
        socket.write(Buffer.concat([emptySettings, whole.subarray(0, cut)]));
        setImmediate(() => socket.write(whole.subarray(cut)));
      });
    });
    expect((await probe(backend.port)).ok, `cut at ${cut}`).toBe(true);
  }
});

function repeated<T>(item: T, count: number): T[] {
  return Array.from({ length: count }, () => item);
}

function frames(list: readonly Buffer[]): Buffer {
  return Buffer.concat(list);
}

function answer(socket: Socket, list: readonly Buffer[]): void {
  socket.once('data', () => socket.write(frames([emptySettings, ...list])));
}

/** As much as it takes, after the settings that a connection begins with. */
function pour(socket: Socket, bytes: Buffer): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(bytes));
  };
  socket.on('drain', more);
  if (bytes[3] !== 0) socket.write(emptySettings);
  more();
}
