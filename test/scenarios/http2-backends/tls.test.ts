/** HTTP/2 to backends over TLS: agreed on by ALPN, with the certificate held to its name. */
import { once } from 'node:events';
import { createSecureServer, type Http2SecureServer, type IncomingHttpHeaders, type SecureServerOptions, type ServerHttp2Stream } from 'node:http2';
import { createServer, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, expect, it } from 'vitest';
import type { BackendTlsSpec } from '../../../src/shared/snapshot.ts';
import { inFrontOf } from '../../support/http2-origin.ts';
import { TestCa } from '../../support/test-ca.ts';

const ca = new TestCa('Backends');
const strangers = new TestCa('Strangers');
afterAll(() => [ca, strangers].forEach((each) => each.remove()));
const named = ca.issue({ names: ['api.internal'] });
const foreign = strangers.issue({ names: ['api.internal'] });
const GET = 'GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n';
const trusting: BackendTlsSpec = { ca: ca.ca, serverName: 'api.internal', cert: null, key: null, verify: true, minVersion: 'TLSv1.2' };

const toStop: (() => void)[] = [];
afterEach(() => {
  for (const stop of toStop.splice(0)) stop();
});

async function origin(options: SecureServerOptions): Promise<{ port: number; requests: IncomingHttpHeaders[]; sockets: TLSSocket[] }> {
  const server: Http2SecureServer = createSecureServer(options);
  const made = { port: 0, requests: [] as IncomingHttpHeaders[], sockets: [] as TLSSocket[] };
  server.on('secureConnection', (socket: TLSSocket) => void made.sockets.push(socket));
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    made.requests.push(headers);
    stream.respond({ ':status': 200 });
    stream.end('x'.repeat(100_000));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  made.port = (server.address() as AddressInfo).port;
  toStop.push(() => server.close(), () => made.sockets.forEach((socket) => socket.destroy()));
  return made;
}

it('requests share a connection whose certificate is right, and say https', async () => {
  const backend = await origin({ cert: named.cert, key: named.key });
  const s = await inFrontOf([backend.port], { pool: { protocol: 'h2', tls: trusting } });
  const answers = await Promise.all(Array.from({ length: 10 }, () => s.ask(GET)));
  for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 200 OK[^]*x{1000}[^]*0\r\n\r\n$/);
  expect(backend.requests[0]).toMatchObject({ ':scheme': 'https', ':authority': 'shop.example' });
  expect(backend.sockets).toHaveLength(1);
  expect(backend.sockets[0]!.alpnProtocol).toBe('h2');
});

it('nothing is sent to a backend whose certificate is another’s', async () => {
  const backend = await origin({ cert: foreign.cert, key: foreign.key });
  const s = await inFrontOf([backend.port], { pool: { protocol: 'h2', tls: trusting } });
  expect(await s.ask(GET)).toMatch(/^HTTP\/1\.1 50[23] /);
  expect(backend.requests).toHaveLength(0);
});

it('nothing is sent to a backend that does not agree on HTTP/2', async () => {
  let received = 0;
  const server = createServer({ cert: named.cert, key: named.key, ALPNProtocols: ['http/1.1'] }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => (received += bytes.length));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  toStop.push(() => server.close());
  const s = await inFrontOf([(server.address() as AddressInfo).port], { pool: { protocol: 'h2', tls: trusting } });
  expect(await s.ask(GET)).toMatch(/^HTTP\/1\.1 50[23] /);
  expect(received).toBe(0);
});
