/** Calls that a route sends again by the status they came back with, by gRPC's official library on both sides. */
import { Metadata, status } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { backendColumns } from '../../../src/shared/counter-pages.ts';
import type { RetrySpec } from '../../../src/shared/snapshot.ts';
import type { AccessLogEntry } from '../../../src/observe/access-format.ts';
import { Engine, makeListener, makePool } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { grpcBackend, GrpcClient, type Failing, type GrpcBackend } from '../../support/grpc-rig.ts';
import { DATA, END_STREAM, frame, headersFrame, Http2Origin, inFrontOf, rawHttp2Origin } from '../../support/http2-origin.ts';
import { until } from '../../support/weir-process.ts';

const asked: RetrySpec = { attemptsMax: 2, statuses: [], grpcStatuses: [status.UNAVAILABLE], causes: [], budgetShare: 1, perTryMs: 0 };
const fails: Failing = () => ({ code: status.UNAVAILABLE });

interface Rig {
  readonly engine: Engine;
  readonly client: GrpcClient;
  readonly backends: readonly GrpcBackend[];
  /** Of one worker, over both backends. */
  retries(): number;
  readonly logged: AccessLogEntry[];
}

/** A route with `retry` in front of as many backends as there are ways to fail. */
async function rig(patch: Partial<RetrySpec>, ...failing: Failing[]): Promise<Rig> {
  const backends: GrpcBackend[] = [];
  for (const [index, how] of failing.entries()) backends.push(await grpcBackend(`b${index}`, how));
  const port = await freePort();
  const logged: AccessLogEntry[] = [];
  const accessLog = { record: (entry: AccessLogEntry) => void logged.push({ ...entry }) } as never;
  const engine = await Engine.start([makeListener(port, { routes: [{ retry: { ...asked, ...patch } }] })], [makePool(backends.map((backend) => backend.port), { protocol: 'h2c' })], { accessLog });
  onTestFinished(() => engine.stop());
  const cells = engine.context.counters.backends;
  const retries = (): number => backends.reduce((sum, _, index) => sum + cells.at(index).cells[cells.at(index).base + backendColumns.retries]!, 0);
  return { engine, client: new GrpcClient(port), backends, retries, logged };
}

const callsOf = ({ backends }: Rig): number[] => backends.map((backend) => backend.calls.length);

describe('a call that came back with a status the route names', () => {
  it('goes to another backend, and the client sees the answer of that one alone', async () => {
    const r = await rig({}, fails, () => null);
    for (let i = 0; i < 6; i++) expect(await r.client.once('hello')).toMatchObject({ code: 0, text: 'b1: hello' });
    const [failed] = callsOf(r);
    expect(failed).toBeGreaterThan(0);
    expect(callsOf(r)).toEqual([failed, 6]);
    expect(r.retries()).toBe(failed);
    expect(r.logged.map((entry) => entry.attempts).filter((attempts) => attempts === 2)).toHaveLength(failed!);
    expect(r.logged.every((entry) => entry.backend.endsWith(String(r.backends[1]!.port)) && entry.status === 200)).toBe(true);
  });

  it('is given up after as many attempts, and the last answer passes whole', async () => {
    const r = await rig({ attemptsMax: 3 }, fails, fails);
    expect(await r.client.once('x')).toMatchObject({ code: status.UNAVAILABLE, details: expect.stringMatching(/^b[01]$/) as string });
    expect(callsOf(r).reduce((sum, count) => sum + count)).toBe(3);
    expect(Math.min(...callsOf(r))).toBe(1);
  });

  it('goes to the same one again if there is no other', async () => {
    const r = await rig({}, (call) => (call === 1 ? { code: status.UNAVAILABLE } : null));
    expect(await r.client.once('x')).toMatchObject({ code: 0, text: 'b0: x' });
    expect(callsOf(r)).toEqual([2]);
  });

  it('passes with any other status', async () => {
    const r = await rig({}, () => ({ code: status.RESOURCE_EXHAUSTED }));
    expect((await r.client.once('x')).code).toBe(status.RESOURCE_EXHAUSTED);
    expect(callsOf(r)).toEqual([1]);
    expect(r.retries()).toBe(0);
  });

  it('takes a body along that came behind its head, if it is all there', async () => {
    const r = await rig({}, (call) => (call === 1 ? { code: status.UNAVAILABLE } : null));
    const small = 'x'.repeat(40_000);
    expect(await r.client.once(small)).toMatchObject({ code: 0, text: `b0: ${small}` });
    const large = await rig({}, (call) => (call === 1 ? { code: status.UNAVAILABLE } : null));
    expect((await large.client.once('x'.repeat(200_000))).code).toBe(status.UNAVAILABLE);
    expect(callsOf(large)).toEqual([1]);
  });

  it('is bounded by the budget, not by attempts alone', async () => {
    const r = await rig({ budgetShare: 0 }, fails, fails);
    const codes = await Promise.all(Array.from({ length: 60 }, () => r.client.once('x')));
    expect(codes.every(({ code }) => code === status.UNAVAILABLE)).toBe(true);
    expect(r.retries()).toBeGreaterThanOrEqual(10);
    expect(r.retries()).toBeLessThan(40);
  });
});

