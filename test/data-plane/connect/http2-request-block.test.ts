import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { putRequestBlock, putTrailerBlock } from '../../../src/data-plane/connect/http2-request-block.ts';
import { HpackDecoder } from '../../../src/data-plane/parse/hpack-decoder.ts';
import { HpackEncoder } from '../../../src/data-plane/parse/hpack-encoder.ts';
import { OutBytes } from '../../../src/data-plane/parse/out-bytes.ts';

function fieldsOf(decoder: HpackDecoder, out: OutBytes): string[] {
  const fields: string[] = [];
  const isWhole = decoder.decode(out.bytes, 0, out.length, {
    onField: (name, nameStart, nameEnd, value, valueStart, valueEnd) => void fields.push(`${name.toString('latin1', nameStart, nameEnd)}: ${value.toString('latin1', valueStart, valueEnd)}`),
  });
  expect(isWhole).toBe(true);
  return fields;
}

function blockOf(text: string, isSecure = false): { fields: string[]; bodyStart: number; isChunked: boolean; contentLength: number } {
  const out = new OutBytes();
  const bytes = Buffer.from(text, 'latin1');
  const block = { ...putRequestBlock(out, new HpackEncoder(), bytes, bytes.length, isSecure) };
  return { ...block, fields: fieldsOf(new HpackDecoder(4096), out) };
}

describe('the field block of a request', () => {
  it('has pseudo-fields first, and fields in lower case without those of one connection', () => {
    const head = 'PUT /a?b HTTP/1.1\r\nX-One: 1\r\nHost: A.example:81\r\nConnection: TE\r\nTE: trailers\r\nKeep-Alive: 1\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\n';
    expect(blockOf(`${head}abc`, true)).toEqual({
      fields: [':method: PUT', ':scheme: https', ':path: /a?b', ':authority: A.example:81', 'x-one: 1', 'te: trailers', 'content-length: 3'],
      bodyStart: head.length,
      isChunked: false,
      contentLength: 3,
    });
  });

  it('says that the body is in chunks by leaving the coding out', () => {
    expect(blockOf('POST / HTTP/1.1\r\nHost:\r\nTransfer-Encoding: chunked\r\n\r\n')).toMatchObject({ fields: [':method: POST', ':scheme: http', ':path: /'], isChunked: true, contentLength: -1 });
  });

  it('of OPTIONS for the whole has a star for its path', () => {
    expect(blockOf('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n').fields).toContain(':path: *');
  });

  it('keeps what names a client out of the table that others share', () => {
    const encoder = new HpackEncoder();
    const head = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nCookie: secret=1\r\nAuthorization: Basic 1\r\nX-A: 1\r\n\r\n');
    for (let i = 0; i < 4; i++) putRequestBlock(new OutBytes(), encoder, head, head.length, false);
    const { table: entries } = encoder;
    const table = Array.from({ length: entries.count }, (_, age) => entries.bytes.toString('latin1', entries.nameStart(entries.added - age), entries.valueEnd(entries.added - age))).join('\n');
    expect(table).toContain('x-a');
    expect(table).not.toMatch(/secret|Basic/);
  });

  it('comes out as it went in, whatever the fields, one block after another over one table', () => {
    const token = fc.stringMatching(/^[a-z0-9!#$%&'*+.^_`|~-]{1,20}$/).filter((name) => !/^(host|connection|keep-alive|proxy-connection|upgrade|http2-settings|transfer-encoding|te|content-length)$/.test(name.replaceAll('_', '-')));
    const value = fc.stringMatching(/^([!-~\x80-\xff]([ -~\x80-\xff]{0,60}[!-~\x80-\xff])?)?$/);
    const fields = fc.array(fc.tuple(token, value), { maxLength: 12 });
    fc.assert(
      fc.property(fc.array(fields, { minLength: 1, maxLength: 5 }), (requests) => {
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder(4096);
        for (const list of requests) {
          const bytes = Buffer.from(`GET /p HTTP/1.1\r\nHost: h\r\n${list.map(([name, text]) => `${name.toUpperCase()}: ${text}\r\n`).join('')}\r\n`, 'latin1');
          const out = new OutBytes(16);
          putRequestBlock(out, encoder, bytes, bytes.length, false);
          expect(fieldsOf(decoder, out)).toEqual([':method: GET', ':scheme: http', ':path: /p', ':authority: h', ...list.map(([name, text]) => `${name}: ${text}`)]);
        }
      }),
    );
  });

  it('of trailers is their lines, or none', () => {
    const out = new OutBytes();
    expect(putTrailerBlock(out, new HpackEncoder(), Buffer.from('X-Sum: 1\r\n\r\n'))).toBe(true);
    expect(fieldsOf(new HpackDecoder(4096), out)).toEqual(['x-sum: 1']);
    expect(putTrailerBlock(new OutBytes(), new HpackEncoder(), Buffer.from('\r\n'))).toBe(false);
  });
});
