/** What a TLS listener is sent that is no handshake, or one that does not come about: each has an end, a count and a reason. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listenerColumns, REFUSALS, TLS_RESULTS, type TlsResult } from '../../../src/shared/counter-pages.ts';
import type { ListenerPatch, RawClient } from '../../support/engine.ts';
import { OK, scenario, type Scenario } from '../../support/engine-scenario.ts';
import { alpnExtension, helloMessage, inRecords, recordedHellos, serverNameExtension } from '../../support/client-hellos.ts';
import { tcpScenario, echo, until } from '../../support/tcp-scenario.ts';
import { makeTls, TestCa, type Issued } from '../../support/test-ca.ts';
import { TlsVisitor } from '../../support/tls-visitor.ts';

const ca = new TestCa();
let site: Issued;
beforeAll(() => {
  site = ca.issue({ names: ['localhost'] });
});
afterAll(() => ca.remove());

const secured = (listener: ListenerPatch = {}): Promise<Scenario> => scenario(() => OK, { listener: { tls: makeTls([site]), ...listener } });

type Counted = Pick<Scenario, 'engine'>;
function cell({ engine }: Counted, column: number): number {
  const live = engine.plane.config!.listeners.get('front')!;
  return live.counters[live.base + column]!;
}
const handshakes = (s: Counted, result: TlsResult): number => cell(s, listenerColumns.tlsHandshakes + TLS_RESULTS.indexOf(result));
const refused = (s: Counted): number => cell(s, listenerColumns.refused + REFUSALS.indexOf('tls'));
const reasons = ({ engine }: Counted): unknown[] => engine.messages.flatMap((message) => (message.kind === 'log' && message.text === 'a connection was refused' ? [message.fields.detail] : []));

async function send(s: Scenario, bytes: Buffer | string): Promise<string> {
  const client = await s.client();
  client.send(bytes);
  await client.untilEnd();
  client.close();
  return client.received;
}

describe('plain text on a TLS port', () => {
  it('gets a 400 that says what is wrong, if it is HTTP', async () => {
    const s = await secured();
    const answer = await send(s, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(answer).toContain('Connection: close\r\n');
    expect(answer).toContain('https://');
    await until(() => s.engine.plane.openConnections === 0);
    expect([handshakes(s, 'plain-text'), refused(s), s.origin.seen.length]).toEqual([1, 1, 0]);
    expect(reasons(s)).toEqual(['plain-text: it speaks in the clear']);
  });

  it('is closed without a word if it is anything else, and on tcp listeners', async () => {
    const s = await secured();
    expect(await send(s, '\x00\x01garbage')).toBe('');
    const tcp = await tcpScenario(echo, { listener: { tls: makeTls([site], { alpn: [] }) } });
    const client = await tcp.client();
    client.send('GET / HTTP/1.1\r\n\r\n');
    expect(await client.untilEnd()).toBe('');
    expect([handshakes(s, 'no-tls'), handshakes(tcp, 'plain-text')]).toEqual([1, 1]);
  });
});

describe('a handshake', () => {
  const hello = inRecords(helloMessage([serverNameExtension('localhost'), alpnExtension('http/1.1')]));

  it('with a broken hello gets an alert', async () => {
    const s = await secured();
    expect(Buffer.from(await send(s, inRecords(Buffer.from([1, 0, 0, 2, 3, 3]))), 'latin1')).toEqual(Buffer.from([21, 3, 3, 0, 2, 2, 50]));
    await until(() => s.engine.plane.openConnections === 0);
    expect([handshakes(s, 'broken-hello'), refused(s)]).toEqual([1, 1]);
  });

  it('is held to timeouts.header as a whole, wherever it stalls', async () => {
    const s = await secured({ timeouts: { headerMs: 300 } });
    const clients = await Promise.all([s.client(), s.client(), s.client()]);
    clients[1].send(hello.subarray(0, 50));
    clients[2].send(recordedHellos[0]!.bytes);
    await Promise.all(clients.map((client) => client.untilEnd()));
    await until(() => s.engine.plane.openConnections === 0);
    // The one that sent nothing is nobody's attempt: health checks come so.
    expect([handshakes(s, 'timeout'), refused(s)]).toEqual([2, 2]);
  });

  it('that the client ends or resets is gone, and holds nothing', async () => {
    const s = await secured();
    const [ended, reset, later] = await Promise.all([s.client(), s.client(), s.client()]);
    ended.send(hello.subarray(0, 50));
    ended.socket.end();
    reset.send(hello.subarray(0, 50));
    later.send(recordedHellos[0]!.bytes);
    await later.until((text) => text.length > 0);
    later.socket.resetAndDestroy();
    reset.socket.resetAndDestroy();
    await until(() => s.engine.plane.openConnections === 0);
    expect(handshakes(s, 'gone')).toBeGreaterThanOrEqual(2);
  });

  it('with records that cannot be read, or that go on as none, is broken', async () => {
    const s = await secured();
    const client = await s.client();
    client.send(recordedHellos[0]!.bytes);
    await client.until((text) => text.length > 0);
    client.send(Buffer.concat([Buffer.from([23, 3, 3, 0, 64]), Buffer.alloc(64, 5)]));
    await client.untilEnd();
    await until(() => s.engine.plane.openConnections === 0);
    expect(handshakes(s, 'broken') + handshakes(s, 'client-alert')).toBe(1);
  });

  it('that the client does not like is its alert', async () => {
    const s = await secured();
    const error = await TlsVisitor.open(s.port, { maxVersion: 'TLSv1.2' }).catch((reason: NodeJS.ErrnoException) => reason);
    expect((error as NodeJS.ErrnoException).code).toMatch(/SELF_SIGNED|UNABLE_TO|DEPTH_ZERO/);
    await until(() => handshakes(s, 'full') + handshakes(s, 'client-alert') + handshakes(s, 'gone') === 1);
    await until(() => s.engine.plane.openConnections === 0);
  });

  it('takes the place of the oldest when limits.handshakes are under way', async () => {
    const s = await secured({ limits: { handshakesMax: 3 } });
    const slow: RawClient[] = [];
    for (let i = 0; i < 3; i++) {
      slow.push(await s.client());
      slow[i]!.send(hello.subarray(0, 50));
      await until(() => s.engine.plane.openConnections === i + 1);
    }
    const visitor = await TlsVisitor.open(s.port, { ca: ca.ca });
    await slow[0]!.untilEnd();
    expect([handshakes(s, 'evicted'), slow[1]!.isEnded, slow[2]!.isEnded]).toEqual([1, false, false]);
    visitor.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await visitor.until((text) => text.includes('ok'));
  });

  it('that has not begun gives its place to a newcomer when all connections are taken', async () => {
    const s = await secured({ limits: { connections: 2 } });
    const silent = [await s.client(), await s.client()];
    await until(() => s.engine.plane.openConnections === 2);
    const now = s.engine.context.wheel.now;
    await until(() => s.engine.context.wheel.now > now + 3);
    const visitor = await TlsVisitor.open(s.port, { ca: ca.ca });
    visitor.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await visitor.until((text) => text.includes('ok'));
    await silent[0]!.untilEnd();
    expect(silent[1]!.isEnded).toBe(false);
  });
});

describe('after the handshake', () => {
  it('a renegotiation is refused, and costs no second handshake', async () => {
    const s = await secured();
    const visitor = await TlsVisitor.open(s.port, { ca: ca.ca, maxVersion: 'TLSv1.2' });
    const refusal = new Promise<Error | null>((resolve) => visitor.socket.renegotiate({ rejectUnauthorized: true }, resolve));
    visitor.socket.on('error', () => {});
    expect(String(await Promise.race([refusal, once(visitor.socket, 'error')]))).toMatch(/no.renegotiation/i);
    await visitor.untilClosed();
    await until(() => s.engine.plane.openConnections === 0);
  });

  it('a record that cannot be read ends the connection', async () => {
    const s = await secured();
    const plain = await s.client();
    const visitor = await TlsVisitor.open(s.port, { socket: plain.socket, ca: ca.ca });
    visitor.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await visitor.until((text) => text.includes('ok'));
    plain.socket.write(Buffer.concat([Buffer.from([23, 3, 3, 0, 64]), Buffer.alloc(64, 5)]));
    await until(() => s.engine.plane.openConnections === 0);
  });

  it('early data is not taken: openssl sends it again as ordinary data', async () => {
    const s = await secured();
    const run = async (...more: string[]): Promise<string> => {
      const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${s.port}`, '-servername', 'localhost', '-tls1_3', '-CAfile', ca.root.certFile, '-ign_eof', ...more]);
      let text = '';
      child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
      child.stderr.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
      child.stdin.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      await once(child, 'close');
      return text;
    };
    const session = `${ca.folder}/session.pem`;
    await run('-sess_out', session);
    const early = ca.write('early', 'GET /early HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(await run('-sess_in', session, '-early_data', early)).not.toContain('Early data was accepted');
    expect(s.origin.seen.map(({ path }) => path)).not.toContain('/early');
  });
});
