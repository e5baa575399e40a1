import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { parseResponseHead, ResponseHead } from '../../../src/data-plane/parse/response-head.ts';
import { LiveEdits } from '../../../src/data-plane/live/live-route.ts';
import { composeAnswerHead, rewriteAnswerHead } from '../../../src/data-plane/relay/response-head-rewriter.ts';

const ROOM = 512;
const line = fc.constantFrom('Server: x', 'X-A: 1', 'Connection: keep-alive', 'Keep-Alive: timeout=5', 'Content-Length: 5', 'Date: now', 'Transfer-Encoding: chunked', 'X-Long: ' + 'y'.repeat(50), 'Proxy-Connection: a');

describe('rewriting in place and composing anew', () => {
  it('give the same head, and leave the body where it was', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.nat({ max: 30 }), fc.constantFrom('', 'Connection: close\r\n', `Date: ${'d'.repeat(30)}\r\nVia: 1.1 weir\r\n`), fc.boolean(), fc.boolean(), (lines, gap, added, takesChunks, hasEdits) => {
        const chunked = lines.includes('Transfer-Encoding: chunked');
        const unique = [...new Set(lines)].filter((text) => !(chunked && text.startsWith('Content-Length')));
        const raw = `HTTP/1.0 200 OK\r\n${unique.map((text) => `${text}\r\n`).join('')}\r\n`.replace('HTTP/1.0', chunked ? 'HTTP/1.1' : 'HTTP/1.0');
        const bytes = Buffer.alloc(ROOM + raw.length + 40, '.');
        bytes.write(raw, ROOM, 'latin1');
        bytes.write('BODY', ROOM + raw.length, 'latin1');
        const head = new ResponseHead();
        const end = parseResponseHead(bytes, ROOM, ROOM + raw.length, { headerBytesMax: 0, headerCountMax: 0 }, head);
        expect(end).toBe(ROOM + raw.length);
        const edits = hasEdits ? new LiveEdits({ remove: ['server'], set: [['X-A', 'ours']], add: [['X-B', '2']] }) : null;
        const how = { takesChunks, added: added === '' ? null : Buffer.from(added), edits, isUpgrade: false };
        const composed = composeAnswerHead(head, ROOM, end, how).toString('latin1');
        const start = rewriteAnswerHead(head, ROOM, end, end + gap, how);
        expect(bytes.toString('latin1', start, end + gap)).toBe(composed);
        if (gap === 0) expect(bytes.toString('latin1', end, end + 4)).toBe('BODY');
        expect(composed).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
        expect(composed.endsWith('\r\n\r\n')).toBe(true);
        expect(composed).not.toMatch(/keep-alive|proxy-connection/i);
      }),
      { numRuns: 1000 },
    );
  });

  it('says so when there is no room before the head', () => {
    const raw = Buffer.from('HTTP/1.1 200 OK\r\n\r\n');
    const head = new ResponseHead();
    parseResponseHead(raw, 0, raw.length, { headerBytesMax: 0, headerCountMax: 0 }, head);
    expect(rewriteAnswerHead(head, 0, raw.length, raw.length, { takesChunks: true, added: Buffer.from('X: 1\r\n'), edits: null, isUpgrade: false })).toBe(-1);
  });
});
