/** HTTP/2 on both sides of the proxy: what neither version of HTTP/1 could carry. */
import { once } from 'node:events';
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import { Http2Origin, inFrontOf, type OnStream } from '../../support/http2-origin.ts';

const open: ClientHttp2Session[] = [];
afterEach(() => {
  for (const session of open.splice(0)) session.destroy();
});

async function client(onStream: OnStream): Promise<{ session: ClientHttp2Session; origin: Http2Origin }> {
  const origin = await Http2Origin.start(onStream);
  const s = await inFrontOf([origin.port]);
  const session = connect(`http://127.0.0.1:${s.port}`);
  session.on('error', () => {});
  open.push(session);
  return { session, origin };
}

async function answerOf(stream: ClientHttp2Stream): Promise<{ headers: IncomingHttpHeaders; body: string; trailers: IncomingHttpHeaders }> {
  let body = '';
  let trailers: IncomingHttpHeaders = {};
  stream.setEncoding('latin1').on('data', (part: string) => (body += part));
  stream.on('trailers', (fields: IncomingHttpHeaders) => (trailers = fields));
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  if (!stream.closed) await once(stream, 'close');
  return { headers, body, trailers };
}

describe('a call', () => {
  it('has its trailers, and its status with them', async () => {
    const { session, origin } = await client((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '7', 'grpc-message': 'no' }));
      stream.end('\0\0\0\0\x01x');
    });
    const stream = session.request({ ':method': 'POST', ':path': '/s/m', te: 'trailers', 'content-type': 'application/grpc', 'grpc-timeout': '1S' }, { endStream: false });
    stream.end('\0\0\0\0\x01y');
    const { headers, body, trailers } = await answerOf(stream);
    expect(headers['content-type']).toBe('application/grpc');
    expect(body).toBe('\0\0\0\0\x01x');
    expect(trailers).toMatchObject({ 'grpc-status': '7', 'grpc-message': 'no' });
    expect(origin.requests[0]).toMatchObject({ te: 'trailers', 'grpc-timeout': '1S', ':path': '/s/m' });
  });

  it('may be answered by its head alone', async () => {
    const { session } = await client((stream) => stream.respond({ ':status': 200, 'grpc-status': '5' }, { endStream: true }));
    const { headers, body } = await answerOf(session.request({ ':method': 'POST', ':path': '/' }));
    expect(headers['grpc-status']).toBe('5');
    expect(body).toBe('');
  });

  it('goes both ways at once, a message at a time', async () => {
    const { session } = await client((stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.on('data', (part: Buffer) => stream.write(part));
      stream.on('end', () => stream.end());
    });
    const stream = session.request({ ':method': 'POST', ':path': '/', te: 'trailers' }, { endStream: false });
    const answered = answerOf(stream);
    for (let i = 0; i < 10; i++) {
      stream.write(`message ${i};`);
      // The next one only once this one has come back: nothing on the way may hold it.
      let seen = '';
      while (!seen.endsWith(';')) seen += ((await once(stream, 'data')) as [string])[0];
      expect(seen).toBe(`message ${i};`);
    }
    stream.end();
    const { body, trailers } = await answered;
    expect(body.match(/message/g)).toHaveLength(10);
    expect(trailers['grpc-status']).toBe('0');
  });

  it('that is called off is called off at the backend', async () => {
    const codes: number[] = [];
    let wake = (): void => {};
    const aborted = new Promise<void>((resolve) => (wake = resolve));
    const { session } = await client((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('some');
      stream.on('aborted', () => {
        codes.push(stream.rstCode);
        wake();
      });
    });
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => {});
    await once(stream, 'data');
    stream.close(constants.NGHTTP2_CANCEL);
    await aborted;
    expect(codes).toEqual([constants.NGHTTP2_CANCEL]);
    expect((await answerOf(session.request({ ':path': '/', ':method': 'HEAD' }))).headers[':status']).toBe(200);
  });

  it('of a hundred at once is each its own, over one connection on either side', async () => {
    const { session, origin } = await client((stream, headers) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-path': headers[':path'] }));
      stream.end('x'.repeat(Number(headers[':path']!.slice(1))));
    });
    await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const { body, trailers } = await answerOf(session.request({ ':path': `/${i * 997}`, te: 'trailers' }));
        expect(body).toHaveLength(i * 997);
        expect(trailers['x-path']).toBe(`/${i * 997}`);
      }),
    );
    expect(origin.sessions).toHaveLength(1);
  });
});