describe('what gRPC says of retries', () => {
  it('each backend is told how many attempts there were before', async () => {
    const r = await rig({ attemptsMax: 4 }, fails);
    await r.client.once('x');
    expect(r.backends[0]!.metadata.map((each) => each.get('grpc-previous-rpc-attempts'))).toEqual([[], ['1'], ['2'], ['3']]);
    const own = new Metadata();
    own.set('grpc-previous-rpc-attempts', '2');
    await r.client.once('x', 30_000, own);
    expect(r.backends[0]!.metadata.slice(4).map((each) => each.get('grpc-previous-rpc-attempts'))).toEqual([['2'], ['3'], ['4'], ['5']]);
  });

  it.each(['-1', 'soon', '10001'])('grpc-retry-pushback-ms: %s lets it be', async (pushback) => {
    const r = await rig({}, () => ({ code: status.UNAVAILABLE, pushback }));
    const told = await r.client.once('x');
    expect(told.code).toBe(status.UNAVAILABLE);
    expect(told.trailer.get('grpc-retry-pushback-ms')).toEqual([pushback]);
    expect(callsOf(r)).toEqual([1]);
  });

  it('grpc-retry-pushback-ms puts it off for so long', async () => {
    const times: number[] = [];
    const r = await rig({}, (call) => {
      times.push(performance.now());
      return call === 1 ? { code: status.UNAVAILABLE, pushback: '250' } : null;
    });
    expect(await r.client.once('x')).toMatchObject({ code: 0, text: 'b0: x' });
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(240);
  });

  it('a call whose deadline is sooner is not put off', async () => {
    const r = await rig({}, () => ({ code: status.UNAVAILABLE, pushback: '3000' }));
    expect((await r.client.once('x', 2000)).code).toBe(status.UNAVAILABLE);
    expect(callsOf(r)).toEqual([1]);
  });

  it('a call that its client gives up in the meantime is not sent again', async () => {
    const r = await rig({}, (_call, text) => (text === 'later' ? null : { code: status.UNAVAILABLE, pushback: '300' }));
    const call = r.client.pending('x');
    await until(() => r.engine.context.table.backend(0).inFlight === 0 && callsOf(r)[0] === 1);
    call.cancel();
    expect(await call.code).toBe(status.CANCELLED);
    await until(() => r.logged.length === 1);
    expect(r.logged[0]).toMatchObject({ status: 0, error: 'client-aborted', attempts: 1 });
    // Its time passes, and more.
    const { now } = r.engine.context.wheel;
    await until(() => r.engine.context.wheel.now > now + 6);
    expect(callsOf(r)).toEqual([1]);
    expect(await r.client.once('later')).toMatchObject({ code: 0 });
  });
});

it('an answer whose head came alone is the call’s: nothing is sent again', async () => {
  let asks = 0;
  const origin = await rawHttp2Origin((stream) => {
    asks++;
    return [headersFrame(stream, [[':status', '200'], ['content-type', 'application/grpc']]), headersFrame(stream, [['grpc-status', '14']], true)];
  });
  const s = await inFrontOf([origin.port], { listener: { routes: [{ retry: asked }] } });
  expect((await new GrpcClient(s.port).once('x')).code).toBe(status.UNAVAILABLE);
  expect(asks).toBe(1);
});

it.each([
  ['a status in a head with data', 'Content-Type: application/grpc\r\n', [headersFrame(1, [[':status', '200'], ['grpc-status', '14'], ['content-length', '1']]), frame(DATA, END_STREAM, 1, 'x')]],
  ['a status in an answer to no call', '', [headersFrame(1, [[':status', '200'], ['grpc-status', '14']], true)]],
])('%s is none', async (_what, fields, parts) => {
  let asks = 0;
  const origin = await rawHttp2Origin(() => {
    asks++;
    return parts;
  });
  const s = await inFrontOf([origin.port], { listener: { routes: [{ retry: asked }] } });
  expect(await s.ask(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields}Content-Length: 0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
  expect(asks).toBe(1);
});

it('a body in chunks is the same for the second backend of HTTP/2', async () => {
  const bodies: string[] = [];
  const origin = await Http2Origin.start((stream) => {
    let text = '';
    stream.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
    stream.on('end', () => {
      stream.respond({ ':status': bodies.push(text) === 1 ? 503 : 200 }, { endStream: true });
    });
  });
  const s = await inFrontOf([origin.port], { listener: { routes: [{ retry: { ...asked, statuses: [503] } }] } });
  const client = await s.client();
  client.send('PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n');
  await until(() => origin.requests.length === 1);
  client.send('3\r\nabc\r\n4\r\ndefg\r\n2\r\nhi\r\n0\r\n\r\n');
  expect(await client.untilEnd()).toMatch(/^HTTP\/1\.1 200 /);
  expect(bodies).toEqual(['abcdefghi', 'abcdefghi']);
});
