/** The gRPC probe against the official server, and its messages against the official codec. */
import fc from 'fast-check';
import { service as healthService } from 'grpc-health-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { checkRequest, readCheckResponse } from '../../../src/control-plane/health/grpc-health.ts';
import { grpcProbe } from '../../../src/control-plane/health/grpc-probe.ts';
import type { ProbeResult } from '../../../src/control-plane/health/probe.ts';
import { dialUdp } from '../../../src/net/dial-udp.ts';
import { dial } from '../../../src/net/dial.ts';
import { GrpcHealthServer } from '../../support/grpc-health-server.ts';
import { OddBackend } from '../../support/odd-backends.ts';

const official = healthService['Check'] as unknown as {
  requestDeserialize(bytes: Buffer): { service: string };
  responseSerialize(message: { status: string }): Buffer;
};
const PREFIX_BYTES = 5;

function probe(port: number, service = ''): Promise<ProbeResult> {
  return grpcProbe.probe({ host: '127.0.0.1', port, address: 'shop.internal:50051' }, grpcProbe.options.parse({ service }), { signal: new AbortController().signal, dial, dialUdp, clock: systemClock });
}

describe('the request', () => {
  it('is read by the official codec as what was asked', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 256 }), (service) => {
        const body = checkRequest(service);
        expect(body[0]).toBe(0);
        expect(body.readUInt32BE(1)).toBe(body.length - PREFIX_BYTES);
        expect(official.requestDeserialize(body.subarray(PREFIX_BYTES)).service).toBe(service);
      }),
    );
  });
});

describe('the answer', () => {
  it.each([
    ['UNKNOWN', 0],
    ['SERVING', 1],
    ['NOT_SERVING', 2],
    ['SERVICE_UNKNOWN', 3],
  ])('of the official codec that says %s is %i', (status, number) => {
    expect(readCheckResponse(Buffer.concat([Buffer.from([0, 0, 0, 0, official.responseSerialize({ status }).length]), official.responseSerialize({ status })]))).toBe(number);
  });
});

describe('a gRPC server', () => {
  let server: GrpcHealthServer;
  beforeAll(async () => {
    server = await new GrpcHealthServer({ '': 'SERVING', ill: 'NOT_SERVING', odd: 'UNKNOWN', shop: 'SERVING' }).start();
  });
  afterAll(() => server.stop());

  it.each([
    ['', null],
    ['shop', null],
    ['ill', 'not serving'],
    ['odd', 'serving status unknown'],
    ['nowhere', 'does not know the service "nowhere" (NOT_FOUND)'],
  ])('asked for the service "%s" says %s', async (service, reason) => {
    expect(await probe(server.port, service)).toMatchObject(reason === null ? { ok: true } : { ok: false, reason });
  });

  it('is asked anew each time', async () => {
    expect((await probe(server.port, 'shop')).ok).toBe(true);
    server.health.setStatus('shop', 'NOT_SERVING');
    expect((await probe(server.port, 'shop')).ok).toBe(false);
    server.health.setStatus('shop', 'SERVING');
    expect((await probe(server.port, 'shop')).ok).toBe(true);
  });

  it('without the health service is told apart', async () => {
    const bare = await new GrpcHealthServer(null).start();
    expect(await probe(bare.port)).toEqual({ ok: false, reason: 'has no health service (UNIMPLEMENTED)' });
    bare.stop();
  });

  it('sees the connection closed without a reset', async () => {
    const backend = await OddBackend.start((socket) => server.take(socket));
    expect((await probe(backend.port)).ok).toBe(true);
    await backend.idle();
    expect(backend.errors).toEqual([]);
    await backend.stop();
  });
});
