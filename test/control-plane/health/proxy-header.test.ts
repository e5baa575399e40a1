/** Probes of a pool that speaks the PROXY protocol begin as its traffic does, or its backends would refuse them. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { CheckIdentities } from '../../../src/control-plane/health/check-identity.ts';
import { Check } from '../../../src/control-plane/health/check.ts';
import type { ProbeResult } from '../../../src/control-plane/health/probe.ts';
import { Prober } from '../../../src/control-plane/health/prober.ts';
import { httpProbe } from '../../../src/control-plane/health/http-probe.ts';
import { dialUdp } from '../../../src/net/dial-udp.ts';
import { dial } from '../../../src/net/dial.ts';
import { backendSpec, healthSpec } from '../../support/backend-rig.ts';

const server = createServer();
let port = 0;
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterAll(() => server.close());

/** What a probe sent up to the end of its request, and what came of it. */
async function probed(proxyProtocol: 'off' | 'v1' | 'v2'): Promise<{ bytes: Buffer; result: ProbeResult }> {
  const health = [healthSpec({ type: 'http', options: httpProbe.options.parse({}) })];
  const [asked] = new CheckIdentities().of({ health, proxyProtocol });
  let judged: (result: ProbeResult) => void = () => undefined;
  const result = new Promise<ProbeResult>((resolve) => (judged = resolve));
  const prober = new Prober({
    clock: systemClock, dial, dialUdp, concurrencyMax: 1, countVoid: () => undefined,
    names: { addressOf: () => null, failureOf: () => null, connectFailed: () => undefined },
    judge: (_check, _startMs, outcome) => judged(outcome),
  });
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  prober.now(new Check('key', backendSpec(`127.0.0.1:${port}`), asked!.plan));
  const [socket] = await accepted;
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    if (bytes.includes('\r\n\r\n', bytes.indexOf('GET'))) break;
  }
  socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  const outcome = { bytes, result: await result };
  prober.stop();
  return outcome;
}

it.each([
  ['off', ''],
  ['v1', Buffer.from('PROXY UNKNOWN\r\n').toString('hex')],
  ['v2', '0d0a0d0a000d0a515549540a20000000'],
] as const)('with proxyProtocol %s the request follows the header of a connection made for nobody', async (proxyProtocol, header) => {
  const { bytes, result } = await probed(proxyProtocol);
  expect(bytes.subarray(0, header.length / 2).toString('hex')).toBe(header);
  expect(bytes.subarray(header.length / 2).toString('latin1')).toMatch(/^GET \/ HTTP\/1\.1\r\n/);
  expect(result.ok).toBe(true);
});
