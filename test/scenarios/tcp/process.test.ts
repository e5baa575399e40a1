/** tcp in a whole proxy of two workers: limits and counts over both, a lost worker, edits, the way down. */
import type { Socket } from 'node:net';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { RawClient, RawOrigin } from '../../support/engine.ts';
import { metricsOf, statusOf, untilMetrics, type Samples } from '../../support/visitor.ts';
import { until, WeirProcess } from '../../support/weir-process.ts';

// Whole processes start and stop here, and share the machine's cores with other tests.
vi.setConfig({ testTimeout: 90_000 });

let one: RawOrigin;
let two: RawOrigin;
let weir: WeirProcess;
const echo = (socket: Socket): void => void socket.pipe(socket);

interface Shape {
  readonly backends: readonly RawOrigin[];
  readonly connections?: number;
  readonly perBackend?: number;
  readonly idle?: string;
}

function config({ backends, connections = 100, perBackend = 0, idle = '1h' }: Shape): string {
  return `
listeners:
  web: { bind: "127.0.0.1:0", protocol: tcp, limits: { connections: ${connections} }, timeouts: { idle: ${idle} }, pool: any }
pools:
  any: { backends: [${backends.map(({ port }) => `"127.0.0.1:${port}"`).join(', ')}], connections: { perBackend: ${perBackend} } }
admin: { bind: "127.0.0.1:0" }
drain: { delay: 0s, timeout: 20s, removed: 300ms }
log: { access: { format: json, to: access.log } }
`;
}

beforeAll(async () => {
  one = await RawOrigin.start(echo);
  two = await RawOrigin.start(echo);
  weir = await WeirProcess.start(config({ backends: [one] }), { env: { WEIR_TEST_HOOKS: '1' } });
});

afterAll(async () => {
  await weir.stop();
  one.stop();
  two.stop();
});

/** Connected through the proxy to a backend; null: closed or reset instead. */
async function joined(): Promise<RawClient | null> {
  // Who is turned away at once may hear of it before it knows that it is connected.
  const client = await RawClient.open(weir.port()).catch(() => null);
  if (client === null) return null;
  client.send('x');
  return client.until((received) => received === 'x').then(() => client, () => null);
}

async function allJoined(count: number): Promise<RawClient[]> {
  return (await Promise.all(Array.from({ length: count }, joined))).map((client) => client!);
}

const closed = (client: RawClient): boolean => client.isClosed || client.isEnded;
const open = 'weir_listener_connections{listener="web"}';
const backendLabels = (origin: RawOrigin): string => `pool="any",backend="127.0.0.1:${origin.port}"`;
const inFlight = (samples: Samples, origin: RawOrigin): number => samples.get(`weir_backend_in_flight{${backendLabels(origin)}}`)!;
const empty = (samples: Samples): boolean => samples.get(open) === 0;

async function leave(clients: readonly RawClient[]): Promise<Samples> {
  for (const client of clients) client.socket.end();
  return untilMetrics(weir, empty);
}

