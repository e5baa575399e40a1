import { describe, expect, it } from 'vitest';
import { FLAG, FRAME, H2_ERROR, SETTING } from '../../../src/data-plane/parse/http2-frames.ts';
import { OK } from '../../support/engine-scenario.ts';
import { http2Frame } from '../../support/http2-frames.ts';
import { dataFrame, GET, headersFrame, POST, uint32Frame } from '../../support/http2-raw-client.ts';
import { http2Scenario, withField } from '../../support/http2-scenario.ts';

async function answerTo(raw: string, fields = GET): ReturnType<typeof send> {
  const s = await http2Scenario(() => raw);
  return send(await s.http2(), fields);
}

function send(client: Awaited<ReturnType<Awaited<ReturnType<typeof http2Scenario>>['http2']>>, fields: typeof GET): ReturnType<typeof client.answer> {
  client.send(headersFrame(1, fields));
  return client.answer(1);
}

describe('answers', () => {
  it('have their names in lower case and nothing that is for a connection of HTTP/1.1', async () => {
    const { status, fields, body } = await answerTo('HTTP/1.1 201 Created\r\nContent-Length: 2\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nX-Keep: Yes\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nSet-Cookie: a=b\r\n\r\nok');
    expect([status, ...fields]).toEqual([':status: 201', 'content-length: 2', 'x-keep: Yes', 'date: Thu, 01 Jan 1970 00:00:00 GMT', 'set-cookie: a=b']);
    expect(body).toBe('ok');
  });

  it('in chunks, until the end of the connection, and without a body', async () => {
    const chunked = await answerTo('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\nContent-Type: x\r\n\r\n');
    expect(chunked).toMatchObject({ status: ':status: 200', body: 'abcde', trailers: ['x-sum: 5'] });
    expect(chunked.fields.join()).not.toContain('transfer-encoding');
    const s = await http2Scenario(({ socket }) => (socket.end('HTTP/1.0 200 OK\r\n\r\nold'), null));
    expect(await send(await s.http2(), GET)).toMatchObject({ body: 'old' });
    expect(await answerTo('HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n')).toMatchObject({ status: ':status: 204', body: '' });
    expect(await answerTo('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', withField(GET, ':method', 'HEAD'))).toMatchObject({ status: ':status: 200', body: '' });
    expect(await answerTo('HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n')).toMatchObject({ status: ':status: 304', fields: expect.arrayContaining(['etag: "x"']) as string[] });
  });

  it('get a date, and what the route edits', async () => {
    const s = await http2Scenario(() => OK, { listener: { routes: [{ responseHeaders: { remove: ['content-length'], set: [['X-Set', 'Ours']], add: [['X-Add', '1'], ['X-Add', '2']] } }] } });
    const { fields } = await send(await s.http2(), GET);
    expect(fields.map((field) => field.replace(/^date: .*/, 'date'))).toEqual(['date', 'x-set: Ours', 'x-add: 1', 'x-add: 2']);
  });

  it('interim ones come before', async () => {
    const s = await http2Scenario(() => `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\n\r\n${OK}`);
    const client = await s.http2();
    expect(await send(client, GET)).toMatchObject({ status: ':status: 200', body: 'ok' });
    const heads = client.frames.filter(({ type }) => type === FRAME.headers);
    expect(heads[0]).toMatchObject({ flags: FLAG.endHeaders, fields: [':status: 103', 'link: </a>'] });
  });

  it('100 comes from the backend that is asked for it', async () => {
    const s = await http2Scenario(() => OK);
    s.origin.origin.sockets.length = 0;
    const client = await s.http2();
    client.send(headersFrame(1, [...POST, ['expect', '100-continue'], ['content-length', '2']], FLAG.endHeaders));
    await expect.poll(() => s.origin.origin.sockets.length).toBe(1);
    s.origin.origin.sockets[0]!.write('HTTP/1.1 100 Continue\r\n\r\n');
    expect((await client.of(FRAME.headers, 1)).fields).toEqual([':status: 100']);
    client.send(dataFrame(1, 'hi', true));
    expect(await client.answer(1)).toMatchObject({ status: ':status: 200', body: 'ok' });
  });

  it('before the request is whole end its body with NO_ERROR', async () => {
    const s = await http2Scenario(() => null);
    const client = await s.http2();
    client.send(headersFrame(1, [...POST, ['content-length', '10']], FLAG.endHeaders));
    await expect.poll(() => s.origin.origin.sockets.length).toBe(1);
    s.origin.origin.sockets[0]!.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
    expect(await client.answer(1)).toMatchObject({ status: ':status: 403', body: 'no' });
    expect(await client.resetOf(1)).toBe(H2_ERROR.noError);
    // What was under way is dropped, and the connection goes on.
    client.send(dataFrame(1, 'hello'), headersFrame(3, GET));
    await s.origin.until(1);
  });

  it('of ours: no route, no backend, and errors in JSON for who asks', async () => {
    const s = await http2Scenario(() => OK, { pool: { backends: [{ port: 1 }] } });
    const { status, fields, body } = await send(await s.http2(), [...GET, ['accept', 'application/json']]);
    expect(status).toBe(':status: 503');
    expect(fields).toContain('content-type: application/json');
    expect(JSON.parse(body)).toMatchObject({ error: 'connect-refused' });
  });

  it('that break off are reset, never ended', async () => {
    const s = await http2Scenario(({ socket }) => (socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'), null));
    const client = await s.http2();
    client.send(headersFrame(1, GET));
    expect(await client.resetOf(1)).toBe(H2_ERROR.internalError);
    expect(client.frames.filter((frame) => frame.stream === 1 && (frame.type === FRAME.data || frame.type === FRAME.headers) && (frame.flags & FLAG.endStream) !== 0)).toEqual([]);
  });

  it('heads larger than a frame go in several', async () => {
    const large = 'x'.repeat(30_000);
    const s = await http2Scenario(() => `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Large: ${large}\r\n\r\n`);
    const client = await s.http2();
    client.send(headersFrame(1, GET));
    const last = await client.of(FRAME.continuation, 1);
    expect(last.flags).toBe(FLAG.endHeaders);
    expect((await client.of(FRAME.headers, 1)).flags).toBe(FLAG.endStream);
  });
});

describe('flow control', () => {
  const BODY = 'x'.repeat(200_000);
  const large = `HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
  const setting = (id: number, value: number): Buffer => {
    const payload = Buffer.alloc(6);
    payload.writeUInt16BE(id);
    payload.writeUInt32BE(value, 2);
    return http2Frame(FRAME.settings, 0, 0, payload);
  };
  const received = (client: { frames: readonly { type: number; stream: number; payload: Buffer }[] }, stream: number): number =>
    client.frames.filter((frame) => frame.type === FRAME.data && frame.stream === stream).reduce((sum, { payload }) => sum + payload.length, 0);

  it('no more is sent than the windows let through, of the stream and of the connection', async () => {
    const s = await http2Scenario(() => large);
    const client = await s.http2(setting(SETTING.initialWindowSize, 1000));
    client.send(headersFrame(1, GET));
    await client.frame(() => received(client, 1) === 1000);
    client.send(uint32Frame(FRAME.windowUpdate, 1, 100_000));
    await client.frame(() => received(client, 1) === 65_535);
    client.send(http2Frame(FRAME.ping, 0, 0, Buffer.from('is here?')));
    await client.of(FRAME.ping, 0);
    expect(received(client, 1)).toBe(65_535);
    client.openWindows(1);
    expect((await client.answer(1)).body).toBe(BODY);
  });

  it('a window made smaller may be below nothing, and is filled up first', async () => {
    const s = await http2Scenario(() => large);
    const client = await s.http2(setting(SETTING.initialWindowSize, 10_000));
    client.send(headersFrame(1, GET));
    await client.frame(() => received(client, 1) === 10_000);
    client.send(setting(SETTING.initialWindowSize, 0), uint32Frame(FRAME.windowUpdate, 1, 10_001));
    await client.frame(() => received(client, 1) === 10_001);
    client.send(setting(SETTING.initialWindowSize, 1_000_000), uint32Frame(FRAME.windowUpdate, 0, 1_000_000));
    expect((await client.answer(1)).body).toBe(BODY);
  });

  it('a stream whose window is empty holds up no other', async () => {
    const s = await http2Scenario(({ path }) => (path === '/large' ? large : OK));
    const client = await s.http2(setting(SETTING.initialWindowSize, 100));
    client.send(headersFrame(1, withField(GET, ':path', '/large')), headersFrame(3, GET));
    expect((await client.answer(3)).body).toBe('ok');
    expect(received(client, 1)).toBe(100);
  });

  it('large answers of many streams take turns', async () => {
    const s = await http2Scenario(() => large);
    const client = await s.http2(setting(SETTING.initialWindowSize, 1_000_000));
    client.send(...[1, 3, 5].map((stream) => headersFrame(stream, GET)));
    const isLast = (stream: number) => (frame: { stream: number; type: number; flags: number }) => frame.stream === stream && frame.type === FRAME.data && (frame.flags & FLAG.endStream) !== 0;
    // The connection's window alone is in the way.
    await client.frame(() => received(client, 1) + received(client, 3) + received(client, 5) === 65_535);
    client.send(uint32Frame(FRAME.windowUpdate, 0, 1_000_000));
    await Promise.all([1, 3, 5].map((stream) => client.frame(isLast(stream))));
    const order = client.frames.filter(({ type }) => type === FRAME.data).map(({ stream }) => stream);
    const firstEnd = Math.min(...[1, 3, 5].map((stream) => order.lastIndexOf(stream)));
    expect(new Set(order.slice(0, firstEnd)).size).toBe(3);
  });

  it('a body that its backend does not take fills its window, and no more; the others go on', async () => {
    const s = await http2Scenario(({ path }) => (path === '/' ? OK : null));
    const client = await s.http2();
    client.send(headersFrame(1, withField(POST, ':path', '/deaf'), FLAG.endHeaders));
    await expect.poll(() => s.origin.origin.sockets.length).toBe(1);
    s.origin.origin.sockets[0]!.pause();
    const piece = Buffer.alloc(16_384);
    let sent = 0;
    const window = (): number => 131_072 + client.frames.filter((frame) => frame.type === FRAME.windowUpdate && frame.stream === 1).reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
    // Until the kernels between are full, and a round trip brings no more window.
    for (let before = -1; before !== window(); ) {
      before = window();
      while (sent + piece.length <= window()) {
        client.send(http2Frame(FRAME.data, 0, 1, piece));
        sent += piece.length;
      }
      const stamp = Buffer.alloc(8);
      stamp.writeUInt32BE(sent);
      client.send(http2Frame(FRAME.ping, 0, 0, stamp));
      await client.frame((frame) => frame.type === FRAME.ping && frame.payload.equals(stamp));
    }
    client.send(headersFrame(3, GET));
    expect((await client.answer(3)).body).toBe('ok');
    // One byte beyond the window is an error of that stream alone.
    client.send(http2Frame(FRAME.data, 0, 1, Buffer.alloc(window() - sent + 1)));
    expect(await client.resetOf(1)).toBe(H2_ERROR.flowControlError);
  });
});
