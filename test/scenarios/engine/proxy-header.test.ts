/** PROXY headers in front of HTTP clients: whose are read, what becomes of the client's address, and what is refused. */
import { describe, expect, it } from 'vitest';
import { listenerColumns, REFUSALS } from '../../../src/shared/counter-pages.ts';
import { buildProxyHeader } from '../../../src/net/proxy-protocol.ts';
import type { ListenerSpec } from '../../../src/shared/snapshot.ts';
import { OK, scenario, stableHead, type Scenario } from '../../support/engine-scenario.ts';
import { ENDS_V6, v2Header } from '../../support/proxy-bytes.ts';
import { makeRoute, type ListenerPatch, type RawClient } from '../../support/engine.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const FROM = { sourceAddress: '192.0.2.7', sourcePort: 4711, destinationAddress: '198.51.100.1', destinationPort: 8443 };
const headerOf = { v1: buildProxyHeader('v1', FROM), v2: buildProxyHeader('v2', FROM, { authority: 'a', hasChecksum: true }) };

const listening = (proxyProtocol: ListenerSpec['proxyProtocol'], more: ListenerPatch = {}): { listener: ListenerPatch } => ({ listener: { proxyProtocol, trustedProxies: ['127.0.0.0/8'], ...more } });

function refused({ engine }: Scenario): number {
  const live = engine.plane.config!.listeners.get('front')!;
  return live.counters[live.base + listenerColumns.refused + REFUSALS.indexOf('proxy-header')]!;
}

async function closed(client: RawClient): Promise<string> {
  await client.untilEnd();
  return client.received;
}

