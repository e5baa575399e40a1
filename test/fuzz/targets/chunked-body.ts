/** ChunkedBody: the same as the reference for any split of the bytes, with chunk lines kept and without. */
import { ChunkedBody } from '../../../src/data-plane/parse/chunked-body.ts';
import { chunkTokens } from '../dictionary.ts';
import { readChunks } from '../readers/reference-chunks.ts';
import { textOf } from './head-properties.ts';
import { demand, demandSame, type FuzzTarget } from './target.ts';

const TRAILER_BYTES_MAX = 200;
/** What stands before and behind a piece, and must neither be read nor written. */
const AROUND = '\r\n0\r\n\r\n0';
const MARGIN = AROUND.length;
/** Of longer inputs not every split into two is tried. */
const SPLITS_MAX = 64;

/** Kept over all inputs, as a connection keeps it. */
const decoder = new ChunkedBody();

interface Decoded {
  readonly end: string;
  readonly out: string;
  readonly rest: string;
  readonly trailer: string | null;
  readonly dataBytes: number;
}

/** Feeds `input` in pieces that end at `edges`, each in the middle of a buffer with other bytes around. */
function decode(input: Buffer, edges: readonly number[], keepsFraming: boolean): Decoded {
  decoder.reset(keepsFraming, TRAILER_BYTES_MAX);
  let out = '';
  let at = 0;
  let rest = '';
  for (const edge of [...edges, input.length]) {
    const length = edge - at;
    const bytes = Buffer.allocUnsafe(length + 2 * MARGIN);
    bytes.write(AROUND, 0, 'latin1');
    bytes.write(AROUND, MARGIN + length, 'latin1');
    input.copy(bytes, MARGIN, at, edge);
    const stopped = decoder.feed(bytes, MARGIN, MARGIN + length);
    demand(stopped >= MARGIN && stopped <= MARGIN + length, `stopped at ${stopped - MARGIN} of ${length}`);
    demand(decoder.outStart >= MARGIN && decoder.outEnd <= stopped, `passes on [${decoder.outStart - MARGIN}, ${decoder.outEnd - MARGIN}) of ${stopped - MARGIN}`);
    demand(bytes.toString('latin1', 0, MARGIN) === AROUND && bytes.toString('latin1', MARGIN + length) === AROUND, 'wrote outside of the piece');
    out += bytes.toString('latin1', decoder.outStart, decoder.outEnd);
    if (decoder.isDone || decoder.isFailed) {
      rest = decoder.isDone ? textOf(input.subarray(at + stopped - MARGIN)) : '';
      break;
    }
    demandSame(stopped, MARGIN + length, 'stopped early');
    at = edge;
  }
  const end = decoder.isDone ? 'done' : decoder.isFailed ? 'failed' : 'incomplete';
  return { end, out, rest, trailer: decoder.isDone ? (decoder.takeTrailer()?.toString('latin1') ?? null) : null, dataBytes: decoder.dataBytes };
}

function splitsOf(input: Buffer): number[][] {
  const step = Math.max(1, Math.ceil(input.length / SPLITS_MAX));
  const inTwo = Array.from({ length: Math.floor(input.length / step) }, (_, i) => [(i + 1) * step].filter((edge) => edge < input.length));
  const every = (pieceBytes: number): number[] => Array.from({ length: Math.ceil(input.length / pieceBytes) }, (_, i) => i * pieceBytes);
  return [...inTwo, every(1), every(3), every(10)];
}

export const chunkedBodyTarget: FuzzTarget = {
  name: 'chunked-body',
  watched: ['/parse/chunked-body.ts'],
  seeds: ['5\r\nhello\r\n0\r\n\r\nGET /', 'A;a="b"\r\n0123456789\r\n1\r\n!\r\n000\r\nX-Sum: 1\r\n\r\n', 'fffffffffffff\r\n', '0;x\r\n\r\n', ...chunkTokens.flatMap((token) => [`${token}5\r\nhello\r\n0\r\n\r\n`, `5${token}\r\nhello\r\n0\r\n\r\n`, `5\r\nhello${token}\r\n0\r\n\r\n`, `5\r\nhello${token}0\r\n\r\n`, `0\r\n${token}\r\n`])],
  tokens: chunkTokens,
  bytesMax: 1500,
  check(input) {
    const expected = readChunks(textOf(input), TRAILER_BYTES_MAX);
    for (const keepsFraming of [true, false]) {
      const whole = decode(input, [], keepsFraming);
      demandSame(whole.end, expected.end, 'the end');
      demandSame(whole.rest, expected.rest, 'what follows');
      demandSame(whole.trailer, expected.trailer, 'the trailer section');
      if (expected.end !== 'failed') {
        demandSame(whole.dataBytes, expected.content.length, 'the number of bytes');
        if (!keepsFraming) demandSame(whole.out, expected.content, 'the content');
      }
      if (expected.end === 'done' && keepsFraming) demandSame(whole.out, expected.framed, 'the chunks');
      for (const edges of splitsOf(input)) demandSame(JSON.stringify(decode(input, edges, keepsFraming)), JSON.stringify(whole), `split at ${edges.join()}`);
    }
    return `${expected.end} ${expected.trailer !== null} ${expected.hasExtension} ${expected.content.length > 0} ${expected.rest !== ''}`;
  },
};
