import { runInNewContext } from 'node:vm';
import v8 from 'node:v8';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HpackDecoder, type FieldSink } from '../../../src/data-plane/parse/hpack-decoder.ts';
import { HpackEncoder } from '../../../src/data-plane/parse/hpack-encoder.ts';
import { decodedLengthMax, decodeHuffman, encodeHuffman, huffmanLength } from '../../../src/data-plane/parse/hpack-huffman.ts';
import { OutBytes } from '../../../src/data-plane/parse/out-bytes.ts';

class Fields implements FieldSink {
  readonly list: string[] = [];
  onField(name: Buffer, nameStart: number, nameEnd: number, value: Buffer, valueStart: number, valueEnd: number): void {
    this.list.push(`${name.toString('latin1', nameStart, nameEnd)}: ${value.toString('latin1', valueStart, valueEnd)}`);
  }
}

/** The fields of a block, or null if it is malformed. */
function decode(decoder: HpackDecoder, block: Buffer): string[] | null {
  const fields = new Fields();
  return decoder.decode(block, 0, block.length, fields) ? fields.list : null;
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** The table as RFC 7541 prints it: newest first. */
function tableOf({ table }: { table: HpackDecoder['table'] }): string[] {
  return Array.from({ length: table.count }, (_, i) => {
    const number = table.added - i;
    return `${table.bytes.toString('latin1', table.nameStart(number), table.nameEnd(number))}: ${table.bytes.toString('latin1', table.valueStart(number), table.valueEnd(number))}`;
  });
}

const request = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
const custom = 'custom-key: custom-value';
const first = [':status: 302', 'cache-control: private', 'date: Mon, 21 Oct 2013 20:13:21 GMT', 'location: https://www.example.com'];
const foo = 'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
const later = 'date: Mon, 21 Oct 2013 20:13:22 GMT';
const requests = [request, [...request, 'cache-control: no-cache'], [':method: GET', ':scheme: https', ':path: /index.html', ':authority: www.example.com', custom]];
const answers = [first, [':status: 307', ...first.slice(1)], [':status: 200', 'cache-control: private', later, 'location: https://www.example.com', 'content-encoding: gzip', foo]];
const requestTable = [custom, 'cache-control: no-cache', ':authority: www.example.com'];
const answerTable = [foo, 'content-encoding: gzip', later];

describe('the vectors of RFC 7541, Appendix C', () => {
  it.each([
    ['C.2.1', '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', 'custom-key: custom-header', 1],
    ['C.2.2', '040c 2f73 616d 706c 652f 7061 7468', ':path: /sample/path', 0],
    ['C.2.3', '1008 7061 7373 776f 7264 0673 6563 7265 74', 'password: secret', 0],
    ['C.2.4', '82', ':method: GET', 0],
  ])('%s', (_name, block, field, count) => {
    const decoder = new HpackDecoder(4096);
    expect(decode(decoder, hex(block))).toEqual([field]);
    expect(decoder.table.count).toBe(count);
  });

  it.each([
    ['C.3', 4096, ['8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', '8286 84be 5808 6e6f 2d63 6163 6865', '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65'], requests, requestTable],
    ['C.4', 4096, ['8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', '8286 84be 5886 a8eb 1064 9cbf', '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf'], requests, requestTable],
    ['C.5', 256, ['4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', '4803 3330 37c1 c0bf', '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31'], answers, answerTable],
    ['C.6', 256, ['4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3', '4883 640e ffc1 c0bf', '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07'], answers, answerTable],
  ])('%s, three in a row', (_name, tableSize, blocks, lists, table) => {
    const decoder = new HpackDecoder(tableSize);
    expect(blocks.map((block) => decode(decoder, hex(block)))).toEqual(lists);
    expect(tableOf(decoder)).toEqual(table);
  });
});

describe('what is refused', () => {
  it.each([
    ['index 0', '80'],
    ['an index behind the table', 'be'],
    ['the name of an index behind the table', '7f00 0161'],
    ['an integer cut off', 'ff'],
    ['an integer without end', 'ffff ffff ffff ffff ff01'],
    ['a string cut off', '0003 6162'],
    ['a name without a value', '0001 61'],
    ['a code that ends in the middle', '0001 6181 00'],
    ['padding of a code that is not all ones', '0001 6181 1e'],
    ['eight bits of padding', '0001 6182 1fff'],
    ['the end of string in a code', '0001 6184 ffff ffff'],
    ['a table larger than offered', '3fe2 1f'],
    ['a new size of the table behind a field', '8220'],
  ])('%s', (_name, block) => expect(decode(new HpackDecoder(4096), hex(block))).toBeNull());

  it('a table that is made smaller and larger again before the first field is not', () => {
    const decoder = new HpackDecoder(4096);
    decode(decoder, hex('4001 6101 62'));
    expect(decode(decoder, hex('203f e11f 82'))).toEqual([':method: GET']);
    expect(decoder.table.count).toBe(0);
  });
});

describe('the table', () => {
  it('is emptied by an entry that is larger', () => {
    const decoder = new HpackDecoder(64);
    decode(decoder, hex('4001 6101 62'));
    expect(tableOf(decoder)).toEqual(['a: b']);
    decode(decoder, Buffer.concat([hex('4001 6120'), Buffer.alloc(32, 'x')]));
    expect(tableOf(decoder)).toEqual([]);
  });

  it('takes the name from an entry that the new one drives out', () => {
    const decoder = new HpackDecoder(40);
    expect(decode(decoder, hex('4003 616263 0131 7e 0132 7e 0133'))).toEqual(['abc: 1', 'abc: 2', 'abc: 3']);
    expect(tableOf(decoder)).toEqual(['abc: 3']);
  });
});

describe('what a table holds', () => {
  const encoded = (encoder: HpackEncoder, text: string): Buffer => {
    const out = new OutBytes(16);
    const line = Buffer.from(text, 'latin1');
    const colon = text.indexOf(': ');
    encoder.field(out, line, 0, colon, colon + 2, line.length);
    return Buffer.from(out.bytes.subarray(0, out.length));
  };

  it('is nothing before the first entry, and little with few', () => {
    const encoder = new HpackEncoder();
    const { table } = new HpackDecoder(4096);
    expect([encoder.heldBytes, table.heldBytes]).toEqual([0, 0]);
    encoded(encoder, 'server: nginx');
    expect(encoder.heldBytes).toBeLessThanOrEqual(256);
    expect(encoder.table.heldBytes).toBe(0);
    for (let i = 0; i < 5; i++) table.add(Buffer.from('accept-language'), 0, 15, Buffer.from('en-GB,en;q=0.9,de;q=0.8'), 0, 23);
    expect(table.heldBytes).toBeLessThanOrEqual(1024);
  });

  it('grows to all that fits, and entries are found on', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder(4096);
    const fields = Array.from({ length: 150 }, (_, i) => `n${i}: v`);
    for (const field of fields) for (let i = 0; i < 4; i++) expect(decode(decoder, encoded(encoder, field))).toEqual([field]);
    expect(tableOf(decoder)).toEqual(fields.slice(-encoder.table.count).reverse());
    expect(encoder.table.count).toBeGreaterThan(100);
    const found = fields.slice(-encoder.table.count).filter((field) => encoded(encoder, field).length <= 2);
    expect(found.length).toBeGreaterThan(60);
    expect(encoder.heldBytes).toBeLessThanOrEqual(16 * 1024);
  });

  it('is what repeats, whatever else changes from answer to answer', () => {
    const encoder = new HpackEncoder();
    const stable = Array.from({ length: 10 }, (_, i) => `field-${i}: value ${i}`);
    let lengths: number[] = [];
    for (let answer = 0; answer < 30; answer++) {
      encoded(encoder, `date: Mon, 21 Oct 2013 20:13:${answer} GMT`);
      encoded(encoder, `etag: ${answer * 7919}`);
      lengths = stable.map((field) => encoded(encoder, field).length);
    }
    expect(lengths).toEqual(stable.map(() => 1));
  });

  it('is not the bytes of the last block', async () => {
    v8.setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const decoder = new HpackDecoder(4096);
    const read = ((): WeakRef<ArrayBufferLike> => {
      const block = Buffer.concat([hex('0001 6101 62')], 64 * 1024).subarray(0, 5);
      expect(decode(decoder, block)).toEqual(['a: b']);
      return new WeakRef(block.buffer);
    })();
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(read.deref()).toBeUndefined();
    expect(decoder.table.count).toBe(0);
  });
});

