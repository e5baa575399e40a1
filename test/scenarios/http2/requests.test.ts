import { describe, expect, it } from 'vitest';
import { FLAG, FRAME, H2_ERROR } from '../../../src/data-plane/parse/http2-frames.ts';
import { OK, stableHead } from '../../support/engine-scenario.ts';
import { http2Frame } from '../../support/http2-frames.ts';
import { block, dataFrame, GET, headersFrame, POST, type FieldList } from '../../support/http2-raw-client.ts';
import { http2Scenario, withField } from '../../support/http2-scenario.ts';

/** What the origin got for a request. */
async function arrival(fields: FieldList): Promise<string> {
  const s = await http2Scenario(() => OK);
  const client = await s.http2();
  client.send(headersFrame(1, fields));
  await client.answer(1);
  return s.origin.seen[0]!.raw;
}

describe('what the backend gets', () => {
  it('the request in HTTP/1.1, and who the client is', async () => {
    expect(stableHead(await arrival([...GET, ['accept', '*/*']]))).toEqual(['GET / HTTP/1.1', 'Host: a', 'accept: */*', 'X-Forwarded-For: 127.0.0.1', 'X-Forwarded-Proto: http', 'X-Forwarded-Host: a']);
  });

  it('cookie crumbs as one field', async () => {
    expect(await arrival([...GET, ['cookie', 'a=1'], ['x', 'y'], ['cookie', 'b=2'], ['cookie', ''], ['cookie', 'c=3']])).toContain('\r\ncookie: a=1; b=2; c=3\r\n');
  });

  it('that trailers are taken, from a client that says so', async () => {
    expect(await arrival([...GET, ['te', 'trailers']])).toContain('\r\nTE: trailers\r\nConnection: TE\r\n');
    expect(await arrival(GET)).not.toMatch(/\r\nTE:/i);
  });

  it('Host alone where there is no authority', async () => {
    expect(await arrival([...withField(GET, ':authority', null), ['host', 'b']])).toMatch(/^GET \/ HTTP\/1\.1\r\nhost: b\r\n/);
    expect(stableHead(await arrival([...GET, ['host', 'A']]))).toContain('Host: a');
  });

  it('OPTIONS of the whole origin', async () => {
    expect(await arrival(withField(withField(GET, ':method', 'OPTIONS'), ':path', '*'))).toMatch(/^OPTIONS \* HTTP\/1\.1\r\n/);
  });

  it('Via with the version that came', async () => {
    const s = await http2Scenario(() => OK, { listener: { via: true } });
    const client = await s.http2();
    client.send(headersFrame(1, GET));
    expect((await client.answer(1)).fields).toContain('via: 1.1 weir');
    expect(s.origin.seen[0]!.raw).toContain('\r\nVia: 2.0 weir\r\n');
  });
});

