/** One engine with a udp listener in front of real backends, all ended after each test: what most scenarios of udp need. */
import { afterEach } from 'vitest';
import { UdpBackend, UdpRig } from './udp-rig.ts';

const toStop: (() => void)[] = [];
afterEach(() => {
  for (const stop of toStop.splice(0)) stop();
});

export async function backend(name = 'echo', host = '127.0.0.1'): Promise<UdpBackend> {
  const started = await UdpBackend.start(name, host);
  toStop.push(() => started.close());
  return started;
}

export async function rig(...args: Parameters<typeof UdpRig.start>): Promise<UdpRig> {
  const started = await UdpRig.start(...args);
  toStop.push(() => started.stop());
  return started;
}

/** A pool's algorithm that takes the backends in their order. */
export const inOrder = { algorithm: { name: 'first', module: null, options: {}, key: { kind: 'client-ip' as const, name: '' } } };
