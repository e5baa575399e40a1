/** Certificates of clients: who is let in, what backends are told of them, and that nobody else can say it. */
import { createHash, X509Certificate } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import type { ConnectionOptions } from 'node:tls';
import { listenerColumns, TLS_RESULTS, type TlsResult } from '../../../src/shared/counter-pages.ts';
import type { TlsSpec } from '../../../src/shared/snapshot.ts';
import { makeListener, makePool, type ListenerPatch } from '../../support/engine.ts';
import { OK, scenario, type Scenario } from '../../support/engine-scenario.ts';
import { echo, tcpScenario, until } from '../../support/tcp-scenario.ts';
import { makeTls, TestCa, type Issued } from '../../support/test-ca.ts';
import { TlsVisitor } from '../../support/tls-visitor.ts';

const ca = new TestCa('Servers');
const clients = new TestCa('Clients');
const strangers = new TestCa('Strangers');
afterAll(() => [ca, clients, strangers].forEach((each) => each.remove()));
const site = ca.issue({ names: ['localhost'] });
const alice = clients.issue({ names: ['alice.example', 'URI:spiffe://example/alice'], subject: '/C=DE/O=A, "B"/CN=alice' });
const mallory = strangers.issue({ names: ['alice.example'], subject: '/CN=alice' });
const site2 = clients.issue({ names: ['server.example'], usage: 'serverAuth' });

const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const auth = (mode: 'request' | 'require', issuer = clients): TlsSpec => makeTls([site], { clientAuth: { mode, ca: issuer.ca } });
const secured = (tls: TlsSpec, listener: ListenerPatch = {}): Promise<Scenario> => scenario(() => OK, { listener: { ...listener, tls } });
const as = ({ cert, key }: Issued): ConnectionOptions => ({ cert, key });

function handshakes({ engine }: Pick<Scenario, 'engine'>, result: TlsResult): number {
  const live = engine.plane.config!.listeners.get('front')!;
  return live.counters[live.base + listenerColumns.tlsHandshakes + TLS_RESULTS.indexOf(result)]!;
}

/** The request as the backend got it; '' if the client was not let in. */
async function passed(s: Scenario, options: ConnectionOptions = {}, request = GET): Promise<string> {
  const before = s.origin.seen.length;
  const visitor = await TlsVisitor.open(s.port, { ca: ca.ca, ...options }).catch(() => null);
  if (visitor === null) return '';
  visitor.send(request);
  const answer = await visitor.until((text) => text.includes('ok')).catch(() => '');
  visitor.close();
  return answer === '' ? '' : s.origin.seen[before]!.raw;
}
const lineOf = (raw: string): string[] => raw.split('\r\n').filter((line) => /^x-forwarded-client-cert:/i.test(line));

describe('mode: require', () => {
  it('lets in who has a certificate of the authority, in both versions', async () => {
    const s = await secured(auth('require'));
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) expect(await passed(s, { ...as(alice), maxVersion })).toContain('GET / ');
  });

  it.each([
    ['nobody without', {}, 'no-certificate'],
    ['nobody of another authority', as(mallory), 'bad-certificate'],
    ['no server', as(site2), 'bad-certificate'],
    ['nobody with the certificate of another and a key of its own', { cert: site.cert, key: site.key }, 'bad-certificate'],
  ] as const)('lets in %s', async (_, options, result) => {
    const s = await secured(auth('require'));
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) expect(await passed(s, { ...options, maxVersion })).toBe('');
    await until(() => handshakes(s, result) === 2);
    expect([s.origin.seen.length, handshakes(s, 'full')]).toEqual([0, 0]);
    await until(() => s.engine.plane.openConnections === 0);
  });

  it('holds on tcp listeners', async () => {
    const s = await tcpScenario(echo, { listener: { tls: auth('require') } });
    const visitor = await TlsVisitor.open(s.port, { ca: ca.ca, ...as(alice) });
    visitor.send('hello');
    await visitor.until((text) => text === 'hello');
    const other = await TlsVisitor.open(s.port, { ca: ca.ca, ...as(mallory) }).catch(() => null);
    await other?.untilClosed();
    await until(() => handshakes(s, 'bad-certificate') === 1);
    expect(s.origins[0]!.sockets).toHaveLength(1);
  });
});

