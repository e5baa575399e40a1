import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { HEAD_TOO_LARGE, INCOMPLETE, latin1, MALFORMED, NOT_IMPLEMENTED, TARGET_TOO_LONG, VERSION_UNSUPPORTED } from '../../../src/data-plane/parse/bytes.ts';
import { METHOD, parseRequestHead, RequestHead, TARGET_FORM } from '../../../src/data-plane/parse/request-head.ts';

const limits = { headerBytesMax: 32_768, headerCountMax: 128 };

function parse(text: string, head = new RequestHead(), with_ = limits): number {
  const bytes = Buffer.from(text, 'latin1');
  return parseRequestHead(bytes, 0, bytes.length, with_, head);
}

function fieldsOf(head: RequestHead): [string, string][] {
  const { fields, bytes } = head;
  return Array.from({ length: fields.count }, (_, i) => [
    latin1(bytes, fields.nameStart[i]!, fields.nameEnd[i]!),
    latin1(bytes, fields.valueStart[i]!, fields.valueEnd[i]!),
  ]);
}

describe('a well-formed head', () => {
  it('gives method, path, query, authority and fields as offsets', () => {
    const head = new RequestHead();
    const text = 'GET /a/b?c=d HTTP/1.1\r\nHost: Example.com:81\r\nX-A:  one \t\r\nEmpty:\r\n\r\nrest';
    expect(parse(text, head)).toBe(text.length - 4);
    expect(head.method).toBe(METHOD.get);
    expect(latin1(head.bytes, head.pathStart, head.pathEnd)).toBe('/a/b');
    expect(latin1(head.bytes, head.pathEnd, head.targetEnd)).toBe('?c=d');
    expect(latin1(head.bytes, head.authorityStart, head.authorityEnd)).toBe('Example.com:81');
    expect(fieldsOf(head)).toEqual([['Host', 'Example.com:81'], ['X-A', 'one'], ['Empty', '']]);
    expect(head.contentLength).toBe(-1);
    expect(head.close).toBe(false);
  });

  it.each([
    ['GET', METHOD.get], ['HEAD', METHOD.head], ['POST', METHOD.post], ['PUT', METHOD.put], ['DELETE', METHOD.delete],
    ['PATCH', METHOD.patch], ['OPTIONS', METHOD.options], ['get', METHOD.other], ['PROPFIND', METHOD.other], ['GOT', METHOD.other],
  ])('knows the method %s', (name, id) => {
    const head = new RequestHead();
    expect(parse(`${name} / HTTP/1.1\r\nHost: a\r\n\r\n`, head)).toBeGreaterThan(0);
    expect(head.method).toBe(id);
  });

  it('ignores an empty line before the request line', () => {
    const head = new RequestHead();
    expect(parse('\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', head)).toBe(31);
    expect(head.methodStart).toBe(4);
  });

  it('takes the authority of an absolute target before Host', () => {
    const head = new RequestHead();
    expect(parse('GET http://a.example:8080/x?y HTTP/1.1\r\nHost: b\r\n\r\n', head)).toBeGreaterThan(0);
    expect(head.form).toBe(TARGET_FORM.absolute);
    expect(latin1(head.bytes, head.authorityStart, head.authorityEnd)).toBe('a.example:8080');
    expect(latin1(head.bytes, head.pathStart, head.pathEnd)).toBe('/x');
  });

  it.each([
    ['/plain/path', false], ['/a%2Fb', true], ['/a//b', true], ['/a/./b', true], ['/a/..', true], ['/a.b/c.d', false], ['/.hidden', true], ['/a\\b', true], ['/a;b', true], ['/a?b//c%20;d', false],
  ])('says whether %s may read two ways', (path, mayRead) => {
    const head = new RequestHead();
    expect(parse(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`, head)).toBeGreaterThan(0);
    expect(head.pathMayReadTwoWays).toBe(mayRead);
  });
});

describe('framing and connection', () => {
  const head = new RequestHead();
  it.each([
    ['Content-Length: 10', { contentLength: 10 }],
    ['Transfer-Encoding: chunked', { chunked: true }],
    ['Transfer-Encoding: Chunked', { chunked: true }],
    ['Connection: close', { close: true }],
    ['Connection: Keep-Alive, Upgrade\r\nUpgrade: websocket', { upgrade: true, nominatesFields: false }],
    ['Connection: upgrade', { upgrade: false }],
    ['Connection: x-secret', { nominatesFields: true }],
    ['Expect: 100-continue', { expectContinue: true }],
    ['Connection: TE\r\nTE: trailers', { acceptsTrailers: true, nominatesFields: false }],
    ['TE: gzip;q=0.5, TRAILERS\r\nConnection: keep-alive, te', { acceptsTrailers: true }],
    ['TE: trailers', { acceptsTrailers: false }],
    ['Connection: TE\r\nTE: gzip', { acceptsTrailers: false }],
  ])('%s', (line, expected) => {
    expect(parse(`POST / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`, head)).toBeGreaterThan(0);
    expect(head).toMatchObject(expected);
  });

  it('HTTP/1.0 closes unless it asks to keep the connection', () => {
    expect(parse('GET / HTTP/1.0\r\n\r\n', head)).toBeGreaterThan(0);
    expect(head.close).toBe(true);
    expect(parse('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', head)).toBeGreaterThan(0);
    expect(head.close).toBe(false);
    expect(parse('GET / HTTP/1.0\r\nConnection: keep-alive, TE\r\nTE: trailers\r\n\r\n', head)).toBeGreaterThan(0);
    expect(head.acceptsTrailers).toBe(false);
  });

  it('forgets what the former message said', () => {
    parse('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close, x, TE\r\nTE: trailers\r\nExpect: 100-continue\r\n\r\n', head);
    parse('GET / HTTP/1.1\r\nHost: a\r\n\r\n', head);
    expect(head).toMatchObject({ chunked: false, contentLength: -1, close: false, nominatesFields: false, expectContinue: false, upgrade: false, acceptsTrailers: false, namesTe: false });
  });
});

describe('what is refused', () => {
  it.each([
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', MALFORMED],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', MALFORMED],
    ['userinfo in Host', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', MALFORMED],
    ['a path in Host', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', MALFORMED],
    ['a list in Host', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', MALFORMED],
    ['a port that is none', 'GET / HTTP/1.1\r\nHost: a:x\r\n\r\n', MALFORMED],
    ['length and coding', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', MALFORMED],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n', MALFORMED],
    ['a list of lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n', MALFORMED],
    ['a signed length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n', MALFORMED],
    ['a hexadecimal length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n', MALFORMED],
    ['an empty length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n', MALFORMED],
    ['a length beyond 2^53', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999\r\n\r\n', MALFORMED],
    ['two codings', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n', MALFORMED],
    ['a disguised coding', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n', MALFORMED],
    ['a list of codings', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', MALFORMED],
    ['an unknown coding', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n', NOT_IMPLEMENTED],
    ['a coding in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n', MALFORMED],
    ['a folded line', 'GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n', MALFORMED],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', MALFORMED],
    ['an empty name', 'GET / HTTP/1.1\r\n: a\r\n\r\n', MALFORMED],
    ['a bare LF', 'GET / HTTP/1.1\nHost: a\n\n', MALFORMED],
    ['a bare CR', 'GET / HTTP/1.1\r\nHost: a\r\nX: 1\r2\r\n\r\n', MALFORMED],
    ['a NUL', 'GET / HTTP/1.1\r\nHost: a\r\nX: 1\x002\r\n\r\n', MALFORMED],
    ['two spaces', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', MALFORMED],
    ['a fragment', 'GET /#a HTTP/1.1\r\nHost: a\r\n\r\n', MALFORMED],
    ['a target without slash', 'GET a HTTP/1.1\r\nHost: a\r\n\r\n', MALFORMED],
    ['an asterisk but for OPTIONS', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', MALFORMED],
    ['another scheme', 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n', MALFORMED],
    ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n', NOT_IMPLEMENTED],
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', NOT_IMPLEMENTED],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', VERSION_UNSUPPORTED],
    ['HTTP/0.9', 'GET /\r\n', MALFORMED],
    ['lower-case http', 'GET / http/1.1\r\nHost: a\r\n\r\n', MALFORMED],
    ['a TLS hello', '\x16\x03\x01\x02\x00', MALFORMED],
  ])('%s', (_name, text, expected) => {
    expect(parse(text)).toBe(expected);
  });

  it('a control byte in a value, wherever it stands among the bytes looked at together', () => {
    const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nA: ${'v'.repeat(11)}\r\n\r\n`, 'latin1');
    const valueStart = bytes.indexOf('vv');
    const head = new RequestHead();
    const wrong: string[] = [];
    for (let at = 0; at < 11; at++) {
      for (let byte = 0; byte < 256; byte++) {
        for (const next of [0x20, 0x7e, 0x80, 0xff]) {
          // What stands next to it must make no difference: neither borrow nor carry may hide it.
          bytes.fill('v', valueStart, valueStart + 11);
          if (at < 10) bytes[valueStart + at + 1] = next;
          bytes[valueStart + at] = byte;
          const mayStand = byte === 9 || (byte >= 32 && byte !== 127);
          const isTaken = parseRequestHead(bytes, 0, bytes.length, limits, head) === bytes.length;
          if (isTaken !== mayStand) wrong.push(`byte ${byte} at ${at} before ${next}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('too many and too large', () => {
    const many = 'X: 1\r\n'.repeat(128);
    expect(parse(`GET / HTTP/1.1\r\nHost: a\r\n${many}\r\n`)).toBe(HEAD_TOO_LARGE);
    expect(parse(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`)).toBe(HEAD_TOO_LARGE);
    expect(parse(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(40_000)}`)).toBe(HEAD_TOO_LARGE);
    expect(parse(`GET /${'a'.repeat(40_000)} HTTP/1.1\r\nHost: a\r\n\r\n`)).toBe(TARGET_TOO_LONG);
    expect(parse(`GET /${'a'.repeat(40_000)}`)).toBe(TARGET_TOO_LONG);
  });
});

describe('pieces', () => {
  it('every prefix of a head is incomplete', () => {
    const text = 'POST http://a.b/c?d HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-Y: z\r\n\r\n';
    for (let length = 0; length < text.length; length++) expect(parse(text.slice(0, length))).toBe(INCOMPLETE);
    expect(parse(text)).toBe(text.length);
  });

  it('never throws, and never claims more than it was given', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const result = parseRequestHead(Buffer.from(bytes), 0, bytes.length, limits, new RequestHead());
        expect(result).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2000 },
    );
  });

  it('round trip: what was written is what is read', () => {
    const token = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}$/);
    const value = fc.stringMatching(/^[!-~](?:[ -~\t\x80-\xff]{0,20}[!-~])?$/);
    const names = token.filter((name) => !['host', 'content-length', 'transfer-encoding', 'connection'].includes(name.toLowerCase().replaceAll('_', '-')));
    fc.assert(
      fc.property(fc.array(fc.tuple(names, value), { maxLength: 20 }), (fields) => {
        const text = `GET /p HTTP/1.1\r\nHost: h\r\n${fields.map(([name, text_]) => `${name}: ${text_}\r\n`).join('')}\r\n`;
        const head = new RequestHead();
        expect(parse(text, head)).toBe(Buffer.byteLength(text, 'latin1'));
        expect(fieldsOf(head).slice(1)).toEqual(fields);
      }),
    );
  });
});
