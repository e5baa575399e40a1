/** A whole proxy behind another one: the client that a PROXY header names counts in routes, hashes, limits and the log; hellos are routed by the short form. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildProxyHeader } from '../../../src/net/proxy-protocol.ts';
import { helloMessage, inRecords, serverNameExtension } from '../../support/client-hellos.ts';
import { RawClient, RawOrigin } from '../../support/engine.ts';
import { rawRequest } from '../../support/raw-http.ts';
import { untilMetrics } from '../../support/visitor.ts';
import { until, WeirProcess } from '../../support/weir-process.ts';

const origins: RawOrigin[] = [];
let weir: WeirProcess;

beforeAll(async () => {
  for (const name of ['one', 'two', 'three']) {
    origins.push(await RawOrigin.start((socket) => socket.on('data', () => socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${name.length}\r\n\r\n${name}`))));
  }
  const [one, two, three] = origins.map(({ port }) => `127.0.0.1:${port}`);
  weir = await WeirProcess.start(`
listeners:
  web:
    bind: "127.0.0.1:0"
    trustedProxies: [127.0.0.0/8]
    proxyProtocol: require
    routes:
      - { match: { path: /limited }, pool: web, rateLimit: { key: client-ip, rate: 1/h, burst: 1 } }
      - { match: { path: /inside, source: 192.0.2.0/24 }, respond: { body: inside } }
      - { match: { path: /inside }, respond: { status: 403 } }
    pool: web
  tls:
    bind: "127.0.0.1:0"
    protocol: tcp
    sni: { a.example.com: one, "*.example.com": two }
    pool: three
pools:
  web: { algorithm: source-hash, backends: ["${one}", "${two}", "${three}"] }
  one: { backends: ["${one}"] }
  two: { backends: ["${two}"] }
  three: { backends: ["${three}"] }
admin: { bind: "127.0.0.1:0" }
log: { access: { format: json } }
`);
});
afterAll(async () => {
  await weir.stop();
  for (const origin of origins) origin.stop();
});

function ask(path: string, sourceAddress: string): ReturnType<typeof rawRequest> {
  const header = buildProxyHeader('v2', { sourceAddress, sourcePort: 1234, destinationAddress: '198.51.100.1', destinationPort: 80 }, { hasChecksum: true });
  return rawRequest(weir.port(), Buffer.concat([header, Buffer.from(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)]));
}

test('sources are matched by it', async () => {
  expect([(await ask('/inside', '192.0.2.9')).status, (await ask('/inside', '203.0.113.9')).status]).toEqual([200, 403]);
});

test('each client has a limit of its own', async () => {
  const statuses = [];
  for (const client of ['192.0.2.1', '192.0.2.1', '192.0.2.2', '192.0.2.2']) statuses.push((await ask('/limited', client)).status);
  expect(statuses).toEqual([200, 429, 200, 429]);
});

test('each client meets the same backend, and clients meet all', async () => {
  const met = new Map<string, string>();
  for (let i = 0; i < 40; i++) {
    const client = `192.0.2.${i % 20}`;
    const { body } = await ask('/', client);
    expect(met.get(client) ?? body).toBe(body);
    met.set(client, body);
  }
  expect(new Set(met.values()).size).toBe(3);
});

test('the access log has it, and what was refused counts', async () => {
  await ask('/logged', '2001:db8::9');
  expect(await rawRequest(weir.port(), 'GET /unnamed HTTP/1.1\r\nHost: a\r\n\r\n').catch(() => ({ status: NaN }))).toMatchObject({ status: NaN });
  await untilMetrics(weir, (samples) => samples.get('weir_listener_refused_total{listener="web",reason="proxy-header"}') === 1);
  const entries = (): Record<string, unknown>[] => weir.out.split('\n').slice(0, -1).filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);
  // Each worker writes its own lines when it is their time.
  await until(() => entries().some(({ error }) => error === 'proxy-header-refused') && entries().some(({ target }) => target === '/logged'));
  expect(entries().find(({ target }) => target === '/logged')).toMatchObject({ client: '2001:db8::9', status: 200 });
});

test('names find their pools by the short form, others the listener’s own', async () => {
  const got: string[] = [];
  for (const name of ['a.example.com', 'b.example.com', 'example.com']) {
    const client = await RawClient.open(weir.port('tls'));
    client.send(inRecords(helloMessage([serverNameExtension(name)]), [50]));
    got.push((await client.until((text) => text.includes('\r\n\r\n') && !text.endsWith('\r\n\r\n'))).split('\r\n\r\n')[1]!);
    client.close();
  }
  expect(got).toEqual(['one', 'two', 'three']);
  const plain = await RawClient.open(weir.port('tls'));
  plain.send('GET / HTTP/1.1\r\n\r\n');
  expect(await plain.untilEnd()).toBe('');
  await untilMetrics(weir, (samples) => samples.get('weir_listener_refused_total{listener="tls",reason="client-hello"}') === 1);
});
