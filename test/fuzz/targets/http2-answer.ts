/**
 * AnswerFields: of any fields whatever, what it does not refuse is one head of
 * HTTP/1.1 that holds exactly these fields and one framing, and that the strict
 * reader reads so: no byte of a field ends a line, a word or the head.
 */
import { AnswerFields } from '../../../src/data-plane/parse/http2-answer-fields.ts';
import { OutBytes } from '../../../src/data-plane/parse/out-bytes.ts';
import { parseListedAnswer, parseResponseHead, ResponseHead } from '../../../src/data-plane/parse/response-head.ts';
import { fieldTokens, lineTokens } from '../dictionary.ts';
import { fieldsOf, type Field } from './listed-fields.ts';
import { fuzzLimits } from './request-head.ts';
import { readStrictAnswer } from './response-head.ts';
import { demand, demandRead, demandSame, type FuzzTarget } from './target.ts';

/** Used for every answer: what one leaves in them must not show in the next. */
const fields = new AnswerFields();
const out = new OutBytes();
const head = new ResponseHead();
const listed = new ResponseHead();

function take(list: readonly Field[], isTrailer: boolean, isLast: boolean): string {
  out.length = 3;
  fields.begin(out, fuzzLimits, isTrailer);
  for (const [name, value] of list) {
    const bytes = Buffer.from(`<${name}|${value}>`, 'latin1');
    fields.onField(bytes, 1, 1 + name.length, bytes, 2 + name.length, bytes.length - 1);
  }
  fields.finish(isLast, false);
  return out.bytes.toString('latin1', 3, out.length);
}

/** By their known places the lines read as by a scan. */
function checkPlaces(text: string): void {
  const bytes = Buffer.from(`ab:${text}`, 'latin1');
  listed.fields = fields.lines;
  const result = parseListedAnswer(bytes, 3, bytes.length, fuzzLimits, listed, fields.listedEnd);
  demandSame(result, parseResponseHead(bytes, 3, bytes.length, fuzzLimits, head), 'the result by known places');
  if (result > 0) demandSame(allOf(listed), allOf(head), 'the head by known places');
}

function allOf({ bytes: _bytes, fields: lines, ...rest }: ResponseHead): string {
  return JSON.stringify([rest, ...Array.from({ length: lines.count }, (_, i) => [lines.id[i], lines.nameStart[i], lines.nameEnd[i], lines.valueStart[i], lines.valueEnd[i]])]);
}

function checkHead(list: readonly Field[], text: string, isLast: boolean): string {
  const bytes = Buffer.from(text, 'latin1');
  const result = parseResponseHead(bytes, 0, bytes.length, fuzzLimits, head);
  demand(result < 0 || result === bytes.length, `a head of ${bytes.length} bytes is read as ${result}`);
  if (result < 0) return String(result);
  const strict = demandRead(readStrictAnswer(text), 'accepted, though');
  demandSame(String(strict.status), list.find(([name]) => name === ':status')?.[1], 'the status');
  const own = list.filter(([name]) => !name.startsWith(':')).filter(([name], i, all) => name !== 'content-length' || all.findIndex(([other]) => other === name) === i);
  const hasLength = own.some(([name]) => name === 'content-length');
  const framing = hasLength || strict.status < 200 ? [] : [isLast ? 'content-length: 0' : 'transfer-encoding: chunked'];
  demandSame(JSON.stringify(strict.fields.map(({ name, value }) => `${name}: ${value}`)), JSON.stringify([...own.map(([name, value]) => `${name}: ${value}`), ...framing]), 'the fields');
  return [head.status >= 200, head.contentLength > 0, head.chunked].join();
}

export const http2AnswerTarget: FuzzTarget = {
  name: 'http2-answer',
  watched: ['/parse/http2-answer-fields.ts'],
  seeds: [':status=200', ':status=103\0\0link=</a>', ':status=200\0\0content-length=5\0\0x=y', ':status=204\0\0content-length=1\0\0content-length=1', 'x-sum=1\0\0y=2', ':status=200\0\0Upper=1', ':status=200\0\0connection=close', ':status=200\0\0a=b\r\nc: d', ':status=101', ':status=20x', 'x=1\0\0:status=200'],
  tokens: ['\0\0', '=', ':status=', ':path=', '100', '101', '200', '304', '999', 'content-length=', '0', '5', '99999999999999999999', 'transfer-encoding=', 'connection=', 'upgrade=', 'keep-alive=', 'proxy-connection=', 'chunked', 'date=', ...lineTokens, ...fieldTokens.slice(0, 30)],
  bytesMax: 700,
  check(input) {
    const list = fieldsOf(input);
    const trailers = take(list, true, true);
    if (fields.problem === '' && !fields.isTooLarge) {
      const own = list.filter(([name], i) => name !== 'content-length' || list.findIndex(([other]) => other === name) === i);
      demandSame(trailers, `${own.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`, 'the trailers');
    }
    const outcomes = [true, false].map((isLast) => {
      const text = take(list, false, isLast);
      if (fields.isTooLarge) return 'too large';
      if (fields.problem !== '') return fields.problem;
      checkPlaces(text);
      return checkHead(list, text, isLast);
    });
    return outcomes.join(' ');
  },
};
