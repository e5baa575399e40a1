/**
 * Nanoseconds for what HTTP/2 adds to a request: its field block decoded and
 * written as a head of HTTP/1.1, and the head of an answer encoded, each of
 * fields that the connection has seen before and of fields that are new.
 * Short bursts, of which the best counts. Run: node bench/micro/http2.ts
 */
import { HpackDecoder } from '../../src/data-plane/parse/hpack-decoder.ts';
import { HpackEncoder } from '../../src/data-plane/parse/hpack-encoder.ts';
import { RequestFields } from '../../src/data-plane/parse/http2-request-fields.ts';
import { OutBytes } from '../../src/data-plane/parse/out-bytes.ts';

const BURSTS = 300;
const BURST_BLOCKS = 1000;
const limits = { headerBytesMax: 65_536, headerCountMax: 100 };

const request: readonly (readonly [string, string])[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/products/overview?page=2'],
  [':authority', 'www.example.com'],
  ['cache-control', 'max-age=0'],
  ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36'],
  ['accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'],
  ['sec-fetch-dest', 'document'],
  ['referer', 'https://www.example.com/products'],
  ['accept-encoding', 'gzip, deflate, br, zstd'],
  ['accept-language', 'en-US,en;q=0.9,de;q=0.8'],
  ['cookie', 'session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes'],
];
const answer: readonly (readonly [string, string])[] = [
  ['Content-Type', 'text/html; charset=utf-8'],
  ['Content-Length', '12345'],
  ['Date', 'Mon, 01 Jan 2024 00:00:00 GMT'],
  ['Cache-Control', 'private, max-age=0, must-revalidate'],
  ['ETag', 'W/"5f3-18c9a4b2e10"'],
  ['Vary', 'Accept-Encoding, Cookie'],
];

function encode(encoder: HpackEncoder, fields: readonly (readonly [string, string])[], out: OutBytes): void {
  for (const [name, value] of fields) {
    const line = Buffer.from(`${name}: ${value}`, 'latin1');
    encoder.field(out, line, 0, name.length, name.length + 2, line.length);
  }
}

function best(name: string, run: () => void): void {
  let bestNs = Infinity;
  for (let burst = 0; burst < BURSTS; burst++) {
    const startMs = performance.now();
    for (let i = 0; i < BURST_BLOCKS; i++) run();
    bestNs = Math.min(bestNs, ((performance.now() - startMs) / BURST_BLOCKS) * 1e6);
  }
  console.log(`${name.padEnd(28)} ${bestNs.toFixed(0)} ns`);
}

const fields = new RequestFields();
function decode(decoder: HpackDecoder, block: Buffer): void {
  fields.begin(limits, false);
  if (!decoder.decode(block, 0, block.length, fields)) throw new Error('the block does not decode');
  fields.finish();
  if (fields.problem !== '') throw new Error(fields.problem);
}

const encoder = new HpackEncoder();
const decoder = new HpackDecoder(4096);
// Until each field has found a place where the encoder knows it again.
const blocks = Array.from({ length: 8 }, () => {
  const out = new OutBytes();
  encode(encoder, request, out);
  return Buffer.from(out.bytes.subarray(0, out.length));
});
for (const block of blocks) decode(decoder, block);
best(`request, new (${blocks[0]!.length} bytes)`, () => decode(decoder, blocks[0]!));
const known = blocks.at(-1)!;
best(`request, known (${known.length} bytes)`, () => decode(decoder, known));

const lines = answer.map(([name, value]) => ({ line: Buffer.from(`${name}: ${value}`, 'latin1'), end: name.length }));
const out = new OutBytes(64 * 1024);
function answerWith(coder: HpackEncoder): void {
  out.length = 0;
  coder.begin(out);
  coder.status(out, 200);
  for (const { line, end } of lines) coder.field(out, line, 0, end, end + 2, line.length);
}
best('answer, known', () => answerWith(encoder));
const small = new HpackEncoder();
small.setTableSize(0);
best('answer, without a table', () => answerWith(small));
