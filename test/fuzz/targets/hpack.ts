/** HpackDecoder: the same as the plain reader, block after block; and what it read is encoded so that it reads the same. */
import { HpackDecoder, type FieldSink } from '../../../src/data-plane/parse/hpack-decoder.ts';
import { HpackEncoder } from '../../../src/data-plane/parse/hpack-encoder.ts';
import { OutBytes } from '../../../src/data-plane/parse/out-bytes.ts';
import { ReferenceHpack } from '../readers/reference-hpack.ts';
import { textOf } from './head-properties.ts';
import { demandSame, type FuzzTarget } from './target.ts';

const TABLE_BYTES = 256;

class Fields implements FieldSink {
  readonly list: [string, string][] = [];
  onField(name: Buffer, nameStart: number, nameEnd: number, value: Buffer, valueStart: number, valueEnd: number): void {
    this.list.push([name.toString('latin1', nameStart, nameEnd), value.toString('latin1', valueStart, valueEnd)]);
  }
}

function decode(decoder: HpackDecoder, block: Buffer): [string, string][] | null {
  const fields = new Fields();
  const isWhole = decoder.decode(Buffer.concat([Buffer.from('ab'), block, Buffer.from('cd')]), 2, block.length + 2, fields);
  return isWhole ? fields.list : null;
}

function referenceDecode(reference: ReferenceHpack, block: Buffer): readonly (readonly [string, string])[] | null {
  try {
    return reference.decode(block);
  } catch {
    return null;
  }
}

function checkEncoder(lists: [string, string][][]): void {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(4096);
  for (const list of lists) {
    const out = new OutBytes(8);
    encoder.begin(out);
    for (const [name, value] of list) {
      const line = Buffer.from(name + value, 'latin1');
      encoder.field(out, line, 0, name.length, name.length, line.length);
    }
    demandSame(JSON.stringify(decode(decoder, out.bytes.subarray(0, out.length))), JSON.stringify(list.map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => letter.toLowerCase()), value])), 'encoded and decoded');
  }
}

/** Blocks are told apart by this, so that one input can have several for one table. */
const EDGE = Buffer.from([0xff, 0xff, 0x7f]);

function blocksOf(input: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  let at = 0;
  for (let edge = input.indexOf(EDGE); edge !== -1; edge = input.indexOf(EDGE, at)) {
    blocks.push(input.subarray(at, edge));
    at = edge + EDGE.length;
  }
  return [...blocks, input.subarray(at)];
}

const hex = (text: string): string => textOf(Buffer.from(text, 'hex'));

export const hpackTarget: FuzzTarget = {
  name: 'hpack',
  watched: ['/parse/hpack-decoder.ts', '/parse/hpack-encoder.ts', '/parse/hpack-table.ts', '/parse/hpack-huffman.ts'],
  seeds: [
    hex('828684418cf1e3c2e5f23a6ba0ab90f4ff'), hex('400a637573746f6d2d6b65790d637573746f6d2d686561646572'), hex('828684418cf1e3c2e5f23a6ba0ab90f4ffffff7f828684be5886a8eb10649cbf'),
    hex('4803333032580770726976617465ffff7f4803333037c1bf'), hex('203fe10140016101627e0163'), hex('00016181009f'), hex('3f8101bebfc0'),
  ],
  tokens: ['82', '84', 'be', 'bf', 'c0', 'c1', 'ff', 'ffff7f', '20', '3f8101', '3fe11f', '400161', '0161', '7e', '7f00', '40', '00', '10', '0f', '8cf1e3c2e5f23a6ba0ab90f4ff', '86a8eb10649cbf', '8325a849', '00ff', 'ffffffffff', '84ffffffff', '811f', '813f'].map(hex),
  bytesMax: 400,
  check(input) {
    const decoder = new HpackDecoder(TABLE_BYTES);
    const reference = new ReferenceHpack(TABLE_BYTES);
    const lists: [string, string][][] = [];
    for (const block of blocksOf(input)) {
      const list = decode(decoder, block);
      demandSame(JSON.stringify(list), JSON.stringify(referenceDecode(reference, block)), 'the fields');
      if (list === null) break;
      lists.push(list);
      demandSame(decoder.table.count, reference.table.length, 'the number of entries');
    }
    checkEncoder(lists);
    return [lists.length, lists.reduce((sum, list) => sum + list.length, 0), decoder.table.count].map((count) => Math.min(count, 4)).join();
  },
};
