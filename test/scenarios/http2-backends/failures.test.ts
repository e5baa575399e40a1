/** What goes wrong on HTTP/2 connections to backends, and what clients see of it. */
import { constants } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { RawOrigin } from '../../support/engine.ts';
import { block, DATA, END_HEADERS, END_STREAM, frame, GOAWAY, HEADERS, headersFrame, Http2Origin, inFrontOf, rawHttp2Origin, RST_STREAM, settingsFrame, uint32, type OnStream } from '../../support/http2-origin.ts';
import { until } from '../../support/weir-process.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello';
const answersOk: OnStream = (stream) => {
  stream.respond({ ':status': 200 });
  stream.end('ok');
};
const statusOf = (answer: string): string => answer.slice(9, 12);

describe('a stream that the backend refuses', () => {
  it.each([['GET', GET], ['POST', POST]])('is sent again elsewhere, also a %s', async (_method, request) => {
    const refusing = await Http2Origin.start((stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM));
    const other = await Http2Origin.start(answersOk);
    const s = await inFrontOf([refusing.port, other.port]);
    for (let i = 0; i < 4; i++) expect(await s.ask(request)).toMatch(/^HTTP\/1\.1 200 /);
    expect(refusing.requests.length).toBeGreaterThan(0);
    expect(other.requests).toHaveLength(4);
  });

  it('is not sent again once more of its body went out than is kept', async () => {
    const refusing = await Http2Origin.start((stream) => {
      let bytes = 0;
      stream.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes > 20_000) stream.close(constants.NGHTTP2_REFUSED_STREAM);
      });
    });
    const s = await inFrontOf([refusing.port]);
    const client = await s.client();
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n${'x'.repeat(30_000)}`);
    expect(statusOf(await client.until((received) => received.includes('\r\n\r\n')))).toBe('503');
    expect(refusing.requests).toHaveLength(1);
  });
});

describe('GOAWAY', () => {
  it('sends what was not looked at elsewhere, and lets the rest end', async () => {
    const origin = await rawHttp2Origin((stream) =>
      stream === 1
        ? [frame(GOAWAY, 0, 0, uint32(1, 0)), headersFrame(1, [[':status', '200']]), frame(DATA, END_STREAM, 1, 'first')]
        : [],
    );
    const s = await inFrontOf([origin.port]);
    const answers = await Promise.all([s.ask(GET), s.ask(GET)]);
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*first/);
    expect(origin.sockets.length).toBeGreaterThanOrEqual(2);
  });

  it('of a backend that leaves loses nothing, under load', async () => {
    const origin = await Http2Origin.start((stream) => {
      setImmediate(() => {
        stream.respond({ ':status': 200 });
        stream.end('ok');
      });
    });
    const s = await inFrontOf([origin.port]);
    const all: Promise<string>[] = [];
    for (let i = 0; i < 200; i++) {
      all.push(s.ask(GET));
      if (i % 20 === 19) {
        await all[i - 10];
        for (const session of origin.sessions) if (!session.closed) session.close();
      }
    }
    for (const answer of await Promise.all(all)) expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(origin.sessions.length).toBeGreaterThan(3);
  });
});

it('opens another connection when the backend takes no more streams', async () => {
  const held: (() => void)[] = [];
  const origin = await Http2Origin.start(
    (stream) => {
      held.push(() => {
        stream.respond({ ':status': 200 });
        stream.end('ok');
      });
    },
    { maxConcurrentStreams: 3 },
  );
  const s = await inFrontOf([origin.port]);
  const first = s.ask(GET);
  await until(() => held.length === 1);
  const others = Array.from({ length: 8 }, () => s.ask(GET));
  await until(() => held.length === 9);
  expect(origin.sessions).toHaveLength(3);
  for (const answer of held) answer();
  for (const answer of await Promise.all([first, ...others])) expect(answer).toMatch(/^HTTP\/1\.1 200 /);
});

describe('an answer that breaks off', () => {
  it.each([
    ['by a reset', [frame(RST_STREAM, 0, 1, uint32(2))]],
    ['by the end of its connection', null],
    ['by GOAWAY and the end', [frame(GOAWAY, 0, 0, uint32(1, 2)), null]],
  ] as const)('%s resets the client after its head', async (_how, rest) => {
    const origin = await rawHttp2Origin(() => {
      setImmediate(() => {
        if (rest === null || rest.includes(null as never)) for (const socket of origin.sockets) socket.end();
      });
      return [Buffer.concat([headersFrame(1, [[':status', '200']]), frame(DATA, 0, 1, 'half')]), ...((rest ?? []).filter((part) => part !== null) as Buffer[])];
    });
    const s = await inFrontOf([origin.port]);
    const client = await s.client();
    client.send(GET);
    await client.untilEnd();
    expect(client.received).not.toMatch(/0\r\n\r\n$/);
    await until(() => client.isClosed);
    expect(client.error?.code).toBe('ECONNRESET');
  });

  it('before its head is 502 for a POST, and a GET is sent once more', async () => {
    const origin = await rawHttp2Origin((stream) => [frame(RST_STREAM, 0, stream, uint32(8))]);
    const s = await inFrontOf([origin.port]);
    expect(statusOf(await s.ask(POST))).toBe('502');
    expect(origin.sockets).toHaveLength(1);
    expect(statusOf(await s.ask(GET))).toBe('502');
    expect(origin.sockets).toHaveLength(2);
  });
});

it.each([
  ['a name in upper case', [headersFrame(1, [[':status', '200'], ['X-A', '1']], true)]],
  ['Connection', [headersFrame(1, [[':status', '200'], ['connection', 'close']], true)]],
  ['Transfer-Encoding', [headersFrame(1, [[':status', '200'], ['transfer-encoding', 'chunked']], true)]],
  ['no status', [headersFrame(1, [['x-a', '1']], true)]],
  ['two of it', [headersFrame(1, [[':status', '200'], [':status', '200']], true)]],
  ['a status behind a field', [headersFrame(1, [['x-a', '1'], [':status', '200']], true)]],
  ['a pseudo-field of requests', [headersFrame(1, [[':status', '200'], [':path', '/']], true)]],
  ['status 101', [headersFrame(1, [[':status', '101']])]],
  ['a status that is none', [headersFrame(1, [[':status', '20x']], true)]],
  ['a line end in a value', [headersFrame(1, [[':status', '200'], ['x-a', 'b\r\nSet-Cookie: c']], true)]],
  ['a line end in a name', [headersFrame(1, [[':status', '200'], ['x\r\na', 'b']], true)]],
  ['NUL in a value', [headersFrame(1, [[':status', '200'], ['x-a', 'b\0']], true)]],
  ['two lengths', [headersFrame(1, [[':status', '200'], ['content-length', '1'], ['content-length', '2']], true)]],
  ['a length that is none', [headersFrame(1, [[':status', '200'], ['content-length', '+1']], true)]],
  ['a length and no body', [headersFrame(1, [[':status', '200'], ['content-length', '5']], true)]],
  ['data before the head', [frame(DATA, END_STREAM, 1, 'x')]],
  ['an interim answer that ends it', [headersFrame(1, [[':status', '103']], true)]],
  ['interim answers without end', [Buffer.concat(Array.from({ length: 400 }, () => headersFrame(1, [[':status', '103'], ['link', 'x'.repeat(100)]])))]],
  ['a head over the limit', [headersFrame(1, [[':status', '200'], ...Array.from({ length: 200 }, (_, i) => [`x-${i}`, '1'] as const)], true)]],
  ['a block that cannot be decoded', [frame(HEADERS, END_HEADERS | END_STREAM, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))]],
  ['a push', [frame(5, END_HEADERS, 1, Buffer.concat([uint32(2), block([[':path', '/']])]))]],
  ['a window opened by nothing', [frame(8, 0, 1, uint32(0))]],
  ['a frame that is too large', [Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])]],
  ['a setting that must not be', [settingsFrame([[5, 1]])]],
  ['more data than its length', [Buffer.concat([headersFrame(1, [[':status', '200'], ['content-length', '2']]), frame(DATA, END_STREAM, 1, 'abc')])]],
  ['less data than its length', [Buffer.concat([headersFrame(1, [[':status', '200'], ['content-length', '5']]), frame(DATA, END_STREAM, 1, 'abc')])]],
  ['a frame of a stream that was never opened', [frame(DATA, 0, 3, 'x')]],
  ['floods of PING', [Buffer.concat(Array.from({ length: 1000 }, () => frame(6, 0, 0, '12345678')))]],
])('answers 502 where the answer has %s', async (_what, parts) => {
  const origin = await rawHttp2Origin(() => parts);
  const s = await inFrontOf([origin.port]);
  const answer = await s.ask(POST);
  expect(statusOf(answer.slice(answer.lastIndexOf('HTTP/1.1')))).toBe('502');
});

describe.each([
  ['more data than its length', [['content-length', '2']], [frame(DATA, 0, 1, 'a'), frame(DATA, END_STREAM, 1, 'bc')]],
  ['less data than its length', [['content-length', '5']], [frame(DATA, 0, 1, 'abc'), frame(DATA, END_STREAM, 1)]],
  ['a second head', [], [headersFrame(1, [[':status', '200']])]],
  ['trailers that frame', [], [frame(DATA, 0, 1, 'abc'), headersFrame(1, [['content-length', '3']], true)]],
] as const)('an answer with %s', (_what, fields, rest) => {
  const head = headersFrame(1, [[':status', '200'], ...fields]);

  it('never passes for whole', async () => {
    const origin = await rawHttp2Origin(() => [head, ...rest]);
    const s = await inFrontOf([origin.port]);
    const client = await s.client();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.untilEnd();
    const length = /content-length: (\d)/.exec(client.received)?.[1];
    const body = client.received.slice(client.received.indexOf('\r\n\r\n') + 4);
    expect(length === undefined ? body.endsWith('0\r\n\r\n') : body.length >= Number(length)).toBe(false);
  });
});

it('takes a backend that speaks no HTTP/2 for one that cannot be reached', async () => {
  const origin = await RawOrigin.start((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
  const s = await inFrontOf([origin.port]);
  expect(statusOf(await s.ask(GET))).toBe('503');
  origin.stop();
});

it('waits for SETTINGS no longer than connectTimeout', async () => {
  const origin = await RawOrigin.start(() => {});
  const s = await inFrontOf([origin.port], { pool: { connections: { perBackend: 0, connectTimeoutMs: 100, idleMs: 4000 } } });
  expect(statusOf(await s.ask(GET))).toBe('503');
  origin.stop();
});

it('answers 504 when no answer comes in time, and resets the stream alone', async () => {
  const origin = await Http2Origin.start((stream, headers) => {
    if (headers[':path'] === '/') answersOk(stream, headers, origin);
  });
  const s = await inFrontOf([origin.port], { listener: { routes: [{ timeouts: { responseMs: 100, idleMs: 100, totalMs: 0 } }] } });
  expect(statusOf(await s.ask('GET /never HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'))).toBe('504');
  expect(await s.ask(GET)).toMatch(/^HTTP\/1\.1 200 /);
  expect(origin.sessions).toHaveLength(1);
});

it('calls the stream off when the client goes away, and keeps the connection', async () => {
  const codes: number[] = [];
  const origin = await Http2Origin.start((stream, headers) => {
    if (headers[':path'] === '/') return answersOk(stream, headers, origin);
    stream.respond({ ':status': 200 });
    stream.write('some');
    stream.on('aborted', () => codes.push(stream.rstCode));
  });
  const s = await inFrontOf([origin.port]);
  const client = await s.client();
  client.send('GET /long HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until((received) => received.includes('some'));
  client.socket.resetAndDestroy();
  await until(() => codes.length === 1);
  expect(codes).toEqual([constants.NGHTTP2_CANCEL]);
  expect(await s.ask(GET)).toMatch(/^HTTP\/1\.1 200 /);
  expect(origin.sessions).toHaveLength(1);
});

it('keeps to the windows of a backend that takes a body slowly, and other streams go on', async () => {
  const large = 'x'.repeat(1_000_000);
  let resume = (): void => {};
  const origin = await Http2Origin.start((stream, headers) => {
    if (headers[':path'] === '/') return answersOk(stream, headers, origin);
    let bytes = 0;
    resume = () => {
      stream.on('data', (part: Buffer) => (bytes += part.length));
      stream.on('end', () => {
        stream.respond({ ':status': 200, 'x-bytes': String(bytes) }, { endStream: true });
      });
    };
    return undefined;
  });
  const s = await inFrontOf([origin.port]);
  const upload = s.ask(`PUT /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${large.length}\r\n\r\n${large}`);
  await until(() => origin.requests.length === 1);
  for (let i = 0; i < 10; i++) expect(await s.ask(GET)).toMatch(/^HTTP\/1\.1 200 /);
  resume();
  expect(await upload).toContain('\r\nx-bytes: 1000000\r\n');
  expect(origin.sessions).toHaveLength(1);
});

it('lets go of a connection that rests, with GOAWAY', async () => {
  let goaways = 0;
  const origin = await Http2Origin.start(answersOk);
  const s = await inFrontOf([origin.port], { pool: { connections: { perBackend: 0, connectTimeoutMs: 2000, idleMs: 100 } } });
  await s.ask(GET);
  origin.sessions[0]!.on('goaway', () => goaways++);
  await until(() => origin.sessions[0]!.destroyed);
  expect(goaways).toBe(1);
  expect(await s.ask(GET)).toMatch(/^HTTP\/1\.1 200 /);
});

it('asks a silent connection whether it is there', async () => {
  const origin = await Http2Origin.start(answersOk);
  const s = await inFrontOf([origin.port]);
  await s.ask(GET);
  expect(s.engine.context.table.backend(0).connections).toBe(1);
  origin.sessions[0]!.destroy();
  await until(() => s.engine.context.table.backend(0).connections === 0);
});
