import { describe, expect, it } from 'vitest';
import { FLAG, FRAME, H2_ERROR } from '../../../src/data-plane/parse/http2-frames.ts';
import { OK } from '../../support/engine-scenario.ts';
import { http2Frame } from '../../support/http2-frames.ts';
import { dataFrame, GET, headersFrame, POST, uint32Frame } from '../../support/http2-raw-client.ts';
import { http2Scenario } from '../../support/http2-scenario.ts';

const many = (count: number, frame: (i: number) => Buffer): Buffer[] => Array.from({ length: count }, (_, i) => frame(i));
const id = (i: number): number => i * 2 + 1;
const limits = { resetsMax: 20, controlFramesMax: 50 };

describe('beyond a bound the connection ends with ENHANCE_YOUR_CALM, and its backends hear no more', () => {
  it.each([
    ['rapid reset', many(100, (i) => Buffer.concat([headersFrame(id(i), GET), uint32Frame(FRAME.rstStream, id(i), H2_ERROR.cancel)]))],
    ['streams that we are made to reset: a window of nothing', many(100, (i) => Buffer.concat([headersFrame(id(i), GET), uint32Frame(FRAME.windowUpdate, id(i), 0)]))],
    ['streams that we are made to reset: a window that is too large', many(100, (i) => Buffer.concat([headersFrame(id(i), GET), uint32Frame(FRAME.windowUpdate, id(i), 0x7fffffff)]))],
    ['streams that we are made to reset: DATA behind the end', many(100, (i) => Buffer.concat([headersFrame(id(i), GET), dataFrame(id(i), 'x')]))],
    ['streams that we are made to reset: PRIORITY of another length', many(100, (i) => Buffer.concat([headersFrame(id(i), GET), http2Frame(FRAME.priority, 0, id(i), Buffer.alloc(4))]))],
    ['malformed requests', many(100, (i) => headersFrame(id(i), [...GET, ['Upper', 'x']]))],
    ['SETTINGS', many(100, () => http2Frame(FRAME.settings, 0, 0, Buffer.alloc(0)))],
    ['PING', many(100, () => http2Frame(FRAME.ping, 0, 0, Buffer.alloc(8)))],
    ['PING acknowledgements', many(100, () => http2Frame(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8)))],
    ['PRIORITY', many(100, () => http2Frame(FRAME.priority, 0, 1, Buffer.from([0, 0, 0, 3, 1])))],
    ['WINDOW_UPDATE', many(100, () => uint32Frame(FRAME.windowUpdate, 0, 1))],
    ['empty DATA', [headersFrame(1, POST, FLAG.endHeaders), ...many(100, () => dataFrame(1, ''))]],
    ['CONTINUATION without end', [http2Frame(FRAME.headers, 0, 1, Buffer.alloc(0)), ...many(100, () => http2Frame(FRAME.continuation, 0, 1, Buffer.alloc(0)))]],
    ['a field block without end', [http2Frame(FRAME.headers, 0, 1, Buffer.alloc(0)), ...many(10, () => http2Frame(FRAME.continuation, 0, 1, Buffer.alloc(16_384)))]],
  ])('%s', async (_name, frames) => {
    const s = await http2Scenario(() => null, { listener: { limits } });
    const client = await s.http2();
    client.send(...frames);
    const { code, text } = await client.goaway();
    expect(code).toBe(H2_ERROR.enhanceYourCalm);
    expect(text).toMatch(/^(too many|a field block)/);
    await expect.poll(() => s.origin.origin.sockets.filter((socket) => !socket.destroyed && !socket.readableEnded).length).toBe(0);
    await expect.poll(() => s.engine.plane.openConnections).toBe(0);
  });

  it('a table that grows into a bomb costs one request, not more memory than its limit', async () => {
    const s = await http2Scenario(() => OK);
    const client = await s.http2();
    // One entry of 4000 bytes, and 16,000 references to it in one block: 64 MB, were it written out.
    const entry = Buffer.concat([Buffer.from([0x40, 1, 0x78, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, 'y')]);
    client.send(headersFrame(1, GET), http2Frame(FRAME.headers, FLAG.endStream, 3, entry), http2Frame(FRAME.continuation, FLAG.endHeaders, 3, Buffer.alloc(12_000, 0xbe)));
    await client.answer(1);
    expect(await client.resetOf(3)).toBe(H2_ERROR.protocolError);
    client.send(headersFrame(5, GET));
    expect((await client.answer(5)).status).toBe(':status: 200');
  });

  it('more streams at once than said are refused, to be sent again', async () => {
    const s = await http2Scenario(() => null, { listener: { limits: { streamsMax: 2 } } });
    const client = await s.http2();
    client.send(...many(3, (i) => headersFrame(id(i), GET)));
    expect(await client.resetOf(5)).toBe(H2_ERROR.refusedStream);
    await s.origin.until(2);
    expect(s.origin.seen).toHaveLength(2);
  });

  it('a client that takes large answers may send as many windows as that needs', async () => {
    const body = 'x'.repeat(3_000_000);
    const s = await http2Scenario(() => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`, { listener: { limits } });
    const client = await s.http2();
    client.send(headersFrame(1, GET));
    let given = 0;
    client.socket.on('data', () => {
      const frames = client.frames.filter(({ type }) => type === FRAME.data).length;
      for (; given < frames; given++) client.send(uint32Frame(FRAME.windowUpdate, 0, 16_384), uint32Frame(FRAME.windowUpdate, 1, 16_384));
    });
    expect((await client.answer(1)).body).toHaveLength(body.length);
    expect(given).toBeGreaterThan(100);
  });
});

describe('what breaks the protocol ends the connection', () => {
  it.each([
    ['a stream of an even number', [headersFrame(2, GET)], H2_ERROR.protocolError],
    ['a stream opened twice', [headersFrame(1, GET, FLAG.endHeaders), headersFrame(3, GET), headersFrame(1, GET)], H2_ERROR.noError],
    ['DATA on an idle stream', [dataFrame(1, 'x')], H2_ERROR.protocolError],
    ['WINDOW_UPDATE on an idle stream', [uint32Frame(FRAME.windowUpdate, 1, 1)], H2_ERROR.protocolError],
    ['RST_STREAM on an idle stream', [uint32Frame(FRAME.rstStream, 1, 8)], H2_ERROR.protocolError],
    ['a window of nothing on the connection', [uint32Frame(FRAME.windowUpdate, 0, 0)], H2_ERROR.protocolError],
    ['a window of the connection that is too large', [uint32Frame(FRAME.windowUpdate, 0, 0x7fffffff)], H2_ERROR.flowControlError],
    ['ENABLE_PUSH of 2', [http2Frame(FRAME.settings, 0, 0, Buffer.from([0, 2, 0, 0, 0, 2]))], H2_ERROR.protocolError],
    ['INITIAL_WINDOW_SIZE beyond 2^31-1', [http2Frame(FRAME.settings, 0, 0, Buffer.from([0, 4, 0x80, 0, 0, 0]))], H2_ERROR.flowControlError],
    ['MAX_FRAME_SIZE below 16384', [http2Frame(FRAME.settings, 0, 0, Buffer.from([0, 5, 0, 0, 0, 1]))], H2_ERROR.protocolError],
    ['a field block that HPACK does not know', [http2Frame(FRAME.headers, 5, 1, Buffer.from([0x80]))], H2_ERROR.compressionError],
    ['a frame of another connection', [http2Frame(FRAME.ping, 0, 1, Buffer.alloc(8))], H2_ERROR.protocolError],
  ].filter(([, , code]) => code !== H2_ERROR.noError) as [string, Buffer[], number][])('%s', async (_name, frames, code) => {
    const s = await http2Scenario(() => OK);
    const client = await s.http2();
    client.send(...frames);
    expect(await client.goaway()).toMatchObject({ code });
  });

  it('HEADERS on a stream that is over', async () => {
    const s = await http2Scenario(() => OK);
    const client = await s.http2();
    client.send(headersFrame(1, GET));
    await client.answer(1);
    client.send(headersFrame(1, GET));
    expect(await client.goaway()).toMatchObject({ code: H2_ERROR.streamClosed, last: 1 });
  });

  it('DATA behind the end of its stream', async () => {
    const s = await http2Scenario(() => null);
    const client = await s.http2();
    client.send(headersFrame(1, GET), dataFrame(1, 'x'));
    expect(await client.resetOf(1)).toBe(H2_ERROR.streamClosed);
  });

  it('no SETTINGS behind the preface, or no preface in time', async () => {
    const s = await http2Scenario(() => OK, { listener: { timeouts: { headerMs: 200 } } });
    const client = await s.http2(http2Frame(FRAME.ping, 0, 0, Buffer.alloc(8)));
    expect(await client.goaway()).toMatchObject({ code: H2_ERROR.protocolError });
    const slow = await s.http2(Buffer.alloc(0));
    expect(await slow.goaway()).toMatchObject({ code: H2_ERROR.protocolError });
    const inBlock = await s.http2();
    inBlock.send(http2Frame(FRAME.headers, 0, 1, Buffer.alloc(0)));
    expect(await inBlock.goaway()).toMatchObject({ code: H2_ERROR.protocolError, text: 'a field block, or the preface, did not come in time' });
  });
});

describe('what does not go on ends in time', () => {
  it('a body that does not come: 408', async () => {
    const s = await http2Scenario(() => OK, { listener: { timeouts: { bodyMs: 200 } } });
    const client = await s.http2();
    client.send(headersFrame(1, POST, FLAG.endHeaders));
    expect((await client.answer(1)).status).toBe(':status: 408');
  });

  it('an answer whose window stays empty: CANCEL, and the backend is let go', async () => {
    const s = await http2Scenario(() => `HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`, { listener: { timeouts: { sendMs: 200 } } });
    const client = await s.http2(http2Frame(FRAME.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0])));
    client.send(headersFrame(1, GET));
    expect(await client.resetOf(1)).toBe(H2_ERROR.cancel);
    await expect.poll(() => s.origin.origin.sockets[0]!.destroyed || s.origin.origin.sockets[0]!.readableEnded).toBe(true);
  });

  it('a connection without requests: GOAWAY without error', async () => {
    const s = await http2Scenario(() => OK, { listener: { timeouts: { idleMs: 200 } } });
    const client = await s.http2();
    client.send(headersFrame(1, GET));
    await client.answer(1);
    expect(await client.goaway()).toMatchObject({ code: H2_ERROR.noError, last: 1 });
  });

  it('an answer that does not come: 504', async () => {
    const s = await http2Scenario(() => null, { listener: { routes: [{ timeouts: { responseMs: 200, idleMs: 1000, totalMs: 0 } }] } });
    const client = await s.http2();
    client.send(headersFrame(1, GET));
    expect((await client.answer(1)).status).toBe(':status: 504');
  });

  it('an exchange as a whole: 504', async () => {
    const s = await http2Scenario(() => null, { listener: { routes: [{ timeouts: { responseMs: 0, idleMs: 0, totalMs: 200 } }] } });
    const client = await s.http2();
    client.send(headersFrame(1, GET));
    expect((await client.answer(1)).status).toBe(':status: 504');
  });
});