const anyText = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
const name = fc.oneof(fc.constantFrom('date', 'content-type', 'x-a', 'x-b', 'set-cookie', 'server'), fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/));
const value = fc.oneof(fc.constantFrom('', 'a', 'text/plain', 'Mon, 21 Oct 2013 20:13:21 GMT'), fc.string({ maxLength: 80, unit: fc.integer({ min: 32, max: 255 }).map((code) => String.fromCharCode(code)) }), fc.constantFrom('y'.repeat(900), 'z'.repeat(6000)));

describe('properties', () => {
  it('any bytes come back from the code, which has the length that was said', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const length = huffmanLength(text, 0, text.length);
        const coded = Buffer.alloc(length + 2, 7);
        expect(encodeHuffman(text, 0, text.length, coded, 1)).toBe(length + 1);
        expect([coded[0], coded[length + 1]]).toEqual([7, 7]);
        const out = Buffer.alloc(decodedLengthMax(length));
        const end = decodeHuffman(coded, 1, length + 1, out, 0);
        expect(out.subarray(0, end)).toEqual(text);
      }),
    );
  });

  it('whatever is encoded is decoded, over any number of blocks and sizes of the table', () => {
    const field = fc.tuple(name, value, fc.boolean());
    const block = fc.record({ size: fc.option(fc.integer({ min: 0, max: 5000 })), status: fc.integer({ min: 100, max: 599 }), fields: fc.array(field, { maxLength: 12 }) });
    fc.assert(
      fc.property(fc.array(block, { maxLength: 8 }), (blocks) => {
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder(4096);
        const out = new OutBytes(16);
        for (const { size, status, fields } of blocks) {
          out.length = 0;
          if (size !== null) encoder.setTableSize(size);
          encoder.begin(out);
          encoder.status(out, status);
          for (const [key, text, isSecret] of fields) {
            const line = Buffer.from(`${key.toUpperCase()}: ${text}`, 'latin1');
            encoder.field(out, line, 0, key.length, key.length + 2, line.length, isSecret);
          }
          expect(decode(decoder, out.bytes.subarray(0, out.length))).toEqual([`:status: ${status}`, ...fields.map(([key, text]) => `${key}: ${text}`)]);
          expect(tableOf(decoder)).toEqual(tableOf(encoder));
        }
      }),
    );
  });

  it('what repeats is a byte the third time; a secret is in no table', () => {
    const encoder = new HpackEncoder();
    const line = Buffer.from('Server: nginx/1.22.1');
    const lengths = [1, 2, 3].map(() => {
      const out = new OutBytes();
      encoder.field(out, line, 0, 6, 8, line.length);
      return out.length;
    });
    expect(lengths[2]).toBe(1);
    const out = new OutBytes();
    for (let i = 0; i < 3; i++) encoder.field(out, line, 0, 6, 8, line.length - 1, true);
    expect(encoder.table.count).toBe(1);
    expect(out.bytes[0]! & 0xf0).toBe(0x10);
  });
});