describe('mode: request', () => {
  it('lets in who shows none, and says nothing of them', async () => {
    const s = await secured(auth('request'));
    expect(lineOf(await passed(s))).toEqual([]);
    expect(lineOf(await passed(s, as(alice)))).toHaveLength(1);
  });

  it('refuses a certificate that is not right all the same', async () => {
    const s = await secured(auth('request'));
    expect(await passed(s, as(mallory))).toBe('');
  });
});

describe('a session taken up again', () => {
  const again = async (s: Scenario, session: Buffer, options: ConnectionOptions): Promise<{ reused: boolean; raw: string }> => {
    const visitor = await TlsVisitor.open(s.port, { ca: ca.ca, ...options, session });
    const reused = visitor.socket.isSessionReused();
    const before = s.origin.seen.length;
    visitor.send(GET);
    await visitor.until((text) => text.includes('ok')).catch(() => '');
    visitor.close();
    return { reused, raw: s.origin.seen[before]?.raw ?? '' };
  };
  const sessionOf = async (s: Scenario, options: ConnectionOptions): Promise<Buffer> => {
    const visitor = await TlsVisitor.open(s.port, { ca: ca.ca, ...options });
    visitor.send(GET);
    await visitor.until((text) => text.includes('ok'));
    const made = await visitor.untilSession();
    visitor.close();
    return made;
  };

  it('is that of the same certificate', async () => {
    const s = await secured(auth('require'));
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { reused, raw } = await again(s, await sessionOf(s, { ...as(alice), maxVersion }), { maxVersion, ...as(alice) });
      expect([reused, lineOf(raw).length]).toEqual([true, 1]);
    }
  });

  it('is not taken where other authorities are asked for', async () => {
    const s = await secured(auth('require'));
    const session = await sessionOf(s, as(alice));
    // The same keys of tickets go on, so it is the ticket's own terms that refuse it.
    await s.engine.load([makeListener(s.port, { tls: auth('require', strangers) })], [makePool([s.origin.port])]);
    await expect(again(s, session, as(alice))).resolves.toMatchObject({ reused: false, raw: '' });
  });
});

describe('what backends are told', () => {
  const hash = createHash('sha256').update(new X509Certificate(alice.cert).raw).digest('hex');
  const LINE = `X-Forwarded-Client-Cert: Hash=${hash};Subject="CN=alice,O=A\\\\, \\\\\\"B\\\\\\",C=DE";DNS=alice.example;URI=spiffe://example/alice`;

  it('is fingerprint, subject and names, as Envoy writes them', async () => {
    const s = await secured(auth('require'));
    expect(lineOf(await passed(s, as(alice)))).toEqual([LINE]);
  });

  it('is never what a client says, in the clear or over TLS, with a certificate or without, in whatever spelling', async () => {
    const spoofed = GET.replace('\r\n\r\n', '\r\nX-Forwarded-Client-Cert: Hash=00\r\nx-forwarded_client-cert: Hash=01\r\nX_FORWARDED_CLIENT_CERT: Hash=02\r\n\r\n');
    const s = await secured(auth('request'));
    expect(await passed(s, {}, spoofed)).not.toMatch(/Hash=0[012]/);
    const known = await passed(s, as(alice), spoofed);
    expect(lineOf(known)).toEqual([LINE]);
    expect(known).not.toMatch(/Hash=0[012]\r/);
    const plain = await scenario(() => OK);
    await plain.ask(spoofed, 'ok');
    expect(plain.origin.seen[0]!.raw).not.toMatch(/Hash=0/);
  });

  it('is what a trusted proxy says, and then its own certificate', async () => {
    const s = await secured(auth('request'), { trustedProxies: ['127.0.0.0/8'] });
    const told = GET.replace('\r\n\r\n', '\r\nX-Forwarded-Client-Cert: Hash=aa\r\n\r\n');
    expect(lineOf(await passed(s, {}, told))).toEqual(['X-Forwarded-Client-Cert: Hash=aa']);
    expect(lineOf(await passed(s, as(alice), told))).toEqual(['X-Forwarded-Client-Cert: Hash=aa', LINE]);
  });

  it('can be taken out by a route', async () => {
    const s = await secured(auth('require'), { routes: [{ requestHeaders: { remove: ['X-Forwarded-Client-Cert'], set: [], add: [] } }] });
    expect(lineOf(await passed(s, as(alice)))).toEqual([]);
  });
});
