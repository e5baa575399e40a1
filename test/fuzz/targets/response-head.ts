/** parseResponseHead: its properties, and what it accepts held against a plain reading of the same text. */
import { latin1 } from '../../../src/data-plane/parse/bytes.ts';
import { parseResponseHead, ResponseHead } from '../../../src/data-plane/parse/response-head.ts';
import { fieldTokens, lineTokens, responseTokens } from '../dictionary.ts';
import { readFields, type StrictField } from '../readers/strict-request.ts';
import { checkHeadParser, textOf, type Outcome } from './head-properties.ts';
import { demand, demandRead, demandSame, type FuzzTarget } from './target.ts';
import { fuzzLimits } from './request-head.ts';

const head = new ResponseHead();

/** With the lines that earlier inputs, and this one, made known: they must not show. */
function parse(bytes: Buffer, start: number, end: number): Outcome {
  const known = outcomeOf(bytes, start, end, new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
  const plain = outcomeOf(bytes, start, end, null);
  demandSame(known.result, plain.result, 'the result with known lines');
  demandSame(known.text, plain.text, 'the reading with known lines');
  return plain;
}

function outcomeOf(bytes: Buffer, start: number, end: number, view: DataView | null): Outcome {
  const position = parseResponseHead(bytes, start, end, fuzzLimits, head, view);
  return position > 0 ? { result: position - start, text: describe(start) } : { result: position, text: '' };
}

function describe(start: number): string {
  const { bytes, fields } = head;
  const lines = Array.from({ length: fields.count }, (_, i) => `${fields.id[i]} ${latin1(bytes, fields.nameStart[i]!, fields.nameEnd[i]!)}: ${latin1(bytes, fields.valueStart[i]!, fields.valueEnd[i]!)}`);
  return JSON.stringify([head.status, head.minorVersion, head.fieldsStart - start, head.contentLength, head.chunked, head.close, head.nominatesFields, head.hasDate, ...lines]);
}

export interface StrictAnswer {
  readonly status: number;
  readonly minorVersion: number;
  readonly fields: readonly StrictField[];
}

/** The head that `text` is, whole, or why it is none. */
export function readStrictAnswer(text: string): StrictAnswer | string {
  if (!text.endsWith('\r\n\r\n')) return 'no end of the head';
  const [first = '', ...lines] = text.slice(0, -4).split('\r\n');
  const line = /^HTTP\/1\.([0-9]) ([1-5][0-9][0-9])(?: [\t -~\x80-\xff]*)?$/.exec(first);
  if (line === null) return `not a status line: ${JSON.stringify(first)}`;
  const fields = readFields(lines);
  if (typeof fields === 'string') return fields;
  const framing = fields.filter(({ name }) => /^(?:content-length|transfer-encoding)$/i.test(name));
  if (framing.length > 1) return 'more than one framing';
  return { status: Number(line[2]), minorVersion: Number(line[1]), fields };
}

function checkReading(text: string): void {
  const strict = demandRead(readStrictAnswer(text), 'accepted, though');
  const { bytes, fields } = head;
  demandSame(head.status, strict.status, 'the status');
  demandSame(head.minorVersion, Math.min(1, strict.minorVersion), 'the version');
  demandSame(fields.count, strict.fields.length, 'the number of fields');
  strict.fields.forEach(({ name, value }, i) => {
    demandSame(latin1(bytes, fields.nameStart[i]!, fields.nameEnd[i]!), name, `name ${i}`);
    demandSame(latin1(bytes, fields.valueStart[i]!, fields.valueEnd[i]!), value, `value of ${name}`);
  });
  const value = (wanted: string): string | undefined => strict.fields.find(({ name }) => name.toLowerCase() === wanted)?.value;
  const length = value('content-length');
  demand(length === undefined || /^[0-9]{1,16}$/.test(length), `not a length: ${length}`);
  demandSame(head.contentLength, length === undefined ? -1 : Number(length), 'the length');
  demandSame(head.chunked, value('transfer-encoding') !== undefined, 'the coding');
  demand(!head.chunked || value('transfer-encoding')!.toLowerCase() === 'chunked', 'the coding is chunked');
  demandSame(head.hasDate, value('date') !== undefined, 'whether it has a date');
}

export const responseHeadTarget: FuzzTarget = {
  name: 'response-head',
  watched: ['/parse/response-head.ts', '/parse/field-lines.ts', '/parse/known-lines.ts', '/parse/field-names.ts', '/parse/body-framing.ts', '/parse/bytes.ts'],
  seeds: [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    'HTTP/1.0 404\r\nConnection: keep-alive, x\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: now\r\nConnection: close\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    ...fieldTokens.flatMap((token) => [`HTTP/1.1 200 OK\r\n${token}\r\n`, `HTTP/1.1 200 OK\r\n${token}${token}\r\n`]),
    ...lineTokens.flatMap((token) => [`HTTP/1.1 200 O${token}K\r\n\r\n`, `HTTP/1.1 200 OK\r\nX${token}: b${token}c\r\n\r\n`]),
  ],
  tokens: responseTokens,
  bytesMax: 800,
  check(input) {
    const outcome = checkHeadParser(parse, input);
    parse(input, 0, input.length);
    if (outcome.result <= 0) return String(outcome.result);
    checkReading(textOf(input, outcome.result));
    return [Math.floor(head.status / 100), head.minorVersion, head.chunked, head.contentLength > 0, head.close, head.nominatesFields, head.hasDate].join();
  },
};