describe('bodies', () => {
  const bodyOf = (raw: string): string => raw.slice(raw.indexOf('\r\n\r\n') + 4);

  it('of a length go with it', async () => {
    const s = await http2Scenario(() => OK);
    const client = await s.http2();
    client.send(headersFrame(1, [...POST, ['content-length', '10']], FLAG.endHeaders), dataFrame(1, 'hello'));
    client.send(dataFrame(1, 'world', true));
    await client.answer(1);
    expect(s.origin.seen[0]!.raw).toMatch(/\r\ncontent-length: 10\r\n[^]*\r\n\r\nhelloworld$/);
  });

  it('without one get one if they come with their head', async () => {
    const s = await http2Scenario(() => OK);
    const client = await s.http2();
    client.send(headersFrame(1, POST, FLAG.endHeaders), dataFrame(1, 'hello', true));
    await client.answer(1);
    expect(s.origin.seen[0]!.raw).toMatch(/\r\nContent-Length: 5\r\n[^]*\r\n\r\nhello$/);
    client.send(headersFrame(3, POST));
    await client.answer(3);
    expect(s.origin.seen[1]!.raw).toMatch(/\r\nContent-Length: 0\r\n/);
    client.send(headersFrame(5, GET, FLAG.endHeaders), dataFrame(5, '', true));
    await client.answer(5);
    expect(s.origin.seen[2]!.raw).not.toMatch(/content-length|transfer-encoding/i);
  });

  it('that come later go in chunks, padding left out, trailers behind', async () => {
    const s = await http2Scenario(() => OK);
    const client = await s.http2();
    client.send(headersFrame(1, POST, FLAG.endHeaders));
    await client.of(FRAME.settings, 0);
    client.send(http2Frame(FRAME.data, FLAG.padded, 1, Buffer.from('\x03hello...')), dataFrame(1, ' world'));
    client.send(headersFrame(1, [['x-sum', '1'], ['authorization', 'x'], ['x_forwarded_for', '1']]));
    await client.answer(1);
    const { raw } = s.origin.seen[0]!;
    expect(raw).toContain('\r\nTransfer-Encoding: chunked\r\n');
    expect([...bodyOf(raw).matchAll(/[0-9a-f]+\r\n([^\r]+)\r\n(?=[0-9a-f]+\r\n)/g)].map((chunk) => chunk[1]).join('')).toBe('hello world');
    expect(bodyOf(raw)).toMatch(/0\r\nx-sum: 1\r\n\r\n$/);
  });

  it('over the limit are refused: 413', async () => {
    const s = await http2Scenario(() => OK, { listener: { limits: { bodyBytesMax: 4 } } });
    const client = await s.http2();
    client.send(headersFrame(1, [...POST, ['content-length', '5']], FLAG.endHeaders));
    expect((await client.answer(1)).status).toBe(':status: 413');
    expect(await client.resetOf(1)).toBe(H2_ERROR.noError);
    client.send(headersFrame(3, POST, FLAG.endHeaders), dataFrame(3, 'hello'));
    expect((await client.answer(3)).status).toBe(':status: 413');
    client.send(headersFrame(5, POST, FLAG.endHeaders), dataFrame(5, 'four', true));
    expect((await client.answer(5)).status).toBe(':status: 200');
  });
});

/** Requests that are malformed (RFC 9113 §8.1.1): the stream is reset, and no backend hears of them. */
const malformed: [string, FieldList][] = [
  ['a name in upper case', [...GET, ['X-A', 'b']]],
  ['a name that is no token', [...GET, ['x a', 'b']]],
  ['a name with a colon', [...GET, ['a:b', 'c']]],
  ['an empty name', [...GET, ['', 'b']]],
  ['a line end in a value', [...GET, ['x', 'a\r\nHost: b']]],
  ['a bare line feed in a value', [...GET, ['x', 'a\nb']]],
  ['NUL in a value', [...GET, ['x', 'a\0b']]],
  ['a space before a value', [...GET, ['x', ' a']]],
  ['a tab behind a value', [...GET, ['x', 'a\t']]],
  ['a line end in the path', withField(GET, ':path', '/ HTTP/1.1\r\nX: y')],
  ['a space in the path', withField(GET, ':path', '/a b')],
  ['a space in the method', withField(GET, ':method', 'GET /x')],
  ['a space in the authority', withField(GET, ':authority', 'a b')],
  ['Connection', [...GET, ['connection', 'x']]],
  ['Keep-Alive', [...GET, ['keep-alive', '5']]],
  ['Proxy-Connection', [...GET, ['proxy-connection', 'x']]],
  ['Transfer-Encoding', [...GET, ['transfer-encoding', 'chunked']]],
  ['Upgrade', [...GET, ['upgrade', 'websocket']]],
  ['TE of more than trailers', [...GET, ['te', 'gzip']]],
  ['an unknown pseudo-field', [[':x', 'y'], ...GET]],
  ['the pseudo-field of answers', [[':status', '200'], ...GET]],
  ['a pseudo-field behind a field', [['x', 'y'], ...GET]],
  ['a pseudo-field twice', [...GET, [':path', '/b']]],
  ['no method', withField(GET, ':method', null)],
  ['no scheme', withField(GET, ':scheme', null)],
  ['no path', withField(GET, ':path', null)],
  ['an empty path', withField(GET, ':path', '')],
  ['an empty authority', withField(GET, ':authority', '')],
  ['a path without a slash', withField(GET, ':path', 'a')],
  ['a whole address for a path', withField(GET, ':path', 'http://b/')],
  ['the asterisk for another method than OPTIONS', withField(GET, ':path', '*')],
  ['an unknown scheme', withField(GET, ':scheme', 'ftp')],
  ['Host unlike the authority', [...GET, ['host', 'b']]],
  ['Host twice', [...GET, ['host', 'a'], ['host', 'a']]],
  ['a protocol without CONNECT', [[':protocol', 'websocket'], ...GET]],
  ['CONNECT with a path', withField(GET, ':method', 'CONNECT')],
];

