import { afterEach, describe, expect, it } from 'vitest';
import { udpProbe } from '../../../src/control-plane/health/udp-probe.ts';
import { DatagramBackend, refusingUdpPort } from '../../support/datagram-backend.ts';
import { outcomeOf, probeOnce } from '../../support/probe-once.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { dialUdp } from '../../../src/net/dial-udp.ts';

let backend: DatagramBackend;
afterEach(() => backend.stop());

describe('with expect', () => {
  it.each([
    { send: 'ping', expect: 'pong', ok: true },
    { send: 'hex:70696e67', expect: 'hex:706f6e67', ok: true },
  ])('an answer that holds it passes: %j', async ({ send, expect: wanted }) => {
    backend = await DatagramBackend.start((bytes, answer) => answer(bytes.toString() === 'ping' ? 'and pong' : 'no'));
    expect(await outcomeOf(udpProbe, backend.port, { send, expect: wanted })).toBe('passed');
    expect(backend.received).toEqual(['ping']);
  });

  it('other datagrams are passed over, up to a limit', async () => {
    backend = await DatagramBackend.start((_bytes, answer) => ['x', '', 'pong'].forEach((text) => answer(text)));
    expect(await outcomeOf(udpProbe, backend.port, { expect: 'pong' })).toBe('passed');
    await backend.stop();
    backend = await DatagramBackend.start((_bytes, answer) => Array.from({ length: 12 }, () => answer('x'.repeat(9000))));
    expect(await outcomeOf(udpProbe, backend.port, { expect: 'pong' })).toBe('sent more than 65536 bytes, and no answer');
  });

  it('silence fails when it is given up on', async () => {
    const controller = new AbortController();
    backend = await DatagramBackend.start(() => controller.abort());
    expect(await probeOnce(udpProbe, backend.port, { expect: 'pong' }, { signal: controller.signal })).toEqual({ ok: false, reason: 'gave up' });
  });
});

describe('without expect', () => {
  it('any answer passes, and silence does after 200 ms', async () => {
    const heard = Promise.withResolvers<void>();
    backend = await DatagramBackend.start((_bytes, answer) => answer(''));
    expect(await outcomeOf(udpProbe, backend.port, { send: 'anyone?' })).toBe('passed');
    await backend.stop();

    backend = await DatagramBackend.start(() => heard.resolve());
    const clock = new VirtualClock();
    const result = probeOnce(udpProbe, backend.port, {}, { clock });
    await heard.promise;
    expect(backend.received).toEqual(['']);
    await clock.advance(201);
    expect(await result).toEqual({ ok: true, latencyMs: 201 });
    expect(clock.pending).toBe(0);
  });

  it('a shorter time-out ends the silence, and it passes all the same', async () => {
    const controller = new AbortController();
    backend = await DatagramBackend.start(() => setImmediate(() => controller.abort()));
    expect(await probeOnce(udpProbe, backend.port, {}, { signal: controller.signal, clock: new VirtualClock() })).toMatchObject({ ok: true });
  });
});

it('a refusal of the machine is told apart, with expect and without', async () => {
  backend = await DatagramBackend.start();
  const port = await refusingUdpPort();
  for (const options of [{}, { expect: 'pong' }]) expect(await probeOnce(udpProbe, port, options)).toEqual({ ok: false, reason: 'port unreachable', unreached: true });
});

it('a datagram from elsewhere is not an answer, and IPv6 works', async () => {
  backend = await DatagramBackend.start((_bytes, answer) => answer('pong'), '::1');
  const stranger = await DatagramBackend.start();
  const result = await udpProbe.probe({ host: '::1', port: backend.port, address: 'x' }, { send: '', expect: 'pong' }, { signal: new AbortController().signal, dial: () => { throw new Error('no TCP here'); }, dialUdp, clock: new VirtualClock() });
  expect(result).toMatchObject({ ok: true });
  await stranger.stop();
});
