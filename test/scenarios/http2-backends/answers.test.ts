/** Requests of HTTP/1.1 clients over a pool that speaks HTTP/2: what the backend sees, and what comes back. */
import { describe, expect, it } from 'vitest';
import { block, DATA, END_HEADERS, frame, HEADERS, headersFrame, Http2Origin, inFrontOf, rawHttp2Origin } from '../../support/http2-origin.ts';

const GET = 'GET /a?b=1 HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n';
const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4);

describe('a request', () => {
  it('becomes pseudo-fields and fields, without what was for one connection', async () => {
    const origin = await Http2Origin.start((stream) => stream.respond({ ':status': 200 }, { endStream: true }));
    const s = await inFrontOf([origin.port]);
    await s.ask('GET /a?b=1 HTTP/1.1\r\nHost: Shop.example:81\r\nConnection: close, X-Hop, TE, Upgrade\r\nX-Hop: 1\r\nTE: trailers\r\nUpgrade: websocket\r\nX-Stay: Yes\r\nCookie: a=1\r\n\r\n');
    const [head] = origin.requests;
    expect(head).toMatchObject({ ':method': 'GET', ':scheme': 'http', ':path': '/a?b=1', ':authority': 'Shop.example:81', 'x-stay': 'Yes', cookie: 'a=1', te: 'trailers', 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http' });
    expect(head!['x-request-id']).toMatch(/\S/);
    for (const name of ['connection', 'x-hop', 'upgrade', 'host', 'transfer-encoding']) expect(head).not.toHaveProperty(name);
  });

  it.each([
    ['with a length', 'Content-Length: 5\r\n\r\nhello', '5'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n', undefined],
  ])('has its body %s', async (_how, rest, length) => {
    const origin = await Http2Origin.start((stream) => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    const s = await inFrontOf([origin.port]);
    const answer = await s.ask(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${rest}`);
    expect(bodyOf(answer)).toBe('5\r\nhello\r\n0\r\n\r\n');
    expect(origin.requests[0]!['content-length']).toBe(length);
  });

  it('has its trailers', async () => {
    const origin = await Http2Origin.start((stream) => {
      stream.on('trailers', (trailers) => {
        stream.respond({ ':status': 200, 'x-seen': String(trailers['x-sum']) }, { endStream: true });
      });
      stream.resume();
    });
    const s = await inFrontOf([origin.port]);
    const answer = await s.ask('POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n0\r\nX-Sum: 7\r\n\r\n');
    expect(answer).toContain('\r\nx-seen: 7\r\n');
  });

  it('shares one connection with others', async () => {
    const open: (() => void)[] = [];
    const origin = await Http2Origin.start((stream) => {
      open.push(() => {
        stream.respond({ ':status': 200 });
        stream.end('ok');
      });
      if (open.length === 30) open.forEach((answer) => answer());
    });
    const s = await inFrontOf([origin.port]);
    const answers = await Promise.all(Array.from({ length: 30 }, () => s.ask(GET)));
    for (const answer of answers) expect(bodyOf(answer)).toBe('2\r\nok\r\n0\r\n\r\n');
    expect(origin.sessions).toHaveLength(1);
  });
});

describe('an answer', () => {
  it('with a length keeps it, and the connection of the client', async () => {
    const origin = await Http2Origin.start((stream) => {
      stream.respond({ ':status': 200, 'content-length': '2', 'x-a': '1', 'set-cookie': ['a=1', 'b=2'] });
      stream.end('ok');
    });
    const s = await inFrontOf([origin.port]);
    const client = await s.client();
    for (let i = 1; i <= 3; i++) {
      client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await client.until((received) => received.split('\r\n\r\nok').length === i + 1);
    }
    const head = client.received.slice(0, client.received.indexOf('\r\n\r\n'));
    expect(head).toMatch(/^HTTP\/1\.1 200 /);
    expect(head).toContain('\r\nx-a: 1');
    expect(head).toContain('\r\nset-cookie: a=1\r\nset-cookie: b=2');
    expect(origin.sessions).toHaveLength(1);
  });

  it.each([
    ['HEAD', 200, { 'content-length': '10' }],
    ['GET', 204, {}],
    ['GET', 304, {}],
    ['GET', 200, {}],
  ])('to %s with %i and no body leaves the connection usable', async (method, status, fields) => {
    const origin = await Http2Origin.start((stream) => stream.respond({ ':status': status, ...fields }, { endStream: true }));
    const s = await inFrontOf([origin.port]);
    const client = await s.client();
    for (let i = 1; i <= 3; i++) {
      client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
      await client.until((received) => received.split('\r\n\r\n').length === i + 1);
    }
    expect(client.received).not.toMatch(/transfer-encoding/i);
  });

  it('has its interim answers and trailers', async () => {
    const origin = await Http2Origin.start((stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a>' });
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '7' }));
      stream.end('hello');
    });
    const s = await inFrontOf([origin.port]);
    const answer = await s.ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTE: trailers\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a>\r\n\r\nHTTP\/1\.1 200 /);
    expect(answer).toMatch(/\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n$/);
  });

  it('to HTTP/1.0 ends with the connection', async () => {
    const origin = await Http2Origin.start((stream) => {
      stream.respond({ ':status': 200 });
      stream.end('hello');
    });
    const s = await inFrontOf([origin.port]);
    const answer = await s.ask('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
    expect(answer).not.toMatch(/transfer-encoding/i);
    expect(bodyOf(answer)).toBe('hello');
  });

  it('that is large reaches a slow client whole, and others do not wait for it', async () => {
    const large = Buffer.alloc(3_000_000, 'abcdefghij');
    const origin = await Http2Origin.start((stream, headers) => {
      stream.respond({ ':status': 200 });
      stream.end(headers[':path'] === '/large' ? large : 'ok');
    });
    const s = await inFrontOf([origin.port]);
    const slow = await s.client();
    slow.socket.pause();
    slow.send('GET /large HTTP/1.0\r\nHost: a\r\n\r\n');
    for (let i = 0; i < 20; i++) expect(bodyOf(await s.ask(GET))).toBe('2\r\nok\r\n0\r\n\r\n');
    slow.socket.resume();
    expect(bodyOf(await slow.untilEnd())).toBe(large.toString('latin1'));
    expect(origin.sessions).toHaveLength(1);
  });

  it.each([
    ['at every byte', 1],
    ['at every third', 3],
    ['in odd parts', 7],
  ])('comes out the same when it is split %s', async (_how, size) => {
    const whole = (stream: number): Buffer =>
      Buffer.concat([
        headersFrame(stream, [[':status', '103'], ['link', '</a>']]),
        frame(HEADERS, 0, stream, block([[':status', '200']])),
        frame(9, END_HEADERS, stream, block([['x-a', '1']])),
        frame(DATA, 8, stream, Buffer.concat([Buffer.from([3]), Buffer.from('hel'), Buffer.alloc(3)])),
        frame(6, 0, 0, '12345678'),
        frame(DATA, 0, stream, 'lo'),
        frame(DATA, 0, stream),
        headersFrame(stream, [['x-sum', '7']], true),
      ]);
    const origin = await rawHttp2Origin((stream) => {
      const bytes = whole(stream);
      return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
    });
    const s = await inFrontOf([origin.port]);
    const answer = await s.ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTE: trailers\r\n\r\n');
    expect(answer.replace(/Date: .*\r\n/, '')).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a>\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*x-a: 1\r\n/);
    const data = bodyOf(answer.slice(answer.indexOf('HTTP/1.1 200')));
    expect(data.replaceAll(/[0-9a-f]+\r\n([a-z]+)\r\n/g, '$1')).toBe('hello0\r\nx-sum: 7\r\n\r\n');
  });

  it('of 40 at once, mixed, is each its own', async () => {
    const origin = await Http2Origin.start((stream, headers) => {
      const size = Number(headers[':path']!.slice(1));
      stream.respond({ ':status': 200 });
      for (let left = size; left > 0; left -= 5000) stream.write(String(size % 10).repeat(Math.min(5000, left)));
      stream.end();
    });
    const s = await inFrontOf([origin.port]);
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const size = 1 + i * 7919;
        expect(bodyOf(await s.ask(`GET /${size} HTTP/1.0\r\nHost: a\r\n\r\n`))).toBe(String(size % 10).repeat(size));
      }),
    );
  });
});
