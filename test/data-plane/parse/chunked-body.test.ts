import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { ChunkedBody } from '../../../src/data-plane/parse/chunked-body.ts';

/** Feeds `text` in pieces cut at `cuts`; returns what is to be passed on, and how it ended. */
function feed(text: string, cuts: readonly number[], keepsFraming: boolean): { out: string; isDone: boolean; isFailed: boolean; rest: string; trailer: string | null; dataBytes: number } {
  const body = new ChunkedBody();
  body.reset(keepsFraming, 1024);
  const edges = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
  let out = '';
  let at = 0;
  let rest = '';
  for (const edge of [...edges, text.length]) {
    const bytes = Buffer.from(text.slice(at, edge), 'latin1');
    const stopped = body.feed(bytes, 0, bytes.length);
    out += bytes.toString('latin1', body.outStart, body.outEnd);
    if (body.isDone || body.isFailed) {
      rest = bytes.toString('latin1', stopped) + text.slice(edge);
      break;
    }
    at = edge;
  }
  return { out, isDone: body.isDone, isFailed: body.isFailed, rest, trailer: body.takeTrailer()?.toString('latin1') ?? null, dataBytes: body.dataBytes };
}

describe('the chunked coding', () => {
  it('passes canonical chunks as they are, and stops at the end', () => {
    const text = '5\r\nhello\r\n1\r\n!\r\n0\r\n\r\nGET /';
    expect(feed(text, [], true)).toEqual({ out: text.slice(0, -5), isDone: true, isFailed: false, rest: 'GET /', trailer: null, dataBytes: 6 });
    expect(feed(text, [], false).out).toBe('hello!');
  });

  it('cuts extensions out and keeps trailers apart', () => {
    const text = '5;a=b\r\nhello\r\n0;x\r\nExpires: never\r\nX-Sum: 1\r\n\r\n';
    expect(feed(text, [], true)).toMatchObject({ out: '5\r\nhello\r\n0\r\n', isDone: true, trailer: 'Expires: never\r\nX-Sum: 1\r\n\r\n' });
  });

  it.each([
    ['a bare LF after the size', '5\nhello\r\n0\r\n\r\n'],
    ['no digits', '\r\nhello'],
    ['a sign', '+5\r\nhello\r\n0\r\n\r\n'],
    ['a prefix', '0x5\r\nhello\r\n0\r\n\r\n'],
    ['a space before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
    ['a space after the size', '5 \r\nhello\r\n0\r\n\r\n'],
    ['a size of 14 digits', '00000000000005\r\nhello\r\n0\r\n\r\n'],
    ['data longer than its size', '4\r\nhello\r\n0\r\n\r\n'],
    ['a bare CR after the data', '5\r\nhello\rX0\r\n\r\n'],
    ['a bare LF after the data', '5\r\nhello\n0\r\n\r\n'],
    ['a bare LF in the trailers', '0\r\nA: b\n\r\n'],
    ['a NUL in an extension', '5;\0\r\nhello\r\n0\r\n\r\n'],
    ['a bare CR in an extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
    ['an extension without name', '5;\r\nhello\r\n0\r\n\r\n'],
    ['a second extension without name', '5;a;;b\r\nhello\r\n0\r\n\r\n'],
    ['an extension without value', '5;a=;b\r\nhello\r\n0\r\n\r\n'],
    ['white space where nothing follows', '5;a= b\t\r\nhello\r\n0\r\n\r\n'],
    ['a quoted string that is open', '5;a="b\\"\r\nhello\r\n0\r\n\r\n'],
    ['a quoted string with a control byte', '5;a="\x7f"\r\nhello\r\n0\r\n\r\n'],
    ['a quoted string with an escaped control byte', '5;a="\\\x01"\r\nhello\r\n0\r\n\r\n'],
    ['a token behind a quoted string', '5;a="b"c\r\nhello\r\n0\r\n\r\n'],
    ['an extension outside of the grammar at the last chunk', '0;a,b\r\n\r\n'],
  ])('refuses %s', (_name, text) => {
    expect(feed(text, [], true).isFailed).toBe(true);
    for (let cut = 1; cut < text.length; cut++) expect(feed(text, [cut], true).isFailed).toBe(true);
  });

  it('refuses trailers and extensions without end', () => {
    expect(feed(`0\r\nA: ${'b'.repeat(2000)}`, [], true).isFailed).toBe(true);
    expect(feed(`5;${'b'.repeat(2000)}`, [], true).isFailed).toBe(true);
    expect(feed(`5;a="${'b'.repeat(2000)}`, [], true).isFailed).toBe(true);
    expect(feed(`5;a${' '.repeat(2000)}`, [], true).isFailed).toBe(true);
  });

  it('bounds the extensions of a whole body by its data, and lets every chunk have a short one', () => {
    const chunks = (count: number, extension: string, data: string): string => `${data.length.toString(16)};${extension}\r\n${data}\r\n`.repeat(count);
    expect(feed(`${chunks(17, 'a'.repeat(1000), 'x')}0\r\n\r\n`, [], true).isFailed).toBe(true);
    expect(feed(`${chunks(16, 'a'.repeat(1000), 'x')}0\r\n\r\n`, [], true).isDone).toBe(true);
    expect(feed(`${chunks(400, 'a'.repeat(1000), 'x'.repeat(1000))}0\r\n\r\n`, [], true).isDone).toBe(true);
    expect(feed(`${chunks(20_000, 'a'.repeat(16), 'x')}0\r\n\r\n`, [], true).isDone).toBe(true);
    expect(feed(`${chunks(17, 'a'.repeat(1000), 'x')}0\r\n\r\n`, [7, 5000, 16_000], true).isFailed).toBe(true);
  });

  it('forgets the extensions of the body before', () => {
    const body = new ChunkedBody();
    for (let i = 0; i < 3; i++) {
      body.reset(true, 1024);
      const bytes = Buffer.from(`1;${'a'.repeat(1000)}\r\nx\r\n`.repeat(10) + '0\r\n\r\n');
      body.feed(bytes, 0, bytes.length);
      expect(body.isDone).toBe(true);
    }
  });

  it('gives the same however the bytes are split', () => {
    const chunk = fc.record({ data: fc.stringMatching(/^[a-z\r\n0;]{1,40}$/), extension: fc.constantFrom('', ';a', ';b="c"', '; b = "c;\\"\\\\ d" ;e=f\t;g'), upper: fc.boolean() });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 6 }), fc.constantFrom('', 'A: b\r\n', 'A: b\r\nC: d\r\n'), fc.array(fc.nat(), { maxLength: 20 }), fc.boolean(), (chunks, trailer, cuts, keepsFraming) => {
        const size = (length: number, upper: boolean): string => (upper ? length.toString(16).toUpperCase() : length.toString(16));
        const text = `${chunks.map((c) => `${size(c.data.length, c.upper)}${c.extension}\r\n${c.data}\r\n`).join('')}0\r\n${trailer}\r\nNEXT`;
        const plain = chunks.map((c) => c.data).join('');
        const framed = `${chunks.map((c) => `${size(c.data.length, c.upper)}\r\n${c.data}\r\n`).join('')}0\r\n${trailer === '' ? '\r\n' : ''}`;
        const result = feed(text, cuts, keepsFraming);
        expect(result).toEqual({ out: keepsFraming ? framed : plain, isDone: true, isFailed: false, rest: 'NEXT', trailer: trailer === '' ? null : `${trailer}\r\n`, dataBytes: plain.length });
      }),
      { numRuns: 500 },
    );
  });

  it('never throws on any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const body = new ChunkedBody();
      body.reset(true, 100);
      expect(body.feed(Buffer.from(bytes), 0, bytes.length)).toBeLessThanOrEqual(bytes.length);
    }), { numRuns: 2000 });
  });
});
