/**
 * RequestFields: of any fields whatever, what it does not refuse is one head
 * of HTTP/1.1 that holds exactly these fields, and that the strict reader
 * reads so: no byte of a field ends a line, a word or the head. Where it says
 * its lines stand, the reader finds them.
 */
import { parseListedHead, parseRequestHead, RequestHead } from '../../../src/data-plane/parse/request-head.ts';
import { RequestFields } from '../../../src/data-plane/parse/http2-request-fields.ts';
import { fieldTokens, lineTokens } from '../dictionary.ts';
import { readStrictHead } from '../readers/strict-request.ts';
import { fieldsOf, type Field } from './listed-fields.ts';
import { fuzzLimits } from './request-head.ts';
import { demand, demandRead, demandSame, type FuzzTarget } from './target.ts';

/** Used for every request: what one leaves in it must not show in the next. */
const fields = new RequestFields();
const head = new RequestHead();
const listedHead = new RequestHead();

function take(list: readonly Field[], isTrailer: boolean): string {
  fields.begin(fuzzLimits, isTrailer);
  for (const [name, value] of list) {
    const bytes = Buffer.from(`<${name}|${value}>`, 'latin1');
    fields.onField(bytes, 1, 1 + name.length, bytes, 2 + name.length, bytes.length - 1);
  }
  fields.finish();
  return fields.out.bytes.toString('latin1', 0, fields.out.length);
}

/** What the head must hold of them, and in which order but for cookies. */
function expectedFields(list: readonly Field[]): string[] {
  const authority = list.find(([name]) => name === ':authority')?.[1];
  const own = list.filter(([name]) => !name.startsWith(':') && name !== 'cookie' && !(name === 'host' && authority !== undefined));
  const onlyOneTe = own.filter(([name], i) => name !== 'te' || own.findIndex(([other]) => other === 'te') === i);
  const kept = fields.isWebSocket ? onlyOneTe.filter(([name]) => name !== 'sec-websocket-key') : onlyOneTe;
  const cookies = list.filter(([name, value]) => name === 'cookie' && value !== '').map(([, value]) => value).reduce((all, value) => (all === '' ? value : `${all}; ${value}`), '');
  const te = own.some(([name]) => name === 'te');
  return [
    ...(authority === undefined ? [] : [`Host: ${authority}`]),
    ...kept.map(([name, value]) => `${name}: ${value}`),
    ...(cookies === '' ? [] : [`cookie: ${cookies}`]),
    ...(fields.isWebSocket ? ['Upgrade: websocket', `Connection: Upgrade${te ? ', TE' : ''}`] : te ? ['Connection: TE'] : []),
  ];
}

function toldOf({ bytes: _bytes, fields: lines, ...rest }: RequestHead): string {
  return JSON.stringify([rest, ...[lines.id, lines.nameStart, lines.nameEnd, lines.valueStart, lines.valueEnd].map((places) => [...places.subarray(0, lines.count)])]);
}

function checkHead(list: readonly Field[], text: string): string {
  const bytes = Buffer.from(`${text}\r\n`, 'latin1');
  const result = parseRequestHead(bytes, 0, bytes.length, fuzzLimits, head);
  listedHead.fields = fields.lines;
  demandSame(parseListedHead(bytes, bytes.length, fuzzLimits, listedHead, fields.listedEnd), result, 'the reading by known places');
  if (result > 0) demandSame(toldOf(listedHead), toldOf(head), 'the head by known places');
  demand(result < 0 || result === bytes.length, `a head of ${bytes.length} bytes is read as ${result}`);
  if (result < 0) return String(result);
  const strict = demandRead(readStrictHead(bytes.toString('latin1')), 'accepted, though');
  const of = (name: string): string => list.find(([other]) => other === name)?.[1] ?? '';
  demandSame(strict.method, fields.isWebSocket ? 'GET' : of(':method'), 'the method');
  demandSame(strict.target, of(':path'), 'the target');
  demandSame(JSON.stringify(strict.fields.map(({ name, value }) => `${name}: ${value}`)), JSON.stringify(expectedFields(list)), 'the fields');
  return [head.method, head.contentLength > 0, head.acceptsTrailers, fields.isWebSocket, fields.isSecure].join();
}

const request = ':method=GET\0\0:scheme=http\0\0:path=/\0\0:authority=a\0\0';

export const http2RequestTarget: FuzzTarget = {
  name: 'http2-request',
  watched: ['/parse/http2-request-fields.ts'],
  seeds: [
    request, `${request}accept=*/*\0\0te=trailers\0\0cookie=a=b\0\0x=y\0\0cookie=c`, ':method=CONNECT\0\0:authority=a:1', ':method=CONNECT\0\0:protocol=websocket\0\0:scheme=https\0\0:path=/c\0\0:authority=a\0\0te=trailers\0\0sec-websocket-key=x',
    ':method=OPTIONS\0\0:path=*\0\0:scheme=http\0\0host=b', `${request}host=A\0\0content-length=5`, 'x-sum=1\0\0y=2', `${request}Upper=1`, `${request}connection=close`, `:path=/a b\0\0${request}`, `${request}a=b\r\nc: d`,
  ],
  tokens: ['\0\0', '=', ':method=', ':path=', ':scheme=', ':authority=', ':protocol=', ':status=', ':x=', 'host=', 'te=', 'cookie=', 'content-length=', 'transfer-encoding=', 'connection=', 'upgrade=', 'keep-alive=', 'proxy-connection=', 'GET', 'CONNECT', 'OPTIONS', 'http', 'https', 'websocket', 'trailers', 'chunked', '*', request, ...lineTokens, ...fieldTokens.slice(0, 30)],
  bytesMax: 700,
  check(input) {
    const list = fieldsOf(input);
    const trailers = take(list, true);
    if (fields.problem === '' && !fields.isTooLarge) demandSame(trailers, `${list.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`, 'the trailers');
    const text = take(list, false);
    if (fields.isTooLarge) return 'too large';
    if (fields.problem !== '') return fields.problem;
    return checkHead(list, text);
  },
};
