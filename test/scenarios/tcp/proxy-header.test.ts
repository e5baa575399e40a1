/** PROXY headers of tcp connections: read in front of the client's, written in front of the backend's. */
import { describe, expect, it } from 'vitest';
import { ProxyHeader } from '../../../src/net/proxy-header.ts';
import { buildProxyHeader, parseProxyHeader } from '../../../src/net/proxy-protocol.ts';
import { listenerColumns, REFUSALS } from '../../../src/shared/counter-pages.ts';
import type { ListenerSpec } from '../../../src/shared/snapshot.ts';
import { alpnExtension, helloMessage, inRecords, serverNameExtension } from '../../support/client-hellos.ts';
import { makeRoute, RawOrigin, type ListenerPatch, type PoolPatch } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { v2Header } from '../../support/proxy-bytes.ts';
import { RecordedLines } from '../../support/recorded-lines.ts';
import { echo, listenerCount, openConnections, tcpScenario, until, type TcpScenario } from '../../support/tcp-scenario.ts';

const FROM = { sourceAddress: '192.0.2.7', sourcePort: 4711, destinationAddress: '198.51.100.1', destinationPort: 8443 };
const headerOf = { v1: buildProxyHeader('v1', FROM), v2: buildProxyHeader('v2', FROM, { authority: 'a.example', uniqueId: Buffer.from('id-7'), hasChecksum: true }) };
const hello = inRecords(helloMessage([serverNameExtension('b.example'), alpnExtension('h2')]));
const { match } = makeRoute();

const listening = (proxyProtocol: ListenerSpec['proxyProtocol'], more: ListenerPatch = {}): ListenerPatch => ({ proxyProtocol, trustedProxies: ['127.0.0.0/8'], ...more });
const refused = (s: TcpScenario, reason: (typeof REFUSALS)[number] = 'proxy-header'): number => listenerCount(s, listenerColumns.refused + REFUSALS.indexOf(reason));

/** What a client that sends `bytes` and then waits for an end gets back. */
async function answered(s: TcpScenario, bytes: Buffer | string, end?: string): Promise<string> {
  const client = await s.client();
  client.send(bytes);
  return end === undefined ? client.untilEnd() : client.until((text) => text.endsWith(end));
}

