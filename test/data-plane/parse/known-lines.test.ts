import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FieldLines, scanFieldLines } from '../../../src/data-plane/parse/field-lines.ts';
import { HpackDecoder } from '../../../src/data-plane/parse/hpack-decoder.ts';
import { HpackEncoder } from '../../../src/data-plane/parse/hpack-encoder.ts';
import { KnownLines } from '../../../src/data-plane/parse/known-lines.ts';
import { OutBytes } from '../../../src/data-plane/parse/out-bytes.ts';

const BEFORE = 'x: y\r\n';

/** What a scan of `text` says, places and all; `end` bytes of it are there, and others behind them. */
function scanned(text: string, end: number, countMax: number, known: KnownLines | null, lines = new FieldLines()): unknown {
  const bytes = Buffer.from(`${BEFORE}${text}\r\n\r\n`, 'latin1');
  const [from, to] = [BEFORE.length, BEFORE.length + end];
  const result = known === null ? scanFieldLines(bytes, from, to, countMax, lines) : known.scan(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), bytes, from, to, countMax, lines);
  const each = Array.from({ length: result < 1 ? 0 : lines.count }, (_, i) => [lines.id[i], lines.nameStart[i], lines.nameEnd[i], lines.valueStart[i], lines.valueEnd[i]]);
  return { result, each };
}

/** The texts of the lines with their ids, 0 for those that are not known. */
function known(text: string, by: KnownLines): [string, number][] {
  const lines = new FieldLines();
  scanned(text, text.length, 0, by, lines);
  return text.split('\r\n').slice(0, lines.count).map((line, i) => [line, lines.known[i]!]);
}

const anyName = fc.constantFrom('Date', 'date', 'X-A', 'x_a', 'Content-Length', 'Transfer-Encoding', 'Set-Cookie', 'a', 'Via', 'X Y', '');
const anyValue = fc.oneof(fc.constantFrom('', '1', '2', ' 1', '1 ', '\t1', 'chunked', 'a\0', 'a\rb', 'a\nb', 'x'.repeat(500), 'x'.repeat(499) + 'y', 'x'.repeat(600), '\xe9'), fc.string({ maxLength: 6, unit: fc.constantFrom('a', 'b', ' ', '\x7f', '\xff') }));
const anyLine = fc.tuple(anyName, anyValue).map(([name, value]) => `${name}:${value}\r\n`);
/** The same lines again and again, in other orders and cut short. */
const anyHeads = fc.array(anyLine, { minLength: 1, maxLength: 6 }).chain((lines) => fc.array(fc.record({ head: fc.array(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...lines) }, { weight: 1, arbitrary: anyLine }), { maxLength: 8 }), cut: fc.nat(20), countMax: fc.constantFrom(0, 0, 3) }), { minLength: 4, maxLength: 30 }));

