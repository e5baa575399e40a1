/** UDP as an operator runs it: several workers, edits, metrics, a crash, a port in use. One proxy serves all tests but the last, in order. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { UdpBackend, UdpEnd } from '../../support/udp-rig.ts';
import { WeirProcess } from '../../support/weir-process.ts';
import { untilMetrics, untilStatus } from '../../support/visitor.ts';

const config = (bind: string, ports: readonly number[], idle = '30s'): string => `
listeners:
  dns: { protocol: udp, bind: "${bind}", timeouts: { idle: ${idle} }, pool: dns }
pools:
  dns: { algorithm: first, backends: [${ports.map((port) => `"127.0.0.1:${port}"`).join(', ')}] }
drain: { removed: 1s, delay: 0, timeout: 2s }
admin: { bind: "127.0.0.1:0" }
`;

let one: UdpBackend;
let two: UdpBackend;
let clients: UdpEnd[];
let weir: WeirProcess;
let port: number;

beforeAll(async () => {
  [one, two] = [await UdpBackend.start('one'), await UdpBackend.start('two')];
  clients = await Promise.all(Array.from({ length: 20 }, () => UdpEnd.open()));
  weir = await WeirProcess.start(config('127.0.0.1:0', [one.port]), { env: { WEIR_TEST_HOOKS: '1' } });
  port = weir.port('dns');
});

afterAll(async () => {
  await weir.stop();
  for (const end of [...clients, one, two]) end.close();
});

const sessions = (samples: ReadonlyMap<string, number>): number | undefined => samples.get('weir_udp_sessions{listener="dns"}');

test('sessions of every worker answer, are counted, and live through a reload', async () => {
  for (const client of clients) expect(await client.ask('a', port)).toBe('one:a');
  const samples = await untilMetrics(weir, (now) => now.get('weir_udp_datagrams_total{listener="dns",direction="sent"}') === 20);
  expect(sessions(samples)).toBe(20);
  expect(samples.get('weir_udp_dropped_total{listener="dns",reason="limit"}')).toBe(0);
  // The port of an unchanged listener stays bound, and its sessions stay with their backend.
  expect(await weir.edit(config('127.0.0.1:0', [two.port, one.port]))).toMatchObject({ text: 'config runs' });
  for (const client of clients) expect(await client.ask('b', port)).toBe('one:b');
  expect(one.sources).toHaveLength(20);
});

test('a removed backend keeps its sessions until drain.removed, then they go elsewhere', async () => {
  expect(await weir.edit(config('127.0.0.1:0', [two.port], '500ms'))).toMatchObject({ text: 'config runs' });
  const [client] = clients as [UdpEnd];
  expect(await client.insist('c', port)).toBe('one:c');
  // What is under way at the cut is lost.
  for (let asked = 0; !(await client.insist(`d${asked}`, port)).startsWith('two:'); ) asked++;
});

test('a worker dies: its clients are served by the others and by its replacement, and no place is lost', async () => {
  for (const client of clients) await client.insist('e', port);
  weir.signal('SIGUSR2');
  await weir.line(({ text }) => text === 'worker died');
  for (const client of clients) expect(await client.insist('f', port)).toBe('two:f');
  await untilStatus(weir, ({ workers }) => workers.every(({ state }) => state === 'running') && workers.some(({ restarts }) => restarts === 1));
  for (const client of clients) expect(await client.insist('g', port)).toBe('two:g');
  await untilMetrics(weir, (samples) => sessions(samples) === 0);
});

test('a port that somebody else has is refused', async () => {
  const taken = createSocket('udp4').bind(0, '127.0.0.1');
  await once(taken, 'listening');
  const bind = `127.0.0.1:${taken.address().port}`;
  expect(await weir.edit(config(bind, [two.port]))).not.toMatchObject({ text: 'config runs' });
  expect(JSON.stringify(weir.log)).toContain(`${bind} is in use by another process`);
  taken.close();
});
