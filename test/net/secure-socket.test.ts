/** What is leaned on beyond what the runtime documents: where one of these is missing, a door stays closed and none opens. */
import { once } from 'node:events';
import { connect as connectPlain, createServer, type AddressInfo, type Socket } from 'node:net';
import { connect, createSecureContext, type SecureContext } from 'node:tls';
import { randomFillSync, type X509Certificate } from 'node:crypto';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { SecureSocket, UnverifiedError, type HandshakeTarget } from '../../src/net/secure-socket.ts';
import { asksForTicketKeys, TicketKeys } from '../../src/net/ticket-keys.ts';
import { TicketMemory } from '../../src/shared/ticket-memory.ts';
import { TestCa } from '../support/test-ca.ts';

const ca = new TestCa();
const site = ca.issue();
const client = ca.issue({ names: ['client.example'] });
afterAll(() => ca.remove());

const toStop: (() => void)[] = [];
afterEach(() => {
  for (const stop of toStop.splice(0)) stop();
});

type Outcome = { readonly is: 'secured'; readonly certificate: X509Certificate | null } | { readonly is: 'failed'; readonly error: Error | null };

/** One handshake on our side; `meddle` takes away what a runtime may not have. */
async function shaken(meddle: (socket: SecureSocket) => void, act: (port: number) => Socket, clientAuth: 'off' | 'request' | 'require' = 'off'): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const target: HandshakeTarget = { onSecured: (certificate) => outcomes.push({ is: 'secured', certificate }), onHandshakeFailed: (error) => outcomes.push({ is: 'failed', error }) };
  const server = createServer((raw) => {
    raw.on('error', () => undefined);
    const socket = new SecureSocket(raw, { context: createSecureContext({ cert: site.cert, key: site.key, ca: ca.ca }), alpn: [], clientAuth }, target);
    toStop.push(() => socket.destroy());
    meddle(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const peer = act((server.address() as AddressInfo).port);
  toStop.push(() => peer.destroy(), () => server.close());
  peer.on('error', () => undefined).resume();
  while (outcomes.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  return outcomes;
}
const withCertificate = (port: number): Socket => connect({ port, host: '127.0.0.1', servername: 'localhost', ca: ca.ca, cert: client.cert, key: client.key });
const withoutTls = (port: number): Socket => connectPlain(port, '127.0.0.1').on('connect', function (this: Socket) {
  this.write('GET / HTTP/1.1\r\n\r\n');
});
const ssl = (socket: SecureSocket): Record<string, unknown> => (socket as unknown as { ssl: Record<string, unknown> }).ssl;

describe('a runtime that has all of it', () => {
  it('secures a client with the right certificate, and tells why another failed', async () => {
    expect(await shaken(() => undefined, withCertificate, 'require')).toEqual([{ is: 'secured', certificate: expect.anything() }]);
    expect(await shaken(() => undefined, withoutTls)).toEqual([{ is: 'failed', error: expect.objectContaining({ code: expect.stringMatching(/^ERR_SSL_/) }) }]);
  });
});

it('a connection that is secured keeps nothing of its handshake: the listeners left are those of all sockets', async () => {
  const sockets: SecureSocket[] = [];
  for (let i = 0; i < 2; i++) await shaken((socket) => sockets.push(socket), withCertificate, 'require');
  for (const event of ['_tlsError', 'error']) expect(sockets[1]!.listeners(event)).toContain(sockets[0]!.listeners(event).at(-1));
  expect(sockets.map((socket) => socket.listenerCount('secure'))).toEqual([0, 0]);
});

it('a client that ends in the middle of its handshake is gone at once', async () => {
  const hello = await new Promise<Buffer>((resolve) => {
    const ear = createServer((socket) => socket.once('data', (bytes: Buffer) => (resolve(bytes), socket.destroy(), ear.close())));
    ear.listen(0, '127.0.0.1', () => connect((ear.address() as AddressInfo).port, '127.0.0.1', { servername: 'localhost' }).on('error', () => undefined));
  });
  const outcomes = await shaken(() => undefined, (port) => connectPlain({ port, host: '127.0.0.1', allowHalfOpen: true }).on('connect', function (this: Socket) {
    this.end(hello);
  }));
  expect(outcomes).toEqual([{ is: 'failed', error: null }]);
});

describe('a runtime without', () => {
  it.each(['request', 'require'] as const)('a verdict on certificates refuses every one (%s)', async (mode) => {
    const [outcome, ...others] = await shaken((socket) => Object.defineProperty(ssl(socket), 'verifyError', { value: undefined }), withCertificate, mode);
    expect([outcome, others]).toEqual([{ is: 'failed', error: expect.any(UnverifiedError) }, []]);
    expect(outcome).toMatchObject({ error: { code: 'VERDICT_UNKNOWN' } });
  });

  it('a verdict that says anything but "none" refuses', async () => {
    for (const verdict of [new Error('x'), Object.assign(new Error('x'), { code: 'CERT_HAS_EXPIRED' }), true, 0]) {
      const [outcome] = await shaken((socket) => Object.defineProperty(ssl(socket), 'verifyError', { value: () => verdict }), withCertificate, 'request');
      expect(outcome).toMatchObject({ is: 'failed', error: expect.any(UnverifiedError) });
    }
  });

  it('the event of an error in TLS still ends what failed', async () => {
    const outcomes = await shaken((socket) => socket.removeAllListeners('_tlsError'), withoutTls);
    expect(outcomes.map((outcome) => outcome.is)).toEqual(['failed']);
  });

  it('the question for keys of tickets goes on with keys of its own', () => {
    const memory = TicketMemory.create(randomFillSync);
    const bare: SecureContext = { context: {} };
    expect(asksForTicketKeys()).toBe(true);
    expect([asksForTicketKeys(bare), new TicketKeys(memory).serve(bare)]).toEqual([false, false]);
    expect(new TicketKeys(memory).serve(createSecureContext())).toBe(true);
  });
});
