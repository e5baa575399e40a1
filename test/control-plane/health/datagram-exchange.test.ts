/** Probes over UDP go through the network that the monitor was given, as those over TCP do: nothing of this machine's is used. */
import { afterEach, expect, test } from 'vitest';
import { healthSpec } from '../../support/backend-rig.ts';
import { MonitorRig } from '../../support/monitor-rig.ts';

let rig: MonitorRig;
afterEach(() => rig.monitor.stop());

const specs = {
  udp: healthSpec({ type: 'udp', options: { send: 'ping', expect: 'pi' } }),
  dns: healthSpec({ type: 'dns', options: { query: 'example.com A', expect: ['NOERROR'] } }),
};

test.each(['udp', 'dns'] as const)('%s: answered, refused, and not answered in time', async (type) => {
  rig = new MonitorRig();
  const { network, backends, clock } = rig;
  network.ports.set(82, 'ECONNREFUSED');
  network.ports.set(83, 'silent');
  rig.apply({ name: 'web', backends: ['192.0.2.1:81', '192.0.2.1:82', '192.0.2.1:83'], health: specs[type] });
  await clock.advance(600);
  expect([81, 82, 83].map((port) => backends.row('web', `192.0.2.1:${port}`).verdict)).toEqual(['up', 'down', 'down']);
  expect(rig.events.map(({ reason }) => reason)).toEqual(['probe passed', 'port unreachable', 'timed out after 500 ms']);
  network.ports.set(81, 'silent');
  network.ports.set(82, 'accept');
  await clock.advance(5000);
  expect([81, 82, 83].map((port) => backends.row('web', `192.0.2.1:${port}`).verdict)).toEqual(['down', 'up', 'down']);
  rig.monitor.stop();
  await clock.advance(1000);
  expect(network.open).toBe(0);
});