describe.each(['v1', 'v2'] as const)('a header of version %s', (version) => {
  it('names the client from then on, for all requests of its connection', async () => {
    const s = await scenario(() => OK, listening('require'));
    const client = await s.client();
    client.send(Buffer.concat([headerOf[version], Buffer.from(GET)]));
    await client.until((text) => text.includes('ok'));
    client.send('GET /2 HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n');
    await s.origin.until(2);
    // The client is not trusted, whoever passes its connection on: what it says of others is dropped.
    for (const { raw } of s.origin.seen) {
      expect(raw).toContain('X-Forwarded-For: 192.0.2.7\r\n');
      expect(raw).toContain('X-Forwarded-Port: 8443\r\n');
    }
    expect(refused(s)).toBe(0);
  });

  it('may come byte by byte', async () => {
    const s = await scenario(() => OK, listening('accept'));
    const client = await s.client();
    client.socket.setNoDelay(true);
    for (const byte of Buffer.concat([headerOf[version], Buffer.from(GET)])) {
      client.send(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.until((text) => text.includes('ok'));
    expect(s.origin.seen[0]!.raw).toContain('X-Forwarded-For: 192.0.2.7\r\n');
  });
});

describe('the address it names', () => {
  it('is what sources are matched by', async () => {
    const respond = (name: string, source: string[] | null): ReturnType<typeof makeRoute> => ({ ...makeRoute({ name, action: { kind: 'respond', status: 200, body: name, contentType: 'text/plain' } }), match: { ...makeRoute().match, source } });
    const s = await scenario(() => OK, listening('accept', { routes: [respond('named', ['192.0.2.0/24']), respond('peer', ['127.0.0.0/8'])] }));
    expect(await s.ask(headerOf.v1.toString() + GET, 'named')).toContain('named');
    expect(await s.ask(GET, 'peer')).toContain('peer');
  });

  it('is believed of X-Forwarded-For if it is a trusted proxy itself', async () => {
    const s = await scenario(() => OK, listening('accept', { trustedProxies: ['127.0.0.0/8', '192.0.2.7/32'] }));
    await s.ask(`${headerOf.v1.toString()}GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n`, 'ok');
    expect(s.origin.seen[0]!.raw).toContain('X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\n');
  });

  it('may be of IPv6', async () => {
    const s = await scenario(() => OK, listening('require'));
    await s.ask(Buffer.concat([v2Header(0x21, 0x21, [ENDS_V6]), Buffer.from(GET)]).toString('latin1'), 'ok');
    expect(s.origin.seen[0]!.raw).toContain('X-Forwarded-For: 2001:db8::1\r\n');
  });

  it.each([
    ['LOCAL', v2Header(0x20, 0, [])],
    ['UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n')],
  ])('is the own one of the connection for %s', async (_, header) => {
    const s = await scenario(() => OK, listening('require'));
    await s.ask(header.toString('latin1') + GET, 'ok');
    expect(s.origin.seen[0]!.raw).toContain('X-Forwarded-For: 127.0.0.1\r\n');
  });
});

describe('without a header', () => {
  it('accept serves a trusted sender as it is, whatever it begins with', async () => {
    const s = await scenario(() => OK, listening('accept'));
    for (const request of [GET, '\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', 'PROXYING / HTTP/1.1\r\nHost: a\r\n\r\n']) await s.ask(request, 'ok');
    expect(s.origin.seen.every(({ raw }) => raw.includes('X-Forwarded-For: 127.0.0.1\r\n'))).toBe(true);
    expect(refused(s)).toBe(0);
  });

  it('require closes the connection, and counts it', async () => {
    const s = await scenario(() => OK, listening('require'));
    const client = await s.client();
    client.send(GET);
    expect(await closed(client)).toBe('');
    expect([refused(s), s.origin.seen.length]).toEqual([1, 0]);
    expect(s.engine.messages).toContainEqual({ kind: 'log', level: 'debug', text: 'a connection was refused', fields: { listener: 'front', reason: 'proxy-header', client: '127.0.0.1', detail: 'there is no header' } });
  });

  it('a beginning of one and an end of the connection is a request cut short, with accept', async () => {
    const s = await scenario(() => OK, listening('accept'));
    const client = await s.client();
    client.send('PROX');
    client.socket.end();
    await closed(client);
    expect(refused(s)).toBe(0);
  });

  it('nothing at all is closed in silence once the header is overdue', async () => {
    const s = await scenario(() => OK, listening('require', { timeouts: { headerMs: 200 } }));
    expect(await closed(await s.client())).toBe('');
    expect(refused(s)).toBe(0);
  });
});

describe('a header that is refused', () => {
  it.each([
    ['accept', 'PROXY TCP4 1.2.3.4 1.2.3 1 2\r\n'],
    ['require', 'PROXY TCP4 1.2.3.4 1.2.3 1 2\r\n'],
    ['accept', `${headerOf.v2.toString('latin1').slice(0, 30)}x${headerOf.v2.toString('latin1').slice(31)}`],
  ] as const)('with %s: %j is malformed', async (proxyProtocol, header) => {
    const s = await scenario(() => OK, listening(proxyProtocol));
    const client = await s.client();
    client.send(header + GET);
    expect(await closed(client)).toBe('');
    expect([refused(s), s.origin.seen.length]).toEqual([1, 0]);
  });

  it('is one that is not whole in time', async () => {
    const s = await scenario(() => OK, listening('accept', { timeouts: { headerMs: 200 } }));
    const client = await s.client();
    client.send('PROXY TCP4 1.2');
    expect(await closed(client)).toBe('');
    expect(refused(s)).toBe(1);
  });

  it('is one of a sender that is not trusted, with require; with accept its bytes are ordinary ones', async () => {
    const required = await scenario(() => OK, listening('require', { trustedProxies: ['10.0.0.0/8'] }));
    const client = await required.client();
    client.send(headerOf.v1.toString() + GET);
    expect(await closed(client)).toBe('');
    expect([refused(required), required.origin.seen.length]).toEqual([1, 0]);
    const accepted = await scenario(() => OK, listening('accept', { trustedProxies: ['10.0.0.0/8'] }));
    expect(await accepted.ask(headerOf.v1.toString() + GET)).toMatch(/^HTTP\/1\.1 400 /);
    expect([refused(accepted), accepted.origin.seen.length]).toEqual([0, 0]);
  });

  it('counts as a head that is late if the request behind it is', async () => {
    const s = await scenario(() => OK, listening('require', { timeouts: { headerMs: 200 } }));
    const client = await s.client();
    client.send(`${headerOf.v1.toString()}GET / HT`);
    expect(await client.untilEnd()).toMatch(/^HTTP\/1\.1 408 /);
    expect(refused(s)).toBe(0);
  });
});

it('off never reads one', async () => {
  const s = await scenario(() => OK, listening('off'));
  expect(stableHead(await s.ask(headerOf.v1.toString() + GET))[0]).toBe('HTTP/1.1 400 Bad Request');
});
