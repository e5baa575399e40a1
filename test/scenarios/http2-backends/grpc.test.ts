/** gRPC, by its official library on both sides. */
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { grpcBackend, GrpcClient } from '../../support/grpc-rig.ts';
import { inFrontOf } from '../../support/http2-origin.ts';

async function rig(options: Parameters<typeof inFrontOf>[1] = {}): Promise<{ client: GrpcClient; backend: Awaited<ReturnType<typeof grpcBackend>> }> {
  const backend = await grpcBackend('b1');
  const s = await inFrontOf([backend.port], options);
  return { client: new GrpcClient(s.port), backend };
}

describe('calls', () => {
  it('of all four kinds', async () => {
    const { client, backend } = await rig();
    expect(await client.once('hello')).toMatchObject({ text: 'b1: hello', code: 0 });
    expect(await client.many(50)).toEqual(Array.from({ length: 50 }, (_, i) => `part ${i}`));
    expect(await client.gather(['a', 'b', 'c'])).toBe('a+b+c');
    expect(await client.chat(['x', 'y', 'z'])).toEqual(['you said x', 'you said y', 'you said z']);
    expect(backend.calls).toEqual(['once', 'many', 'gather', 'chat']);
  });

  it('have the status, details and metadata of the backend', async () => {
    const { client } = await rig();
    const told = await client.once('fail');
    expect(told).toMatchObject({ code: status.FAILED_PRECONDITION, details: 'not today' });
    expect(told.trailer.get('x-name')).toEqual(['b1']);
  });

  it('of the library’s deadline are called off at it', async () => {
    const { client } = await rig();
    expect((await client.once('wait', 300)).code).toBe(status.DEADLINE_EXCEEDED);
  });
});

describe('failures of ours', () => {
  it('are statuses of gRPC: no backend, no route, no answer in time', async () => {
    const nobody = await inFrontOf([]);
    expect(await new GrpcClient(nobody.port).once('x')).toMatchObject({ code: status.UNAVAILABLE, details: 'No backend is available.' });
    const nowhere = await inFrontOf([], { listener: { routes: [] } });
    expect(await new GrpcClient(nowhere.port).once('x')).toMatchObject({ code: status.UNIMPLEMENTED, details: 'No route matches this request.' });
    const { client } = await rig({ listener: { routes: [{ timeouts: { responseMs: 100, idleMs: 100, totalMs: 0 } }] } });
    expect(await client.once('wait')).toMatchObject({ code: status.DEADLINE_EXCEEDED, details: 'The backend did not answer in time.' });
  });
});

it('a backend that is killed under load costs the calls on it, and no other', async () => {
  const [first, second] = [await grpcBackend('b1'), await grpcBackend('b2')];
  const s = await inFrontOf([first.port, second.port], { pool: { outlier: null } });
  const clients = Array.from({ length: 4 }, () => new GrpcClient(s.port));
  const codes: number[] = [];
  let killedAt = -1;
  await Promise.all(
    clients.map(async (client) => {
      for (let i = 0; i < 100; i++) {
        const { code } = await client.once(`call ${i}`);
        codes.push(code);
        if (codes.length === 150) {
          killedAt = codes.length;
          first.kill();
        }
      }
    }),
  );
  expect(killedAt).toBe(150);
  expect(codes).toHaveLength(400);
  // One call of each client at most was under way there: a POST that may have been looked at is not sent again.
  expect(codes.filter((code) => code !== 0).length).toBeLessThanOrEqual(clients.length);
  expect(codes.slice(-200).every((code) => code === 0)).toBe(true);
});
