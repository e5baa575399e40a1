/** The limits of a whole proxy with two workers: places over both, the kernel's receive buffer; and the log of it all. One proxy serves all tests, in order. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { UdpBackend, UdpEnd } from '../../support/udp-rig.ts';
import { metricsOf, untilMetrics, type Samples } from '../../support/visitor.ts';
import { until, WeirProcess } from '../../support/weir-process.ts';

const PLACES = 30;
const ANSWERED = 20;

let origin: UdpBackend;
let clients: UdpEnd[];
let weir: WeirProcess;
let port: number;

beforeAll(async () => {
  origin = await UdpBackend.start('one');
  // Who begins with "quiet" is never answered.
  origin.answer = ({ bytes, from }, it) => (bytes.toString().startsWith('quiet') ? undefined : it.reply(from, `one:${bytes.toString()}`));
  clients = await Promise.all(Array.from({ length: ANSWERED }, () => UdpEnd.open()));
  weir = await WeirProcess.start(`
listeners:
  dns: { protocol: udp, bind: "127.0.0.1:0", limits: { connections: ${PLACES} }, pool: dns }
pools:
  dns: { backends: ["127.0.0.1:${origin.port}"] }
admin: { bind: "127.0.0.1:0" }
drain: { delay: 0s, timeout: 1s }
log: { access: { format: json, to: access.log } }
`);
  port = weir.port('dns');
});

afterAll(async () => {
  await weir.stop();
  for (const end of [...clients, origin]) end.close();
});

const sessions = (samples: Samples): number => samples.get('weir_udp_sessions{listener="dns"}')!;
const received = (samples: Samples): number => samples.get('weir_udp_datagrams_total{listener="dns",direction="received"}')!;
const dropped = (samples: Samples, reason: string): number => samples.get(`weir_udp_dropped_total{listener="dns",reason="${reason}"}`)!;
const sourceOf = (text: string): number => origin.heard.findLast(({ bytes }) => bytes.toString() === text)!.from.port;

test('forged senders take the places of each other, and of one answered session a worker at most', async () => {
  for (const [i, client] of clients.entries()) await client.ask(`a${i}`, port);
  const before = clients.map((_, i) => sourceOf(`a${i}`));
  const forged = await Promise.all(Array.from({ length: 150 }, () => UdpEnd.open()));
  let most = 0;
  for (let round = 0; round < 3; round++) {
    for (const each of forged) await each.send('quiet', port);
    const sent = ANSWERED + (round + 1) * forged.length;
    await untilMetrics(weir, (samples) => {
      most = Math.max(most, sessions(samples));
      return received(samples) === sent;
    });
  }
  // Each worker counts a newcomer before it lets another go.
  expect(most).toBeLessThanOrEqual(PLACES + 2);
  await untilMetrics(weir, (samples) => sessions(samples) === PLACES);
  for (const [i, client] of clients.toReversed().entries()) await client.insist(`b${i}`, port);
  const kept = clients.filter((_, i) => before[i] === sourceOf(`b${ANSWERED - 1 - i}`)).length;
  expect(kept).toBeGreaterThanOrEqual(ANSWERED - 2);
  for (const each of forged) each.close();
});

const isTold = existsSync('/proc/net/udp');
if (!isTold) console.log('not run: this system does not tell what it drops at a full receive buffer');

test.skipIf(!isTold)('receive-buffer: what comes while nobody reads is counted, and the proxy goes on', async () => {
  expect(dropped(await metricsOf(weir), 'receive-buffer')).toBe(0);
  weir.signal('SIGSTOP');
  const [client] = clients as [UdpEnd];
  // More than a worker's buffer holds where the kernel grants what is asked for.
  for (let i = 0; i < 12_000; i++) client.socket.send(Buffer.alloc(1000, 'quiet'), port, '127.0.0.1');
  await client.send('quiet', port);
  weir.signal('SIGCONT');
  await untilMetrics(weir, (samples) => dropped(samples, 'receive-buffer') > 0);
  expect(await client.insist('f', port)).toBe('one:f');
});

test('each session has its line in the access log when the proxy ends', async () => {
  weir.signal('SIGTERM');
  await weir.exited;
  let lines: Record<string, unknown>[] = [];
  await until(async () => {
    lines = (await readFile(join(weir.folder, 'access.log'), 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    return lines.length > 0;
  });
  expect(lines.length).toBeGreaterThan(100);
  const backend = `127.0.0.1:${origin.port}`;
  for (const line of lines) expect(line).toMatchObject({ pool: 'dns', backend, client: '127.0.0.1', method: 'UDP', target: '-', httpVersion: null, status: 0, attempts: 1 });
  expect(lines.filter(({ error }) => error === 'evicted').length).toBeGreaterThan(100);
  expect(lines.filter(({ error, bytesOut }) => error !== 'evicted' && Number(bytesOut) > 0).length).toBeGreaterThanOrEqual(ANSWERED);
});