describe('a scan that knows lines', () => {
  it('says what a scan says that knows none', () => {
    fc.assert(
      fc.property(anyHeads, (heads) => {
        const by = new KnownLines();
        const lines = new FieldLines();
        for (const { head, cut, countMax } of heads) {
          const text = `${head.join('')}\r\n`;
          const end = Math.max(0, text.length - (cut > 12 ? 0 : cut));
          expect(scanned(text, end, countMax, by, lines)).toEqual(scanned(text, end, countMax, null));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('gives an id to no two lines, however many there are', () => {
    const by = new KnownLines();
    const texts = new Map<number, string>();
    let hits = 0;
    for (let round = 0; round < 4000; round++) {
      const often = round % 7;
      const head = `Server: a\r\nX-Turn: ${round >> 2}\r\nX-Often: ${often}\r\nX-Same: ${'s'.repeat(often)}\r\n\r\n`;
      for (const [line, id] of known(head, by)) {
        if (id === 0) continue;
        hits++;
        expect(texts.get(id) ?? line).toBe(line);
        texts.set(id, line);
      }
    }
    expect(hits).toBeGreaterThan(4000);
  });

  it('knows a line from the second time on, wherever it stands', () => {
    const by = new KnownLines();
    const ids = (text: string): number[] => known(text, by).map(([, id]) => id);
    expect(ids('A: 1\r\nB: 2\r\n\r\n')).toEqual([0, 0]);
    const [a, b] = ids('A: 1\r\nB: 2\r\n\r\n');
    expect(a).toBeGreaterThan(0);
    expect(b).toBeGreaterThan(a!);
    expect(ids('A: 1\r\nC: 3\r\nB: 2\r\n\r\n')).toEqual([a, 0, b]);
    expect(ids('B: 2\r\nA: 1\r\n\r\n')).toEqual([b, a]);
    expect(ids('A: 1\r\nb: 2\r\nA:1\r\n\r\n')).toEqual([a, 0, 0]);
  });

  it.each(['Set-Cookie', 'set-cookie', 'Cookie', 'AUTHORIZATION', 'Proxy-Authorization'])('never knows a line of %s', (name) => {
    const by = new KnownLines();
    for (let round = 0; round < 5; round++) expect(known(`${name}: secret\r\nA: 1\r\n\r\n`, by)[0]![1]).toBe(0);
  });
});

describe('the encoder', () => {
  /** Blocks of known lines, as a peer decodes them. */
  class Peers {
    readonly encoder = new HpackEncoder();
    readonly #decoder = new HpackDecoder(4096);
    readonly #by = new KnownLines();
    readonly #lines = new FieldLines();
    blockBytes = 0;

    pass(text: string): string {
      const bytes = Buffer.from(text, 'latin1');
      const lines = this.#lines;
      this.#by.scan(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), bytes, 0, bytes.length, 0, lines);
      const out = new OutBytes();
      this.encoder.begin(out);
      for (let i = 0; i < lines.count; i++) {
        const places = [lines.nameStart[i]!, lines.nameEnd[i]!, lines.valueStart[i]!, lines.valueEnd[i]!] as const;
        if (lines.known[i] === 0) this.encoder.field(out, bytes, ...places);
        else this.encoder.knownField(out, lines.known[i]!, bytes, ...places);
      }
      this.blockBytes = out.length;
      let read = '';
      const isRead = this.#decoder.decode(out.bytes, 0, out.length, { onField: (name, a, b, value, c, d) => void (read += `${name.toString('latin1', a, b)}: ${value.toString('latin1', c, d)}\r\n`) });
      return isRead ? `${read}\r\n` : 'a malformed block';
    }
  }

  const fewLines = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'x-long'), fc.constantFrom('1', '2', 'y'.repeat(60), 'z'.repeat(400))).map(([name, value]) => `${name}: ${value}\r\n`), { maxLength: 6 });

  it('puts known lines so that they come back, over any sizes of the table', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fewLines, fc.constantFrom(-1, -1, -1, 0, 64, 200, 4096)), { minLength: 3, maxLength: 30 }), fc.constantFrom(0, -4, 0x7fff_fffe), (blocks, added) => {
        const peers = new Peers();
        // Near the places where the numbers of entries wrap.
        peers.encoder.table.added = added;
        for (const [lines, size] of blocks) {
          if (size !== -1) peers.encoder.setTableSize(size);
          expect(peers.pass(`${lines.join('')}\r\n`)).toBe(`${lines.join('')}\r\n`);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('needs a byte for each', () => {
    const peers = new Peers();
    for (let round = 0; round < 4; round++) peers.pass('a: 1\r\nb: 2\r\n\r\n');
    expect(peers.blockBytes).toBe(2);
  });

  it('takes no entry for one of the same number, 2^32 entries ago', () => {
    const peers = new Peers();
    const { table } = peers.encoder;
    for (let round = 0; round < 4; round++) peers.pass('a: 1\r\n\r\n');
    expect(table.added).toBe(1);
    // As if they had been added and gone: the next is number 0, the one behind it 1 again.
    table.resize(0);
    table.resize(4096);
    table.added = -1;
    for (let round = 0; round < 2; round++) peers.encoder.field(new OutBytes(), Buffer.from('b2'), 0, 1, 1, 2);
    for (let round = 0; round < 2; round++) peers.encoder.field(new OutBytes(), Buffer.from('c3'), 0, 1, 1, 2);
    expect(table.added).toBe(1);
    const out = new OutBytes();
    const bytes = Buffer.from('a1');
    peers.encoder.knownField(out, 1, bytes, 0, 1, 1, 2);
    // An index would be that of `c: 3`.
    expect(out.bytes[0]).toBeLessThan(0x80);
  });
});
