import { describe, expect, it } from 'vitest';
import { FLAG, FRAME, H2_ERROR, SETTING } from '../../../src/data-plane/parse/http2-frames.ts';
import { dataFrame, headersFrame, type FieldList, type Http2RawClient } from '../../support/http2-raw-client.ts';
import { http2Scenario, type Http2Scenario } from '../../support/http2-scenario.ts';

const CONNECT: FieldList = [[':method', 'CONNECT'], [':protocol', 'websocket'], [':scheme', 'http'], [':path', '/chat'], [':authority', 'a'], ['sec-websocket-version', '13'], ['sec-websocket-protocol', 'chat']];
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\n';

async function opened(answer: string | null = SWITCH, timeouts = {}): Promise<{ s: Http2Scenario; client: Http2RawClient }> {
  const s = await http2Scenario(() => answer, { listener: { timeouts } });
  const client = await s.http2();
  client.send(headersFrame(1, CONNECT, FLAG.endHeaders));
  await s.origin.until(1);
  return { s, client };
}

const dataOf = (client: Http2RawClient): string => Buffer.concat(client.frames.filter(({ type }) => type === FRAME.data).map(({ payload }) => payload)).toString();

describe('WebSocket over HTTP/2 (RFC 8441)', () => {
  it('is offered, and becomes an upgrade of HTTP/1.1', async () => {
    const { s, client } = await opened();
    const settings = await client.of(FRAME.settings, 0);
    expect(settings.payload.includes(Buffer.from([0, SETTING.enableConnectProtocol, 0, 0, 0, 1]))).toBe(true);
    const { raw } = s.origin.seen[0]!;
    expect(raw).toMatch(/^GET \/chat HTTP\/1\.1\r\nHost: a\r\n/);
    for (const line of ['Connection: upgrade', 'Upgrade: websocket', 'sec-websocket-version: 13', 'sec-websocket-protocol: chat']) expect(raw).toContain(`\r\n${line}\r\n`);
    expect(raw).toMatch(/\r\nSec-WebSocket-Key: [A-Za-z0-9+/]{22}==\r\n/);
    const head = await client.of(FRAME.headers, 1);
    expect(head.flags).toBe(FLAG.endHeaders);
    expect(head.fields).toEqual([':status: 200', 'sec-websocket-protocol: chat']);
  });

  it('passes bytes both ways, and the end of either side', async () => {
    const { s, client } = await opened();
    await client.of(FRAME.headers, 1);
    const { socket } = s.origin.seen[0]!;
    let got = '';
    socket.on('data', (bytes: Buffer) => (got += bytes.toString()));
    client.send(dataFrame(1, 'ping'));
    await expect.poll(() => got).toBe('ping');
    socket.write('pong');
    await client.frame(() => dataOf(client) === 'pong');
    client.send(dataFrame(1, 'bye', true));
    await expect.poll(() => got).toBe('pingbye');
    await expect.poll(() => socket.readableEnded).toBe(true);
    await client.frame(({ type, flags }) => type === FRAME.data && (flags & FLAG.endStream) !== 0);
    expect(client.frames.some(({ type }) => type === FRAME.rstStream)).toBe(false);
  });

  it('what comes before the switch waits for it', async () => {
    const { s, client } = await opened(null);
    client.send(dataFrame(1, 'early'));
    const { socket } = s.origin.seen[0]!;
    let got = '';
    socket.on('data', (bytes: Buffer) => (got += bytes.toString()));
    socket.write(SWITCH);
    await expect.poll(() => got).toBe('early');
  });

  it('a refusal is passed on', async () => {
    const { client } = await opened('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
    expect(await client.answer(1)).toMatchObject({ status: ':status: 403', body: 'no' });
  });

  it('a backend that answers 200 has not switched: the stream is reset', async () => {
    const { client } = await opened('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    expect(await client.resetOf(1)).toBe(H2_ERROR.internalError);
    expect(client.frames.some(({ type }) => type === FRAME.headers)).toBe(false);
  });

  it('a client that resets it ends it at the backend, one that breaks off at the client', async () => {
    const { s, client } = await opened();
    await client.of(FRAME.headers, 1);
    client.close();
    await expect.poll(() => s.origin.seen[0]!.socket.readableEnded || s.origin.seen[0]!.socket.destroyed).toBe(true);
    const other = await opened();
    await other.client.of(FRAME.headers, 1);
    other.s.origin.seen[0]!.socket.resetAndDestroy();
    expect(await other.client.resetOf(1)).toBe(H2_ERROR.internalError);
  });

  it('silence ends it', async () => {
    const { client } = await opened(SWITCH, { tunnelMs: 200 });
    expect(await client.resetOf(1)).toBe(H2_ERROR.cancel);
  });
});
