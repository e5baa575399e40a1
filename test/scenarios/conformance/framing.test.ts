/** Where a request begins and ends: every doubt is refused before the origin hears of it. */
import { describe, expect, it } from 'vitest';
import { OK, scenario } from '../../support/engine-scenario.ts';
import { arrivals, expectBodyRefused, expectRefused } from '../../support/raw-cases.ts';

const POST = 'POST / HTTP/1.1\r\nHost: a\r\n';
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
/** What a program that believes in chunks, or in five bytes, would take differently. */
const BODY = `0\r\n\r\n${SMUGGLED}`;

describe('a length beside a transfer coding', () => {
  it.each([
    ['length first', 'Content-Length: 5\r\nTransfer-Encoding: chunked'],
    ['coding first', 'Transfer-Encoding: chunked\r\nContent-Length: 5'],
    ['a length of zero', 'Content-Length: 0\r\nTransfer-Encoding: chunked'],
    ['fields between them', 'Content-Length: 5\r\nX-A: 1\r\nX-B: 2\r\nTransfer-Encoding: chunked'],
    ['in other letters', 'CONTENT-length: 5\r\ntRANSFER-eNCODING: CHUNKED'],
    ['the length named in Connection', 'Connection: content-length\r\nContent-Length: 5\r\nTransfer-Encoding: chunked'],
    ['the coding named in Connection', 'Connection: transfer-encoding\r\nContent-Length: 5\r\nTransfer-Encoding: chunked'],
  ])('%s', (_name, lines) => expectRefused(`${POST}${lines}\r\n\r\n${BODY}`, 400));
});

describe('a length that is no single decimal number', () => {
  it.each([
    ['repeated, differing', 'Content-Length: 5\r\nContent-Length: 6'],
    ['repeated, equal', 'Content-Length: 5\r\nContent-Length: 5'],
    ['a list of equal ones', 'Content-Length: 5, 5'],
    ['a list of differing ones', 'Content-Length: 5, 6'],
    ['a list with an empty member', 'Content-Length: 5,'],
    ['a plus sign', 'Content-Length: +5'],
    ['a minus sign', 'Content-Length: -5'],
    ['minus zero', 'Content-Length: -0'],
    ['hexadecimal with prefix', 'Content-Length: 0x5'],
    ['hexadecimal digits', 'Content-Length: a'],
    ['an octal prefix', 'Content-Length: 0o5'],
    ['an underscore', 'Content-Length: 1_0'],
    ['an exponent', 'Content-Length: 1e1'],
    ['a fraction', 'Content-Length: 5.0'],
    ['empty', 'Content-Length:'],
    ['only white space', 'Content-Length: \t '],
    ['white space within', 'Content-Length: 1 0'],
    ['a form feed before it', 'Content-Length: \x0c5'],
    ['a no-break space behind it', 'Content-Length: 5\xa0'],
    ['quoted', 'Content-Length: "5"'],
    ['digits of another script', 'Content-Length: \xd9\xa5'],
    ['2^53', 'Content-Length: 9007199254740992'],
    ['2^64 + 5', 'Content-Length: 18446744073709551621'],
    ['2^32 + 5 in thirty digits', 'Content-Length: 000000000000000000004294967301'],
  ])('%s', (_name, lines) => expectRefused(`${POST}${lines}\r\n\r\nhello${SMUGGLED}`, 400));
});

describe('a length that is one', () => {
  it('has leading zeros: written anew without', async () => {
    expect(await arrivals(`${POST}Content-Length: 005\r\n\r\nhello`)).toEqual([`${POST}Content-Length: 5\r\n\r\nhello`]);
  });

  it('has white space around it: written anew without', async () => {
    expect(await arrivals(`${POST}Content-Length:   5 \t\r\n\r\nhello`)).toEqual([`${POST}Content-Length: 5\r\n\r\nhello`]);
  });

  it('is zero, on a GET', async () => {
    const get = 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n';
    expect(await arrivals(get)).toEqual([get]);
  });

  it('comes with a method that has no use for a body', async () => {
    const get = 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello';
    expect(await arrivals(get)).toEqual([get]);
  });

  it('is missing: there is no body', async () => {
    expect(await arrivals(`${POST}\r\n`)).toEqual([`${POST}\r\n`]);
  });
});

