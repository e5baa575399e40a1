/** UDP as an operator runs it: several workers, edits, metrics, a port in use, the end. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { UdpBackend, UdpEnd, freeUdpPort } from '../../support/udp-rig.ts';
import { WeirProcess } from '../../support/weir-process.ts';
import { untilMetrics } from '../../support/visitor.ts';

const config = (bind: string, ports: readonly number[], more = ''): string => `
listeners:
  dns: { protocol: udp, bind: "${bind}", pool: dns${more} }
pools:
  dns: { algorithm: source-hash, backends: [${ports.map((port) => `"127.0.0.1:${port}"`).join(', ')}] }
admin: { bind: "127.0.0.1:0" }
`;

test('sessions of every worker answer, are counted, and live through a reload', async () => {
  const [one, two] = [await UdpBackend.start('one'), await UdpBackend.start('two')];
  await using weir = await WeirProcess.start(config('127.0.0.1:0', [one.port]));
  const port = weir.port('dns');
  const clients = await Promise.all(Array.from({ length: 20 }, () => UdpEnd.open()));
  for (const client of clients) expect(await client.ask('a', port)).toBe('one:a');
  await untilMetrics(weir, (samples) => samples.get('weir_udp_sessions{listener="dns"}') === 20);
  const samples = await untilMetrics(weir, (now) => now.get('weir_udp_datagrams_total{listener="dns",direction="sent"}') === 20);
  expect(samples.get('weir_udp_dropped_total{listener="dns",reason="limit"}')).toBe(0);
  // The port of an unchanged listener stays bound, and its sessions stay with their backend.
  expect(await weir.edit(config('127.0.0.1:0', [two.port, one.port]))).toMatchObject({ text: 'config runs' });
  for (const client of clients) expect(await client.ask('b', port)).toBe('one:b');
  expect(one.sources).toHaveLength(20);
  const exit = weir.stop();
  for (const end of [...clients, one, two]) end.close();
  await exit;
});

test('a port that somebody else has is refused', async () => {
  const taken = createSocket('udp4').bind(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address();
  await using weir = await WeirProcess.spawn(config(`127.0.0.1:${port}`, [9]));
  const { code } = await weir.exited;
  expect(code).toBe(1);
  expect(weir.said + JSON.stringify(weir.log)).toContain(`127.0.0.1:${port} is in use by another process`);
  taken.close();
});

test('UDP and TCP may have the same port', async () => {
  const backend = await UdpBackend.start('one');
  const port = await freeUdpPort();
  const yaml = config(`127.0.0.1:${port}`, [backend.port]).replace('pools:', `  web: { bind: "127.0.0.1:${port}", pool: dns }\npools:`);
  await using weir = await WeirProcess.start(yaml);
  const client = await UdpEnd.open();
  expect(await client.ask('x', weir.port('dns'))).toBe('one:x');
  for (const end of [client, backend]) end.close();
});
