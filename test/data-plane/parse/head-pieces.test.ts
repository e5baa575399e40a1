/** A request head in pieces, through what a connection keeps of it: every split gives what the whole gives. */
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { PartialHead } from '../../../src/data-plane/listen/partial-head.ts';
import { INCOMPLETE, latin1 } from '../../../src/data-plane/parse/bytes.ts';
import { parseRequestHead, RequestHead } from '../../../src/data-plane/parse/request-head.ts';

const limits = { headerBytesMax: 4096, headerCountMax: 64 };

/** What a connection does with reads that end at `edges`: the result, and all bytes it has then. */
function feed(text: string, edges: readonly number[]): { result: number; head: RequestHead } {
  const head = new RequestHead();
  let partial: PartialHead | null = null;
  let at = 0;
  for (const edge of [...edges, text.length]) {
    const piece = Buffer.from(text.slice(at, edge), 'latin1');
    at = edge;
    const whole: Buffer | null = partial === null ? piece : partial.add(piece, limits.headerBytesMax);
    if (whole === null) continue;
    const result = parseRequestHead(whole, 0, whole.length, limits, head);
    if (result !== INCOMPLETE) return { result, head };
    partial = new PartialHead(whole, 0, whole.length);
  }
  return { result: INCOMPLETE, head };
}

function readingOf({ bytes, fields, targetStart, targetEnd, contentLength, chunked }: RequestHead): unknown {
  const lines = Array.from({ length: fields.count }, (_, i) => [latin1(bytes, fields.nameStart[i]!, fields.nameEnd[i]!), latin1(bytes, fields.valueStart[i]!, fields.valueEnd[i]!)]);
  return [latin1(bytes, targetStart, targetEnd), contentLength, chunked, lines];
}

const heads = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  '\r\nPOST /a?b HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\nX-Empty:\r\n\r\n',
  '\r\n\r\nPUT http://a/b HTTP/1.1\r\nhost:a\r\nTransfer-Encoding: chunked\r\nConnection: close, x\r\n\r\n',
];
const refused = ['GET / HTTP/1.1\r\nHost : a\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\n\r\n', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n'];

describe('a head in pieces', () => {
  it.each(heads)('%j: every split into two and into three', (text) => {
    const whole = feed(text, []);
    expect(whole.result).toBe(text.length);
    for (let first = 0; first <= text.length; first++) {
      for (let second = first; second <= text.length; second += first === second ? 1 : 7) {
        const pieces = feed(text, [first, second]);
        expect([first, second, pieces.result]).toEqual([first, second, text.length]);
        expect(readingOf(pieces.head)).toEqual(readingOf(whole.head));
      }
    }
  });

  it.each(refused)('%j is refused in every split into two, and byte by byte', (text) => {
    for (let edge = 0; edge <= text.length; edge++) expect([edge, feed(text, [edge]).result < INCOMPLETE]).toEqual([edge, true]);
    expect(feed(text, Array.from(text, (_, i) => i)).result).toBeLessThan(INCOMPLETE);
  });

  it('any splits of any of them, with what follows on the same connection', () => {
    fc.assert(
      fc.property(fc.constantFrom(...heads), fc.array(fc.nat({ max: 150 }), { maxLength: 12 }), fc.constantFrom('', 'GET /next HTTP/1.1\r\n', '\r\n'), (text, cuts, rest) => {
        const whole = text + rest;
        const edges = [...new Set(cuts.map((cut) => cut % (whole.length + 1)))].sort((a, b) => a - b);
        const pieces = feed(whole, edges);
        expect(pieces.result).toBe(text.length);
        expect(readingOf(pieces.head)).toEqual(readingOf(feed(text, []).head));
      }),
      { numRuns: 300 },
    );
  });
});
