/** parseRequestHead: its properties, and what it accepts held against the strict reader. */
import { isIPv6 } from 'node:net';
import { latin1 } from '../../../src/data-plane/parse/bytes.ts';
import { parseRequestHead, RequestHead, TARGET_FORM } from '../../../src/data-plane/parse/request-head.ts';
import { fieldTokens, lineTokens, requestTokens } from '../dictionary.ts';
import { readStrictHead, valuesOf, type StrictHead } from '../readers/strict-request.ts';
import { checkHeadParser, checkPieces, textOf, type Outcome } from './head-properties.ts';
import { demand, demandRead, demandSame, type FuzzTarget } from './target.ts';

export const fuzzLimits = { headerBytesMax: 600, headerCountMax: 12 };

/** Used for every parse: what one message leaves in it must not show in the next. */
const head = new RequestHead();

function parse(bytes: Buffer, start: number, end: number): Outcome {
  const position = parseRequestHead(bytes, start, end, fuzzLimits, head);
  return position > 0 ? { result: position - start, text: describe(start) } : { result: position, text: '' };
}

function describe(start: number): string {
  const { bytes, fields } = head;
  const lines = Array.from({ length: fields.count }, (_, i) => `${fields.id[i]} ${latin1(bytes, fields.nameStart[i]!, fields.nameEnd[i]!)}: ${latin1(bytes, fields.valueStart[i]!, fields.valueEnd[i]!)}`);
  return JSON.stringify([
    head.methodStart - start, latin1(bytes, head.methodStart, head.methodEnd), head.method, latin1(bytes, head.targetStart, head.targetEnd), head.form, latin1(bytes, head.pathStart, head.pathEnd), head.pathMayReadTwoWays,
    latin1(bytes, head.authorityStart, head.authorityEnd), head.minorVersion, head.contentLength, head.chunked, head.close, head.upgrade, head.expectContinue, head.nominatesFields, head.acceptsTrailers, ...lines,
  ]);
}

/** What we accept, the strict reader accepts too, and reads as we do. */
function checkReading(text: string): void {
  const strict = demandRead(readStrictHead(text.replace(/^(?:\r\n)+/, '')), 'accepted, though');
  const { bytes, fields } = head;
  demandSame(latin1(bytes, head.methodStart, head.methodEnd), strict.method, 'the method');
  demandSame(latin1(bytes, head.targetStart, head.targetEnd), strict.target, 'the target');
  demandSame(head.minorVersion, Math.min(1, strict.minorVersion), 'the version');
  demandSame(head.contentLength, strict.contentLength, 'the length');
  demandSame(head.chunked, strict.isChunked, 'the coding');
  demandSame(fields.count, strict.fields.length, 'the number of fields');
  strict.fields.forEach(({ name, value }, i) => {
    demandSame(latin1(bytes, fields.nameStart[i]!, fields.nameEnd[i]!), name, `name ${i}`);
    demandSame(latin1(bytes, fields.valueStart[i]!, fields.valueEnd[i]!), value, `value of ${name}`);
  });
  checkConnection(strict);
  checkTarget(strict);
}

function checkConnection(strict: StrictHead): void {
  const members = valuesOf(strict.fields.filter(({ name }) => !name.includes('_')), 'connection').flatMap((value) => value.toLowerCase().split(',').map((member) => member.replace(/^[ \t]+|[ \t]+$/g, '')));
  const keeps = strict.minorVersion > 0 || members.includes('keep-alive');
  demandSame(head.close, members.includes('close') || !keeps, 'whether it closes');
  const upgrades = members.includes('upgrade') && strict.minorVersion > 0 && strict.fields.some(({ name }) => name.toLowerCase() === 'upgrade');
  demandSame(head.upgrade, upgrades, 'whether it upgrades');
}

const AUTHORITY = /^(?:\[([^\]]*)\]|[\w\-.~!$&'()*+,;=]*)(?::[0-9]{0,5})?$/;

function isAuthority(text: string): boolean {
  const match = AUTHORITY.exec(text);
  return match !== null && (match[1] === undefined || isIPv6(match[1]));
}

function checkTarget(strict: StrictHead): void {
  const { bytes } = head;
  const authority = latin1(bytes, head.authorityStart, head.authorityEnd);
  const absolute = /^https?:\/\/([^/?]*)([^?]*)/i.exec(strict.target);
  const [host = ''] = valuesOf(strict.fields, 'host');
  demandSame(authority, absolute === null ? host : absolute[1], 'the authority');
  demand(isAuthority(authority) && isAuthority(host), `an authority of ${JSON.stringify([authority, host])}`);
  const path = absolute === null ? strict.target.replace(/\?[^]*/, '') : absolute[2]!;
  demandSame(latin1(bytes, head.pathStart, head.pathEnd), path, 'the path');
  demand(head.form === TARGET_FORM.absolute ? absolute !== null : head.form === TARGET_FORM.asterisk ? strict.target === '*' && strict.method === 'OPTIONS' : strict.target.startsWith('/'), 'the form');
  // Whatever could be read as another path must be marked: routing looks twice at those only.
  if (/%|\\|\/\/|\/\./.test(path)) demand(head.pathMayReadTwoWays, `"${path}" may read two ways`);
}

export const requestHeadTarget: FuzzTarget = {
  name: 'request-head',
  watched: ['/parse/request-head.ts', '/parse/field-lines.ts', '/parse/field-names.ts', '/parse/body-framing.ts', '/parse/authority.ts', '/parse/bytes.ts', '/parse/head-end.ts', '/listen/partial-head.ts'],
  seeds: [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'POST http://a:80/b?c HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello',
    'OPTIONS * HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nExpect: 100-continue\r\n\r\n0\r\n\r\n',
    'PATCH /%2e/..//a HTTP/1.0\r\nConnection: keep-alive, x\r\nX_Forwarded_For: 1\r\n\r\n',
    ...fieldTokens.flatMap((token) => [`POST / HTTP/1.1\r\nHost: a\r\n${token}\r\n`, `POST / HTTP/1.1\r\nHost: a\r\n${token}${token}\r\n`]),
    ...lineTokens.flatMap((token) => [`GET /${token} HTTP/1.1\r\nHost: a\r\n\r\n`, `GET / HTTP/1.1\r\nHost${token}: a\r\nX${token}: b${token}c\r\n\r\n`]),
  ],
  tokens: requestTokens,
  bytesMax: 800,
  check(input) {
    const outcome = checkHeadParser(parse, input);
    for (const pieceBytes of [1, 7]) checkPieces(parse, input, outcome, pieceBytes, fuzzLimits.headerBytesMax);
    parse(input, 0, input.length);
    if (outcome.result <= 0) return String(outcome.result);
    checkReading(textOf(input, outcome.result));
    return [head.method, head.form, head.minorVersion, head.chunked, head.contentLength > 0, head.close, head.upgrade, head.expectContinue, head.nominatesFields, head.acceptsTrailers, head.pathMayReadTwoWays].join();
  },
};
