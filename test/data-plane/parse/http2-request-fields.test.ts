import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HpackDecoder } from '../../../src/data-plane/parse/hpack-decoder.ts';
import { HpackEncoder } from '../../../src/data-plane/parse/hpack-encoder.ts';
import { RequestFields } from '../../../src/data-plane/parse/http2-request-fields.ts';
import { OutBytes } from '../../../src/data-plane/parse/out-bytes.ts';
import { parseListedHead, parseRequestHead, RequestHead, type HeadLimits } from '../../../src/data-plane/parse/request-head.ts';

type Field = readonly [name: string, value: string];
const NO_LIMITS: HeadLimits = { headerBytesMax: 0, headerCountMax: 0 };

/** A client's connection: its blocks, encoded with the table of all before, as the server decodes them. `isMarked` false: each entry is told as a field. */
class Connection {
  readonly fields = new RequestFields();
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder(4096);
  readonly #isMarked: boolean;
  readonly #limits: HeadLimits;

  constructor(isMarked: boolean, limits = NO_LIMITS) {
    this.#isMarked = isMarked;
    this.#limits = limits;
  }

  /** What becomes of the block, as text. */
  take(list: readonly Field[], isTrailer = false): string {
    const out = new OutBytes();
    this.#encoder.begin(out);
    for (const [name, value] of list) {
      const bytes = Buffer.from(name + value, 'latin1');
      this.#encoder.field(out, bytes, 0, name.length, name.length, bytes.length);
    }
    const { fields } = this;
    fields.begin(this.#limits, isTrailer);
    expect(this.#decoder.decode(out.bytes, 0, out.length, fields, this.#isMarked ? fields : null)).toBe(true);
    fields.finish();
    const { problem, isTooLarge, isTargetTooLong, isSecure, isWebSocket, urgency, hasLength } = fields;
    const said = JSON.stringify({ problem, isTooLarge, isTargetTooLong, isSecure, isWebSocket, urgency, hasLength });
    return problem !== '' || isTooLarge ? said : `${fields.out.bytes.toString('latin1', 0, fields.out.length)}${said}`;
  }
}

/** All that a head says of itself, and the result of its reading. */
function told(head: RequestHead, result: number): unknown {
  if (result < 1) return result;
  const { bytes: _bytes, fields, ...rest } = head;
  const lines = Array.from({ length: fields.count }, (_, i) => [fields.id[i], fields.nameStart[i], fields.nameEnd[i], fields.valueStart[i], fields.valueEnd[i]]);
  return { result, lines, ...rest };
}

/** The head that was taken last, read by its lines' known places and by a parse, once it is closed by `closing`. */
function bothReadings({ out, lines, listedEnd }: RequestFields, limits: HeadLimits, closing: string): [unknown, unknown] {
  const bytes = Buffer.concat([out.bytes.subarray(0, out.length), Buffer.from(`${closing}\r\n`, 'latin1')]);
  const listed = new RequestHead();
  listed.fields = lines;
  const parsed = new RequestHead();
  return [told(listed, parseListedHead(bytes, bytes.length, limits, listed, listedEnd)), told(parsed, parseRequestHead(bytes, 0, bytes.length, limits, parsed))];
}

const pseudo: readonly Field[] = [[':method', 'GET'], [':scheme', 'http'], [':path', '/a?b'], [':authority', 'shop.example:80']];
const anyName = fc.constantFrom(
  'accept', 'x-a', 'user-agent', 'cookie', 'priority', 'te', 'host', 'content-length', 'sec-websocket-key', 'x_forwarded_for', 'x-forwarded-for', 'via', 'expect', 'max-forwards', 'connection', 'upgrade', 'Upper', 'a b', '', ':path', 'referer',
);
const anyValue = fc.oneof(fc.constantFrom('', '1', 'trailers', 'u=1', 'a=b', 'shop.example:80', '100-continue', ' blank', 'blank ', 'a\r\nb: c', 'x'.repeat(300)), fc.string({ maxLength: 12, unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) }));
const someFields = fc.array(fc.tuple(anyName, anyValue), { maxLength: 8 });
const webSocket: readonly Field[] = [[':method', 'CONNECT'], [':protocol', 'websocket'], ...pseudo.slice(1)];
const anyBlock = fc.record({ first: fc.constantFrom(pseudo, pseudo, webSocket, pseudo.slice(0, 3), []), rest: someFields, isTrailer: fc.boolean(), again: fc.boolean() });
const anyLimits = fc.constantFrom(NO_LIMITS, { headerBytesMax: 120, headerCountMax: 0 }, { headerBytesMax: 0, headerCountMax: 3 });

describe('the fields of requests', () => {
  it('are the same whether entries of the table are known or not, over any number of blocks', () => {
    fc.assert(
      fc.property(fc.array(anyBlock, { minLength: 1, maxLength: 6 }), anyLimits, (blocks, limits) => {
        const marked = new Connection(true, limits);
        const plain = new Connection(false, limits);
        // Four times, since a field is in the table the second time, looked at the third, and known the fourth.
        for (let round = 0; round < 4; round++) {
          for (const { first, rest, isTrailer } of blocks) {
            const list: Field[] = isTrailer ? rest : [...first, ...rest];
            expect(marked.take(list, isTrailer)).toBe(plain.take(list, isTrailer));
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('stand where a parse of the head finds them, and the head is the same', () => {
    fc.assert(
      fc.property(fc.array(someFields, { minLength: 1, maxLength: 4 }), fc.constantFrom(pseudo, webSocket, pseudo.slice(0, 3)), anyLimits, fc.constantFrom('', 'Content-Length: 3\r\n', 'Transfer-Encoding: chunked\r\n'), (lists, first, limits, closing) => {
        const client = new Connection(true);
        for (let round = 0; round < 4; round++) {
          for (const list of lists) {
            client.take([...first, ...list]);
            if (client.fields.problem !== '') continue;
            const [listed, parsed] = bothReadings(client.fields, limits, closing);
            expect(listed).toEqual(parsed);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are known the fourth time, in one run, and a name with rules never is', () => {
    const client = new Connection(true);
    const list: Field[] = [...pseudo, ['accept', '*/*'], ['x-a', '1'], ['cookie', 'a=b'], ['te', 'trailers'], ['sec-websocket-key', 'k']];
    const expected = 'GET /a?b HTTP/1.1\r\nHost: shop.example:80\r\naccept: */*\r\nx-a: 1\r\nte: trailers\r\nsec-websocket-key: k\r\ncookie: a=b\r\nConnection: TE\r\n';
    for (let i = 0; i < 5; i++) expect(client.take(list).slice(0, expected.length)).toBe(expected);
    const tunnel = client.take([...webSocket, ['accept', '*/*'], ['sec-websocket-key', 'k']]);
    expect(tunnel).toContain('accept: */*\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{');
    expect(client.take([['x-a', '1'], ['cookie', 'a=b']], true)).toContain('x-a: 1\r\ncookie: a=b\r\n\r\n{');
  });

  it('are not taken for those that had their places in the table before', () => {
    const marked = new Connection(true);
    const plain = new Connection(false);
    for (let i = 0; i < 600; i++) {
      const one: Field[] = [...pseudo.slice(0, 3), [i % 3 === 0 ? 'cookie' : 'x-a', `a=${i}`]];
      for (let round = 0; round < 4; round++) expect(marked.take(one)).toBe(plain.take(one));
    }
  });

  it('are too many or too large alike', () => {
    for (let limit = 1; limit < 220; limit++) {
      const limits = limit % 2 === 0 ? { headerBytesMax: limit, headerCountMax: 0 } : { headerBytesMax: 0, headerCountMax: limit >> 4 };
      const [marked, plain] = [new Connection(true, limits), new Connection(false, limits)];
      const list: Field[] = [...pseudo, ...['a', 'b', 'c', 'd', 'e', 'f'].map((letter): Field => [`x-${letter}`, letter.repeat(20)])];
      // Each is known by itself before all come together.
      for (let round = 0; round < 3; round++) for (const field of list) [marked, plain].map((client) => client.take([field], true));
      expect(marked.take(list)).toBe(plain.take(list));
    }
  });

  it('are refused if the first does not begin where the request line ends', () => {
    const head = new RequestHead();
    const bytes = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'latin1');
    head.fields.add(10, 20, 24, 26, 27);
    expect(parseListedHead(bytes, bytes.length, NO_LIMITS, head, 25)).toBe(-1);
  });
});