describe.each(['v1', 'v2'] as const)('a header of version %s from the client', (version) => {
  it('is taken off, and what follows it goes over', async () => {
    for (const proxyProtocol of ['accept', 'require'] as const) {
      const s = await tcpScenario(echo, { listener: listening(proxyProtocol) });
      expect(await answered(s, Buffer.concat([headerOf[version], Buffer.from('hello')]), 'hello')).toBe('hello');
      expect([refused(s), listenerCount(s, listenerColumns.bytesIn)]).toEqual([0, headerOf[version].length + 5]);
    }
  });

  it('may come byte by byte, and alone: the server speaks first then', async () => {
    const s = await tcpScenario((socket) => void socket.write('220 ready'), { listener: listening('require') });
    const client = await s.client();
    client.socket.setNoDelay(true);
    for (const byte of headerOf[version]) {
      client.send(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await client.until((text) => text.length > 0)).toBe('220 ready');
  });
});

describe('without a header that is believed', () => {
  it('accept passes bytes on as they came', async () => {
    const s = await tcpScenario(echo, { listener: listening('accept') });
    expect(await answered(s, 'PROXYING', 'PROXYING')).toBe('PROXYING');
    const client = await s.client();
    client.send('PROX');
    client.socket.end();
    expect(await client.untilEnd()).toBe('PROX');
    const stranger = await tcpScenario(echo, { listener: listening('accept', { trustedProxies: ['10.0.0.0/8'] }) });
    expect(await answered(stranger, headerOf.v1, '\r\n')).toBe(headerOf.v1.toString());
    expect([refused(s), refused(stranger)]).toEqual([0, 0]);
  });

  it.each([
    ['of bytes that are none', {}, Buffer.from('hello'), 'there is no header'],
    ['of a broken one', {}, Buffer.from('PROXY TCP4 1.2.3.256 '), 'the header is malformed'],
    ['of a wrong checksum', {}, v2Header(0x21, 0, [Buffer.from([3, 0, 4, 1, 2, 3, 4])]), 'the header is malformed'],
    ['of a sender that is not trusted', { trustedProxies: ['10.0.0.0/8'] }, headerOf.v2, 'the sender is not trusted'],
    ['of one that is late', { timeouts: { headerMs: 200 } }, Buffer.from('PROXY TCP4 1.2'), 'it did not come in time'],
  ])('require closes the connection %s', async (_, more, bytes, detail) => {
    const s = await tcpScenario(echo, { listener: listening('require', more) });
    expect(await answered(s, bytes)).toBe('');
    await until(() => openConnections(s) === 0);
    expect([refused(s), s.origins[0]!.sockets.length]).toEqual([1, 0]);
    expect(s.engine.messages).toContainEqual({ kind: 'log', level: 'debug', text: 'a connection was refused', fields: { listener: 'front', reason: 'proxy-header', client: '127.0.0.1', detail } });
  });

  it('require closes silence in time, and an end at once, without counting them', async () => {
    const s = await tcpScenario(echo, { listener: listening('require', { timeouts: { headerMs: 200 } }) });
    const [silent, ended] = [await s.client(), await s.client()];
    ended.socket.end();
    expect([await silent.untilEnd(), await ended.untilEnd(), refused(s)]).toEqual(['', '', 0]);
    await until(() => openConnections(s) === 0);
  });
});

describe('the address it names', () => {
  it('is what sources are matched by, and a hello may follow', async () => {
    const routes = [makeRoute({ name: 'named', match: { ...match, source: ['192.0.2.0/24'], sni: [{ kind: 'exact', value: 'b.example' }] } })];
    const s = await tcpScenario(echo, { listener: listening('accept', { routes }) });
    expect(await answered(s, Buffer.concat([headerOf.v1, hello]), hello.toString('latin1').slice(-9))).toBe(hello.toString('latin1'));
    expect(await answered(s, hello)).toBe('');
    expect([refused(s), refused(s, 'no-route')]).toEqual([0, 1]);
  });

  it('is not that of a LOCAL one', async () => {
    const s = await tcpScenario(echo, { listener: listening('require', { routes: [makeRoute({ match: { ...match, source: ['127.0.0.0/8'] } })] }) });
    expect(await answered(s, Buffer.concat([buildProxyHeader('v2', null), Buffer.from('x')]), 'x')).toBe('x');
  });
});

describe('the header to the backend', () => {
  const header = new ProxyHeader();

  /** The first bytes that the backend gets of a client that sends `bytes`, as a header; and what follows it. */
  async function greeted(pool: PoolPatch, listener: ListenerPatch, bytes: Buffer, followed = 0): Promise<{ rest: Buffer; port: number; clientPort: number }> {
    let got = Buffer.alloc(0);
    const s = await tcpScenario((socket) => void socket.on('data', (part: Buffer) => (got = Buffer.concat([got, part]))), { pool, listener });
    const client = await s.client();
    client.send(bytes);
    await until(() => parseProxyHeader(got, 0, got.length, header) === 'ok' && got.length >= header.headerBytes + followed);
    return { rest: got.subarray(header.headerBytes), port: s.port, clientPort: client.socket.localPort! };
  }

  it.each(['v1', 'v2'] as const)('%s names the client and where it came to, though the client says nothing', async (proxyProtocol) => {
    const { port, clientPort } = await greeted({ proxyProtocol }, {}, Buffer.alloc(0));
    expect([header.version, header.sourceAddress, header.sourcePort, header.destinationAddress, header.destinationPort]).toEqual([proxyProtocol === 'v1' ? 1 : 2, '127.0.0.1', clientPort, '127.0.0.1', port]);
    if (proxyProtocol === 'v2') expect([header.isChecked, /^[0-9a-f]{32}$/.test(header.uniqueId!.toString()), header.authority, header.alpn]).toEqual([true, true, null, null]);
  });

  it('says what the hello asks for, if that was read, and the hello follows', async () => {
    const routes = [makeRoute({ match: { ...match, sni: [{ kind: 'exact', value: 'b.example' }] } })];
    const { rest } = await greeted({ proxyProtocol: 'v2' }, { routes }, hello, hello.length);
    expect([header.authority?.toString(), header.alpn?.toString(), header.isChecked]).toEqual(['b.example', 'h2', true]);
    expect(rest.equals(hello)).toBe(true);
  });

  it('names no protocol where several were offered', async () => {
    const several = inRecords(helloMessage([serverNameExtension('b.example'), alpnExtension('h2', 'http/1.1')]));
    await greeted({ proxyProtocol: 'v2' }, { routes: [makeRoute({ match: { ...match, alpn: ['h2'] } })] }, several);
    expect([header.authority?.toString(), header.alpn]).toEqual(['b.example', null]);
  });

  it('passes on the ends, the id and the name of a header that came', async () => {
    const { rest } = await greeted({ proxyProtocol: 'v2' }, listening('require'), Buffer.concat([headerOf.v2, hello]), hello.length);
    expect([header.sourceAddress, header.sourcePort, header.destinationAddress, header.destinationPort]).toEqual(['192.0.2.7', 4711, '198.51.100.1', 8443]);
    expect([header.uniqueId?.toString(), header.authority?.toString(), header.isChecked]).toEqual(['id-7', 'a.example', true]);
    expect(rest.equals(hello)).toBe(true);
  });

  it('says what the hello asks for, whatever a header that came said', async () => {
    const routes = [makeRoute({ match: { ...match, sni: [{ kind: 'exact', value: 'b.example' }] } })];
    await greeted({ proxyProtocol: 'v2' }, listening('require', { routes }), Buffer.concat([headerOf.v2, hello]), hello.length);
    expect([header.uniqueId?.toString(), header.authority?.toString()]).toEqual(['id-7', 'b.example']);
  });

  it('has the id that the access log has of the connection', async () => {
    let got = Buffer.alloc(0);
    const routes = [makeRoute({ match: { ...match, sni: [{ kind: 'exact', value: 'b.example' }] } })];
    const s = await tcpScenario((socket) => void socket.on('data', (part: Buffer) => (got = Buffer.concat([got, part]))), { pool: { proxyProtocol: 'v2' }, listener: { routes } });
    const lines = new RecordedLines();
    s.engine.context.accessLog = lines.log;
    (await s.client()).send(hello);
    await until(() => parseProxyHeader(got, 0, got.length, header) === 'ok');
    s.engine.plane.cut();
    await until(() => lines.entries.length === 1);
    expect(lines.entries[0]).toMatchObject({ requestId: header.uniqueId!.toString(), host: 'b.example' });
  });

  it('is written on the connection of another attempt, once', async () => {
    let got = Buffer.alloc(0);
    const origin = await RawOrigin.start((socket) => void socket.on('data', (part: Buffer) => (got = Buffer.concat([got, part]))));
    const both = await tcpScenario(echo, { pool: { proxyProtocol: 'v1', backends: [{ port: await freePort() }, { port: origin.port }] } });
    for (let i = 0; i < 2; i++) {
      got = Buffer.alloc(0);
      const client = await both.client();
      client.send('x');
      await until(() => got.toString().endsWith('x'));
      expect(got.toString()).toBe(`PROXY TCP4 127.0.0.1 127.0.0.1 ${client.socket.localPort} ${both.port}\r\nx`);
    }
    origin.stop();
  });
});