describe('a transfer coding in disguise', () => {
  it.each([
    ['a vertical tab before it', 'Transfer-Encoding: \x0bchunked', 400],
    ['a form feed behind it', 'Transfer-Encoding: chunked\x0c', 400],
    ['a NUL behind it', 'Transfer-Encoding: chunked\0', 400],
    ['a no-break space behind it', 'Transfer-Encoding: chunked\xa0', 400],
    ['an empty value', 'Transfer-Encoding:', 400],
    ['chunked, identity', 'Transfer-Encoding: chunked, identity', 400],
    ['identity, chunked', 'Transfer-Encoding: identity, chunked', 400],
    ['gzip, chunked', 'Transfer-Encoding: gzip, chunked', 400],
    ['chunked twice in a list', 'Transfer-Encoding: chunked, chunked', 400],
    ['a trailing comma', 'Transfer-Encoding: chunked,', 400],
    ['a leading comma', 'Transfer-Encoding: ,chunked', 400],
    ['a parameter', 'Transfer-Encoding: chunked;q=1', 400],
    ['in double quotes', 'Transfer-Encoding: "chunked"', 400],
    ['in single quotes', "Transfer-Encoding: 'chunked'", 400],
    ['a word before it', 'Transfer-Encoding: x chunked', 400],
    ['repeated lines', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', 400],
    ['chunked, then identity, in two lines', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', 400],
    ['identity, then chunked, in two lines', 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked', 501],
    ['an empty line of it before', 'Transfer-Encoding:\r\nTransfer-Encoding: chunked', 400],
    ['xchunked', 'Transfer-Encoding: xchunked', 501],
    ['identity', 'Transfer-Encoding: identity', 501],
    ['gzip', 'Transfer-Encoding: gzip', 501],
    ['chunked-ish', 'Transfer-Encoding: chunke', 501],
    ['a space before the colon', 'Transfer-Encoding : chunked', 400],
    ['a tab before the colon', 'Transfer-Encoding\t: chunked', 400],
    ['a vertical tab before the colon', 'Transfer-Encoding\x0b: chunked', 400],
    ['folded after the colon', 'Transfer-Encoding:\r\n chunked', 400],
    ['folded before the value ends', 'Transfer-Encoding: chunked\r\n , identity', 400],
    ['on a folded line of another field', 'X: y\r\n Transfer-Encoding: chunked', 400],
    ['behind a bare CR', 'X: y\rTransfer-Encoding: chunked', 400],
    ['behind a bare LF', 'X: y\nTransfer-Encoding: chunked', 400],
    ['a Kelvin sign for the k', 'Transfer-Encoding: chun\xe2\x84\xaaed', 400],
  ])('%s', (_name, lines, status) => expectRefused(`${POST}Content-Length: 5\r\n${lines}\r\n\r\n${BODY}`, status));

  it.each([
    ['by itself: a list', 'Transfer-Encoding: chunked, identity', 400],
    ['by itself: a vertical tab', 'Transfer-Encoding: \x0bchunked', 400],
    ['by itself: another coding', 'Transfer-Encoding: gzip', 501],
  ])('%s', (_name, lines, status) => expectRefused(`${POST}${lines}\r\n\r\n${BODY}`, status));

  it.each([
    ['an underscore in its name: not passed on, and not believed', 'Transfer_Encoding: chunked\r\n'],
    ['an underscore in the name of the length: the same', 'Content_Length: 5\r\n'],
  ])('%s', async (_name, line) => {
    expect(await arrivals(`${POST}${line}\r\n`)).toEqual([`${POST}\r\n`]);
    expect(await arrivals(`${POST}${line}Content-Length: 5\r\n\r\nhello`)).toEqual([`${POST}Content-Length: 5\r\n\r\nhello`]);
  });

  it.each([
    ['tabs around it are white space', 'Transfer-Encoding: \tchunked\t'],
    ['upper case is the same', 'TRANSFER-ENCODING: CHUNKED'],
  ])('%s', async (_name, line) => {
    expect(await arrivals(`${POST}${line}\r\n\r\n5\r\nhello\r\n0\r\n\r\n`)).toEqual([`${POST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`]);
  });
});

describe('a transfer coding in HTTP/1.0', () => {
  it.each([
    ['alone', 'Transfer-Encoding: chunked'],
    ['with a length', 'Transfer-Encoding: chunked\r\nContent-Length: 5'],
    ['on a kept connection', 'Connection: keep-alive\r\nTransfer-Encoding: chunked'],
  ])('%s', (_name, lines) => expectRefused(`POST / HTTP/1.0\r\nHost: a\r\n${lines}\r\n\r\n${BODY}`, 400));

  it('of an unknown name', () => expectRefused(`POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n`, 501));
});

describe('control bytes in the head', () => {
  const bytes = [['NUL', '\0'], ['CR', '\r'], ['LF', '\n'], ['DEL', '\x7f'], ['VT', '\x0b'], ['ESC', '\x1b']] as const;
  const places = [
    ['in the method', (byte: string) => `G${byte}ET / HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['before the method', (byte: string) => `${byte}GET / HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['behind the method', (byte: string) => `GET${byte} / HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['in the target', (byte: string) => `GET /a${byte}b HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['in the version', (byte: string) => `GET / HTTP/1${byte}.1\r\nHost: a\r\n\r\n`],
    ['behind the version', (byte: string) => `GET / HTTP/1.1${byte}\r\nHost: a\r\n\r\n`],
    ['between the start line and the fields', (byte: string) => `GET / HTTP/1.1\r\n${byte}Host: a\r\n\r\n`],
    ['in a name', (byte: string) => `GET / HTTP/1.1\r\nHost: a\r\nX${byte}Y: 1\r\n\r\n`],
    ['before the colon', (byte: string) => `GET / HTTP/1.1\r\nHost: a\r\nX${byte}: 1\r\n\r\n`],
    ['behind the colon', (byte: string) => `GET / HTTP/1.1\r\nHost: a\r\nX:${byte}1\r\n\r\n`],
    ['in a value', (byte: string) => `GET / HTTP/1.1\r\nHost: a\r\nX: 1${byte}2\r\n\r\n`],
    ['at the end of a value', (byte: string) => `GET / HTTP/1.1\r\nHost: a\r\nX: 1${byte}\r\n\r\n`],
    ['in Host', (byte: string) => `GET / HTTP/1.1\r\nHost: a${byte}b\r\n\r\n`],
  ] as const;
  // LF before the method would be an empty line with a bare LF.
  it.each(places)('%s', async (_name, place) => {
    for (const [, byte] of bytes) await expectRefused(place(byte), 400);
  });
});

describe('lines that are none', () => {
  it.each([
    ['bare LF throughout', 'GET / HTTP/1.1\nHost: a\n\n'],
    ['a bare LF after the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n'],
    ['a bare LF for the empty line', 'GET / HTTP/1.1\r\nHost: a\r\n\n'],
    ['CR CR LF', 'GET / HTTP/1.1\r\nHost: a\r\r\n\r\n'],
    ['a bare CR for the empty line', 'GET / HTTP/1.1\r\nHost: a\r\n\rX: 1\r\n\r\n'],
    ['a folded line', 'GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n'],
    ['a line folded with a tab', 'GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\t2\r\n\r\n'],
    ['white space before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n'],
    ['a line of white space', 'GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'],
    ['a line without a colon', 'GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n'],
    ['an empty name', 'GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n'],
    ['a space in a name', 'GET / HTTP/1.1\r\nHost: a\r\nX Y: 1\r\n\r\n'],
    ['a letter beyond ASCII in a name', 'GET / HTTP/1.1\r\nHost: a\r\nX\xe9: 1\r\n\r\n'],
    ['nine empty lines before the request', `${'\r\n'.repeat(9)}GET / HTTP/1.1\r\nHost: a\r\n\r\n`],
  ])('%s', (_name, raw) => expectRefused(raw, 400));

  it.each([
    ['one empty line before the request', '\r\n'],
    ['four empty lines before the request', '\r\n\r\n\r\n\r\n'],
  ])('%s: ignored', async (_name, before) => {
    expect(await arrivals(`${before}GET / HTTP/1.1\r\nHost: a\r\n\r\n`)).toEqual(['GET / HTTP/1.1\r\nHost: a\r\n\r\n']);
  });
});

describe('a chunk that could be read two ways', () => {
  const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
  it.each([
    ['a plus sign', '+5\r\nhello\r\n0\r\n\r\n'],
    ['a minus sign', '-5\r\nhello\r\n0\r\n\r\n'],
    ['a prefix', '0x5\r\nhello\r\n0\r\n\r\n'],
    ['a space before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
    ['a space behind the size', '5 \r\nhello\r\n0\r\n\r\n'],
    ['a tab behind the size', '5\t\r\nhello\r\n0\r\n\r\n'],
    ['a space before an extension', '5 ;a\r\nhello\r\n0\r\n\r\n'],
    ['an underscore', '0_5\r\nhello\r\n0\r\n\r\n'],
    ['no size', '\r\nhello\r\n0\r\n\r\n'],
    ['an extension without size', ';a\r\nhello\r\n0\r\n\r\n'],
    ['letters that are no digits', '5g\r\nhello\r\n0\r\n\r\n'],
    ['2^64 + 5', '10000000000000005\r\nhello\r\n0\r\n\r\n'],
    ['2^32 + 5 in thirty digits', '000000000000000000000100000005\r\nhello\r\n0\r\n\r\n'],
    ['a thousand leading zeros', `${'0'.repeat(1000)}5\r\nhello\r\n0\r\n\r\n`],
    ['a bare LF behind the size', '5\nhello\r\n0\r\n\r\n'],
    ['a bare CR behind the size', '5\rhello\r\n0\r\n\r\n'],
    ['CR CR LF behind the size', '5\r\r\nhello\r\n0\r\n\r\n'],
    ['nothing behind the bytes', '5\r\nhello0\r\n\r\n'],
    ['a bare LF behind the bytes', '5\r\nhello\n0\r\n\r\n'],
    ['a bare CR behind the bytes', '5\r\nhello\r0\r\n\r\n'],
    ['two arbitrary bytes behind the bytes', '5\r\nhelloXX0\r\n\r\n'],
    ['more bytes than its size', '4\r\nhello\r\n0\r\n\r\n'],
    ['fewer bytes than its size', `6\r\nhello\r\n0\r\n\r\n${SMUGGLED}`],
    ['an extension with a bare LF', '5;a\nhello\r\n0\r\n\r\n'],
    ['an extension with a bare CR', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
    ['an extension with a NUL', '5;a\0\r\nhello\r\n0\r\n\r\n'],
    ['a quoted extension with CR LF, read as one', '5;a="\r\n";b\r\nhello\r\n0\r\n\r\n'],
    ['an extension with a bare LF at the last chunk', '0;a\n\r\n\r\n'],
    ['an extension without name', '5;\r\nhello\r\n0\r\n\r\n'],
    ['an extension without name, before another', '5;;a\r\nhello\r\n0\r\n\r\n'],
    ['an extension that is a value alone', '5;=a\r\nhello\r\n0\r\n\r\n'],
    ['an extension whose value is missing', '5;a=\r\nhello\r\n0\r\n\r\n'],
    ['an extension with white space at its end', '5;a \r\nhello\r\n0\r\n\r\n'],
    ['an extension of two words', '5;a b\r\nhello\r\n0\r\n\r\n'],
    ['an extension with a comma', '5;a,b\r\nhello\r\n0\r\n\r\n'],
    ['an extension in bytes that no token holds', '5;\xe9\r\nhello\r\n0\r\n\r\n'],
    ['a quoted extension that does not end with its line', '5;a="\r\nhello\r\n0\r\n\r\n'],
    ['a quoted extension that ends with a backslash', '5;a="\\"\r\nhello\r\n0\r\n\r\n'],
    ['a quoted extension with more behind it', '5;a="b"c\r\nhello\r\n0\r\n\r\n'],
    ['a quoted extension with a bare LF', '5;a="\n"\r\nhello\r\n0\r\n\r\n'],
    ['a quoted extension with an escaped CR LF', '5;a="\\\r\n"\r\nhello\r\n0\r\n\r\n'],
    ['a quoted name', '5;"a"=b\r\nhello\r\n0\r\n\r\n'],
    ['an extension over 1 KiB', `5;${'a'.repeat(1025)}\r\nhello\r\n0\r\n\r\n`],
    ['a bare LF for the last line', '0\r\n\n'],
    ['a bare CR for the last line', '0\r\n\rX'],
  ])('%s', (_name, body) => expectBodyRefused(`${CHUNKED}${body}`, 400));

  it.each([
    ['extensions are cut out', '5;a;b="c, d"\r\nhello\r\n0;z\r\n\r\n', '5\r\nhello\r\n0\r\n\r\n'],
    ['a quoted extension may hold what else would end it', '5;a="b;c=\\"d\\\\";e\r\nhello\r\n0;z="\\;\xe9\t"\r\n\r\n', '5\r\nhello\r\n0\r\n\r\n'],
    ['white space of an extension where the grammar has it', '5; a\t=  "b" ;c = d\t; e\r\nhello\r\n0\r\n\r\n', '5\r\nhello\r\n0\r\n\r\n'],
    ['digits of either case', 'a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n', 'a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n'],
    ['a few leading zeros', '0005\r\nhello\r\n0\r\n\r\n', '0005\r\nhello\r\n0\r\n\r\n'],
  ])('%s', async (_name, body, expected) => {
    expect(await arrivals(`${CHUNKED}${body}`)).toEqual([`${CHUNKED}${expected}`]);
  });
});

describe('trailers', () => {
  const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
  it.each([
    ['malformed: no colon', 'X\r\n'],
    ['malformed: a space before the colon', 'X : 1\r\n'],
    ['malformed: folded', 'X: 1\r\n 2\r\n'],
    ['malformed: an empty name', ': 1\r\n'],
    ['malformed: a bare LF', 'X: 1\n'],
    ['malformed: a bare CR', 'X: 1\rY: 2\r\n'],
    ['malformed: a NUL', 'X: \0\r\n'],
    ['malformed: white space first', ' X: 1\r\n'],
    ['larger than a head may be', `X: ${'a'.repeat(33_000)}\r\n`],
  ])('%s', (_name, trailer) => expectBodyRefused(`${CHUNKED}5\r\nhello\r\n0\r\n${trailer}\r\n`, 400));

  const framing = ['Content-Length: 5', 'Transfer-Encoding: chunked', 'Host: b', 'Connection: close', 'TE: trailers', 'Trailer: x', 'Upgrade: h2c', 'Expect: 100-continue', 'Max-Forwards: 0'];
  it.each(framing)('that frame or route are refused: %s', async (line) => {
    for (const text of [line, line.toUpperCase()]) {
      await expectBodyRefused(`${CHUNKED}5\r\nhello\r\n0\r\n${text}\r\n\r\n`, 400);
      await expectBodyRefused(`${CHUNKED}5\r\nhello\r\n0\r\nX-Sum: 1\r\n${text}\r\nX-Last: 2\r\n\r\n`, 400);
    }
  });

  const disguised = ['Content_Length: 5', 'Transfer_Encoding: chunked', 'Max_Forwards: 0', 'Proxy_Connection: close'];
  const ours = ['X-Forwarded-For: 1.1.1.1', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: b', 'X-Forwarded-Port: 1', 'X-Request-ID: mine', 'Forwarded: for=1.1.1.1', 'X-Real-IP: 1.1.1.1', 'Via: 1.1 x'];
  const control = ['Authorization: Basic x', 'Cookie: a=b', 'Cache-Control: no-cache', 'If-Match: x', 'Range: bytes=0-1', 'Content-Type: text/plain', 'Content-Encoding: gzip', 'Proxy-Authorization: x'];
  it.each([
    ['in a disguise of what frames or routes are taken out', disguised],
    ['that we set are taken out', ours],
    ['that control or authenticate are taken out', control],
  ])('%s', async (_name, lines) => {
    for (const line of lines) {
      for (const text of [line, line.toUpperCase(), line.replaceAll('-', '_')]) {
        expect(await arrivals(`${CHUNKED}5\r\nhello\r\n0\r\nX-Sum: 1\r\n${text}\r\nX-Last: 2\r\n\r\n`)).toEqual([`${CHUNKED}5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Last: 2\r\n\r\n`]);
      }
    }
  });

  it('named in Connection are taken out', async () => {
    const head = `${POST}Connection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n`;
    expect(await arrivals(`${head}5\r\nhello\r\n0\r\nX-Sum: 1\r\nx-hop: 2\r\n\r\n`)).toEqual([`${CHUNKED}5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`]);
  });

  it('of a body that comes in pieces are filtered too', async () => {
    const s = await scenario(() => OK);
    const client = await s.client();
    client.send(`${CHUNKED}5\r\nhello\r\n0\r\nX-Sum: 1\r\nCook`);
    while (s.origin.origin.sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
    client.send('ie: 9\r\n\r\n');
    await client.until((received) => received.endsWith('ok'));
    expect(s.origin.seen[0]!.raw).toMatch(/\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n$/);
  });
});
