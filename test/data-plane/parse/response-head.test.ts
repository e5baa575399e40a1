import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { HEAD_TOO_LARGE, INCOMPLETE, latin1, MALFORMED } from '../../../src/data-plane/parse/bytes.ts';
import { parseResponseHead, ResponseHead } from '../../../src/data-plane/parse/response-head.ts';

const limits = { headerBytesMax: 32_768, headerCountMax: 128 };

function parse(text: string, head = new ResponseHead()): number {
  const bytes = Buffer.from(text, 'latin1');
  return parseResponseHead(bytes, 0, bytes.length, limits, head);
}

describe('a well-formed answer', () => {
  const head = new ResponseHead();
  it.each([
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', { status: 200, contentLength: 5, chunked: false, close: false, minorVersion: 1 }],
    ['HTTP/1.1 404\r\n\r\n', { status: 404, contentLength: -1 }],
    ['HTTP/1.1 404 \r\n\r\n', { status: 404 }],
    ['HTTP/1.1 200 \xe9t\xe9\tok\r\n\r\n', { status: 200 }],
    ['HTTP/1.0 200 OK\r\n\r\n', { minorVersion: 0, close: true }],
    ['HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n', { minorVersion: 0, close: false }],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: now\r\n\r\n', { chunked: true, hasDate: true }],
    ['HTTP/1.1 200 OK\r\nConnection: close, x-a\r\n\r\n', { close: true, nominatesFields: true }],
    ['HTTP/1.9 599 Odd\r\n\r\n', { status: 599, minorVersion: 1 }],
  ])('%j', (text, expected) => {
    expect(parse(text, head)).toBe(Buffer.byteLength(text, 'latin1'));
    expect(head).toMatchObject(expected);
  });
});

describe('what is refused', () => {
  it.each([
    ['another protocol', 'ICY 200 OK\r\n\r\n'],
    ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['a status below 100', 'HTTP/1.1 099 X\r\n\r\n'],
    ['a status above 599', 'HTTP/1.1 600 X\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 X\r\n\r\n'],
    ['a status of two', 'HTTP/1.1 20 X\r\nA: b\r\n\r\n'],
    ['two spaces', 'HTTP/1.1  200 OK\r\n\r\n'],
    ['a NUL in the reason', 'HTTP/1.1 200 O\0K\r\n\r\n'],
    ['a bare CR in the reason', 'HTTP/1.1 200 O\rK\r\n\r\n'],
    ['a bare LF', 'HTTP/1.1 200 OK\n\n'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n'],
    ['a signed length', 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n'],
    ['length and coding', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['another coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
    ['two codings', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a coding in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ])('%s', (_name, text) => expect(parse(text)).toBe(MALFORMED));

  it('too many and too large', () => {
    expect(parse(`HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(129)}\r\n`)).toBe(HEAD_TOO_LARGE);
    expect(parse(`HTTP/1.1 200 OK\r\nA: ${'b'.repeat(40_000)}\r\n\r\n`)).toBe(HEAD_TOO_LARGE);
    expect(parse(`HTTP/1.1 200 ${'b'.repeat(40_000)}`)).toBe(HEAD_TOO_LARGE);
  });
});

describe('pieces', () => {
  it('round trip: what was written is what is read, and no prefix is taken for the whole', () => {
    const token = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}$/);
    const value = fc.stringMatching(/^(?:[!-~\x80-\xff](?:[ -~\t\x80-\xff]{0,20}[!-~\x80-\xff])?)?$/);
    const space = fc.stringMatching(/^[ \t]{0,3}$/);
    const reason = fc.stringMatching(/^(?: [\t -~\x80-\xff]{0,12})?$/);
    const names = token.filter((name) => !['content-length', 'transfer-encoding'].includes(name.toLowerCase()));
    const head = new ResponseHead();
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), reason, fc.array(fc.tuple(names, space, value, space), { maxLength: 10 }), fc.constantFrom('', 'HTTP/1.1 200 OK\r\n\r\n', '\r\n', '\xff\0'), (status, text, fields, rest) => {
        const whole = `HTTP/1.1 ${status}${text}\r\n${fields.map(([name, before, of, after]) => `${name}:${before}${of}${after}\r\n`).join('')}\r\n`;
        for (let length = 0; length < whole.length; length++) expect(parse(whole.slice(0, length), head)).toBe(INCOMPLETE);
        expect(parse(whole + rest, head)).toBe(whole.length);
        expect(head.status).toBe(status);
        expect(Array.from({ length: head.fields.count }, (_, i) => [latin1(head.bytes, head.fields.nameStart[i]!, head.fields.nameEnd[i]!), latin1(head.bytes, head.fields.valueStart[i]!, head.fields.valueEnd[i]!)])).toEqual(fields.map(([name, , of]) => [name, of]));
      }),
    );
  });

  it('never throws, and never claims more than it was given', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const given = Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n', 'latin1'), bytes]);
        expect(parseResponseHead(given, 0, given.length, limits, new ResponseHead())).toBeLessThanOrEqual(given.length);
      }),
      { numRuns: 1000 },
    );
  });
});