test('counts of connections, bytes and times; a line in the access log', async () => {
  const before = await metricsOf(weir);
  const [client] = await allJoined(1);
  client!.send('yz');
  await client!.until((received) => received === 'xyz');
  const during = await metricsOf(weir);
  expect(during.get(open)).toBe(1);
  expect(inFlight(during, one)).toBe(1);
  expect(during.get(`weir_backend_connections{${backendLabels(one)},state="active"}`)).toBe(1);
  const after = await leave([client!]);
  const grown = (name: string): number => after.get(name)! - before.get(name)!;
  expect(grown('weir_listener_connections_total{listener="web"}')).toBe(1);
  for (const direction of ['received', 'sent']) {
    expect(grown(`weir_listener_bytes_total{listener="web",direction="${direction}"}`)).toBe(3);
    expect(grown(`weir_backend_bytes_total{${backendLabels(one)},direction="${direction}"}`)).toBe(3);
  }
  expect(grown('weir_tcp_connection_seconds_count{listener="web"}')).toBe(1);
  expect(grown(`weir_backend_response_seconds_count{${backendLabels(one)}}`)).toBe(1);
  expect([...after.keys()].filter((name) => name.startsWith('weir_http_'))).toEqual([]);
  expect((await statusOf(weir)).listeners['web']).toMatchObject({ protocol: 'tcp', connections: 0 });
  await weir.reloadBy(() => weir.signal('SIGHUP'));
  let lines = '';
  await until(async () => (lines = await readFile(join(weir.folder, 'access.log'), 'utf8')).includes('\n'));
  expect(JSON.parse(lines.slice(0, lines.indexOf('\n')))).toMatchObject({ listener: 'web', pool: 'any', backend: `127.0.0.1:${one.port}`, client: '127.0.0.1', method: 'TCP', httpVersion: null, status: 0, bytesIn: 3, bytesOut: 3, attempts: 1, error: null });
});

test('places are one number over both workers, of listeners and of backends', async () => {
  await weir.edit(config({ backends: [one], connections: 6 }));
  const held = await allJoined(6);
  for (let i = 0; i < 8; i++) expect(await joined()).toBeNull();
  expect(held.some(closed)).toBe(false);
  await leave(held);

  await weir.edit(config({ backends: [one], perBackend: 6 }));
  const again = await allJoined(6);
  for (let i = 0; i < 8; i++) expect(await joined()).toBeNull();
  const samples = await leave(again);
  expect(samples.get('weir_listener_refused_total{listener="web",reason="limit"}')).toBe(8);
  expect(samples.get('weir_listener_refused_total{listener="web",reason="no-backend"}')).toBe(8);
});

test('a worker that dies takes its own connections with it, and gives all places back', async () => {
  await weir.edit(config({ backends: [one], connections: 12 }));
  const held = await allJoined(12);
  const from = weir.log.length;
  weir.signal('SIGUSR2');
  await weir.line(({ text }) => text === 'worker died', from);
  await until(() => held.some(closed));
  const left = held.filter((client) => !closed(client));
  await untilMetrics(weir, (samples) => samples.get(open) === left.length && inFlight(samples, one) === left.length);
  for (const client of left) {
    client.send('y');
    await client.until((received) => received === 'xy');
  }
  await until(async () => (await statusOf(weir)).workers.every(({ state }) => state === 'running'));
  const more = await allJoined(12 - left.length);
  expect(await joined()).toBeNull();
  await leave([...left, ...more]);
});

test('a backend that leaves the config keeps its connections until drain.removed has passed; others never notice', async () => {
  await weir.edit(config({ backends: [one, two] }));
  const before = await allJoined(8);
  const ofTwo = two.sockets.filter((socket) => !socket.destroyed).length;
  expect(ofTwo).toBeGreaterThan(0);
  const met = new Set<string>();
  for (const client of before) client.socket.on('error', (error: NodeJS.ErrnoException) => met.add(error.code!));
  await weir.edit(config({ backends: [one], idle: '2h' }));
  const since = await allJoined(1);
  await until(() => before.filter(closed).length === ofTwo);
  expect([...met]).toEqual(['ECONNRESET']);
  const left = before.filter((client) => !closed(client));
  for (const client of left) {
    client.send('y');
    await client.until((received) => received === 'xy');
  }
  await leave([...left, ...since]);
});

test('TERM waits for connections that are open, and ends when the last one has', async () => {
  const [client] = await allJoined(1);
  weir.signal('SIGTERM');
  await weir.line(({ text }) => text === 'stopping');
  await until(() => RawClient.open(weir.port()).then(() => false, ({ code }: NodeJS.ErrnoException) => code === 'ECONNREFUSED'));
  client!.send('still there');
  await client!.until((received) => received.endsWith('still there'));
  client!.socket.end();
  expect(await weir.exited).toEqual({ code: 0, signal: null });
});