describe('a malformed request: its stream is reset with PROTOCOL_ERROR', () => {
  it.each(malformed)('%s', async (_name, fields) => {
    const s = await http2Scenario(() => OK);
    const client = await s.http2();
    client.send(headersFrame(1, fields));
    expect(await client.resetOf(1)).toBe(H2_ERROR.protocolError);
    client.send(headersFrame(3, GET));
    expect((await client.answer(3)).status).toBe(':status: 200');
    expect(s.origin.seen).toHaveLength(1);
  });

  it.each([
    ['more DATA than its length', [dataFrame(1, 'hello!', true)]],
    ['less DATA than its length', [dataFrame(1, 'hell', true)]],
    ['no DATA though it has a length', [dataFrame(1, '', true)]],
    ['trailers that do not end it', [dataFrame(1, 'hello'), headersFrame(1, [['x', 'y']], FLAG.endHeaders)]],
    ['a pseudo-field in trailers', [dataFrame(1, 'hello'), headersFrame(1, [[':path', '/']])]],
    ['a length in trailers', [dataFrame(1, 'hello'), headersFrame(1, [['content-length', '5']])]],
    ['upper case in trailers', [dataFrame(1, 'hello'), headersFrame(1, [['X', 'y']])]],
  ])('%s', async (_name, frames) => {
    const s = await http2Scenario(() => OK);
    const client = await s.http2();
    client.send(headersFrame(1, [...POST, ['content-length', '5']], FLAG.endHeaders));
    client.send(...frames);
    expect(await client.resetOf(1)).toBe(H2_ERROR.protocolError);
    expect(s.origin.seen).toEqual([]);
  });

  it('a length, though HEADERS end it', async () => {
    const s = await http2Scenario(() => OK);
    const client = await s.http2();
    client.send(headersFrame(1, [...POST, ['content-length', '5']]));
    expect(await client.resetOf(1)).toBe(H2_ERROR.protocolError);
  });
});

describe('refused with an answer', () => {
  it.each([
    ['two lengths: 400', [...GET, ['content-length', '5'], ['content-length', '5']], '400'],
    ['a length that is no number: 400', [...GET, ['content-length', '+5']], '400'],
    ['an authority with userinfo: 400', withField(GET, ':authority', 'a@b'), '400'],
    ['neither authority nor Host: 400', withField(GET, ':authority', null), '400'],
    ['https in the clear: 400', withField(GET, ':scheme', 'https'), '400'],
    ['CONNECT: 501', [[':method', 'CONNECT'], [':authority', 'a:1']], '501'],
    ['CONNECT for another protocol than WebSocket: 501', [[':method', 'CONNECT'], [':protocol', 'connect-udp'], ...GET.slice(1)], '501'],
    ['TRACE: 501', withField(GET, ':method', 'TRACE'), '501'],
    ['a head that is too large: 431', [...GET, ['x', 'y'.repeat(40_000)]], '431'],
    ['too many fields: 431', [...GET, ...Array.from({ length: 130 }, (_, i) => [`x${i}`, 'y'] as const)], '431'],
  ] as [string, FieldList, string][])('%s', async (_name, fields, status) => {
    const s = await http2Scenario(() => OK);
    const client = await s.http2();
    const bytes = block(fields);
    const parts = [bytes.subarray(0, 16_384), bytes.subarray(16_384, 32_768), bytes.subarray(32_768)].filter((part, i) => i === 0 || part.length > 0);
    client.send(...parts.map((part, i) => http2Frame(i === 0 ? FRAME.headers : FRAME.continuation, (i === 0 ? FLAG.endStream : 0) | (i === parts.length - 1 ? FLAG.endHeaders : 0), 1, part)));
    expect((await client.answer(1)).status).toBe(`:status: ${status}`);
    client.send(headersFrame(3, GET));
    expect((await client.answer(3)).status).toBe(':status: 200');
    expect(s.origin.seen).toHaveLength(1);
  });

  it('https of a trusted proxy in front of us is taken', async () => {
    const s = await http2Scenario(() => OK, { listener: { trustedProxies: ['127.0.0.0/8'] } });
    const client = await s.http2();
    client.send(headersFrame(1, withField(GET, ':scheme', 'https')));
    expect((await client.answer(1)).status).toBe(':status: 200');
  });
});
