/** HelloRecords and parseClientHello: the same as the strict reader, in any pieces, and nothing written. */
import { ClientHello } from '../../../src/data-plane/parse/client-hello.ts';
import { HelloRecords, type HelloResult } from '../../../src/data-plane/parse/hello-records.ts';
import { alpnExtension, extension, helloMessage, inRecords, messageOf, recordedHellos, serverNameExtension, vector } from '../../support/client-hellos.ts';
import { readStrictHello } from '../readers/strict-client-hello.ts';
import { textOf } from './head-properties.ts';
import { demand, demandSame, type FuzzTarget } from './target.ts';

/** Used for every hello: what one leaves in it must not show in the next. */
const hello = new ClientHello();
const AROUND = Buffer.from('\x16\x03\x01\0\x05\x01');
/** Of longer inputs not every split into two is tried. */
const SPLITS_MAX = 48;

interface Read {
  readonly result: HelloResult;
  readonly reading: string;
}

/** Feeds `input` in pieces that end at `edges`, each in the middle of a buffer with other bytes around. */
function feed(input: Buffer, edges: readonly number[]): Read {
  const records = new HelloRecords();
  let at = 0;
  let result: HelloResult = 'more';
  for (const edge of [...edges, input.length]) {
    const bytes = Buffer.concat([AROUND, input.subarray(at, edge), AROUND]);
    const before = Buffer.from(bytes);
    result = records.read(bytes, AROUND.length, bytes.length - AROUND.length, hello);
    demand(bytes.equals(before), 'wrote into its input');
    at = edge;
    if (result !== 'more') break;
  }
  return { result, reading: result === 'ok' ? JSON.stringify([hello.serverName, hello.protocols]) : '' };
}

function edgesOf(length: number, pieceBytes: number): number[] {
  return Array.from({ length: Math.floor(length / pieceBytes) }, (_, i) => (i + 1) * pieceBytes);
}

const name = serverNameExtension('a.example');
const messages = [helloMessage(null), helloMessage([]), helloMessage([name]), helloMessage([alpnExtension('h2', '\x0a\x0a', 'http/1.1')]), helloMessage([extension(0x0a0a, Buffer.alloc(0)), name, alpnExtension('x')])];

export const clientHelloTarget: FuzzTarget = {
  name: 'client-hello',
  watched: ['/parse/client-hello.ts', '/parse/hello-records.ts'],
  seeds: [...messages.flatMap((message) => [inRecords(message), inRecords(message, [1]), inRecords(message, [3, 40, 10])]), ...recordedHellos.flatMap(({ bytes }) => [bytes, inRecords(messageOf(bytes), [500])])].map((bytes) => textOf(bytes)),
  tokens: [name, serverNameExtension('b.example', 'c.example'), alpnExtension('h2'), alpnExtension('\xfa\xfa'), extension(0, Buffer.alloc(0)), extension(16, vector(2)), extension(0xfe0d, Buffer.from('ech')), vector(1), vector(2), vector(2, 'x'), vector(2, '\0', vector(2, 'd.example')), Buffer.from([22, 3, 1]), Buffer.from([22, 3, 3, 0, 1]), Buffer.from([1, 0, 0]), Buffer.from([0, 0]), Buffer.from([0, 16]), Buffer.from([21, 3, 3, 0, 2, 2, 40])].map((bytes) => textOf(bytes)),
  bytesMax: 3000,
  check(input) {
    const strict = readStrictHello(input);
    const whole = feed(input, []);
    const expected = typeof strict === 'object' ? 'ok' : strict === 'incomplete' ? 'more' : strict === 'no TLS' ? 'none' : 'bad';
    demandSame(whole.result, expected, `the result, though ${typeof strict === 'object' ? 'it is one' : strict}`);
    if (typeof strict === 'object') demandSame(whole.reading, JSON.stringify([strict.name, strict.protocols]), 'the reading');
    const step = Math.max(1, Math.ceil(input.length / SPLITS_MAX));
    for (const edges of [...edgesOf(input.length, step).map((edge) => [edge]), edgesOf(input.length, 1), edgesOf(input.length, 7)]) {
      demandSame(JSON.stringify(feed(input, edges)), JSON.stringify(whole), `in pieces that end at ${edges.slice(0, 8).join()}`);
    }
    return typeof strict === 'object' ? `ok ${strict.name !== ''} ${strict.protocols.length}` : strict;
  },
};
