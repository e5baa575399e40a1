/**
 * What a backend gets of what a client sent: parsed, built and re-read. It must
 * be exactly one request for the strict reader, whatever came, with the same
 * method, target and body, every field that may pass as it came, and nothing
 * that ends here.
 */
import { AddressSet } from '../../../src/net/address.ts';
import { Exchange, type AnswerSink } from '../../../src/data-plane/exchange.ts';
import type { AnswerTerms } from '../../../src/data-plane/listen/http1-answer.ts';
import { RequestBody } from '../../../src/data-plane/listen/http1-request-body.ts';
import { openExchange, peerOf } from '../../../src/data-plane/listen/open-exchange.ts';
import type { LiveListener } from '../../../src/data-plane/live/live-listener.ts';
import { LiveEdits, type LiveRoute } from '../../../src/data-plane/live/live-route.ts';
import { METHOD, parseRequestHead, RequestHead } from '../../../src/data-plane/parse/request-head.ts';
import { buildRequestHead, type BuiltHead } from '../../../src/data-plane/relay/request-head-builder.ts';
import { chunkTokens, fieldTokens, requestTokens } from '../dictionary.ts';
import { readStrictHead, readStrictRequest, type StrictHead } from '../readers/strict-request.ts';
import { readChunks } from '../readers/reference-chunks.ts';
import { checkPassedFields, OURS } from './passed-fields.ts';
import { textOf } from './head-properties.ts';
import { demand, demandRead, demandSame, type FuzzTarget } from './target.ts';

const LIMITS = { headerBytesMax: 4096, headerCountMax: 40 };
const PEER = '192.0.2.7';

/** A way a listener and a route may be set up. */
export interface Setting {
  readonly isTrusted: boolean;
  readonly addsForwarded: boolean;
  readonly rewriteHost: string | null;
  readonly edits: LiveEdits | null;
}

const settings: readonly Setting[] = [
  { isTrusted: false, addsForwarded: false, rewriteHost: null, edits: null },
  { isTrusted: true, addsForwarded: true, rewriteHost: null, edits: null },
  { isTrusted: false, addsForwarded: true, rewriteHost: null, edits: null },
  { isTrusted: false, addsForwarded: false, rewriteHost: 'inner.example', edits: new LiveEdits({ remove: ['x-a', 'x-forwarded-proto'], set: [['Accept', 'ours']], add: [['X-Ours', '1']] }) },
];

const head = new RequestHead();
const exchange = new Exchange({} as AnswerSink);
exchange.peerAddress = PEER;
exchange.localPort = 8080;
exchange.forwardedLines = peerOf(PEER, 8080).forwardedLines;
const body = new RequestBody();
/** Small, as a connection's own buffer is, so that growth is exercised too. */
const built: BuiltHead = { out: Buffer.alloc(0), outLength: 0 };

/** What leaves for the backend, with where the request ended; null while it is not whole, or is refused. */
export function passOn(input: Buffer, setting: Setting, pieceBytes: number): { text: string; end: number } | null {
  const bodyStart = parseRequestHead(input, 0, input.length, LIMITS, head);
  if (bodyStart < 1) return null;
  open(setting, bodyStart);
  built.out = Buffer.alloc(64);
  buildRequestHead(exchange, head, null, built, 0);
  demand(built.outLength <= built.out.length, `a head of ${built.outLength} bytes built in ${built.out.length}`);
  let text = textOf(built.out, built.outLength);
  if (!exchange.hasBody) return { text, end: bodyStart };
  body.open(head, 0, LIMITS.headerBytesMax);
  for (let at = bodyStart; at < input.length; at += pieceBytes) {
    // The body may be moved within the piece: the head's own bytes must not be touched.
    const piece = Buffer.from(input.subarray(at, Math.min(input.length, at + pieceBytes)));
    const stopped = body.take(piece, 0, piece.length);
    if (body.problem !== null) return null;
    text += body.bytes.toString('latin1', body.start, body.end);
    if (body.isDone) return { text, end: at + stopped };
  }
  return null;
}

function open(setting: Setting, bodyStart: number): void {
  const listener = { spec: { via: true, forwarded: setting.addsForwarded }, trusted: new AddressSet(setting.isTrusted ? ['192.0.2.0/24'] : []) };
  exchange.listener = listener as unknown as LiveListener;
  const terms: AnswerTerms = { minorVersion: 1, method: METHOD.get, closes: false, via: false, edits: null };
  openExchange(exchange, terms, head, bodyStart, false);
  exchange.route = { requestEdits: setting.edits, rewriteHost: setting.rewriteHost } as unknown as LiveRoute;
}

function checkOne(input: Buffer, came: StrictHead, setting: Setting): string {
  const sent = passOn(input, setting, input.length + 1);
  const inPieces = passOn(input, setting, 3);
  if (sent === null) {
    demandSame(inPieces, null, 'accepted in pieces only');
    return 'none';
  }
  const request = demandRead(readStrictRequest(sent.text), `passed on as ${JSON.stringify(sent.text)}, though`);
  demandSame(inPieces === null ? null : withoutIds(inPieces.text), withoutIds(sent.text), 'in pieces something else is passed on');
  demandSame(request.method, came.method, 'the method');
  demandSame(request.target, expectedTarget(came), 'the target');
  demandSame(request.minorVersion, 1, 'the version');
  demandSame(request.isChunked, came.isChunked, 'the coding');
  demandSame(request.contentLength, came.contentLength, 'the length');
  const rest = textOf(input).replace(/^(?:\r\n)+/, '').slice(came.length);
  demandSame(request.body, came.isChunked ? readChunks(rest, LIMITS.headerBytesMax).content : rest.slice(0, Math.max(0, came.contentLength)), 'the body');
  checkPassedFields(came, request, setting);
  return `${request.isChunked} ${request.contentLength > 0} ${request.trailers.length > 0}`;
}

/** Request ids are new each time. */
function withoutIds(text: string): string {
  return text.replace(/X-Request-ID: [0-9a-f]{32}\r\n/, '');
}

function expectedTarget(came: StrictHead): string {
  const absolute = /^https?:\/\/[^/?]*(.*)$/i.exec(came.target);
  if (absolute === null) return came.target;
  if (absolute[1] === '' && came.method === 'OPTIONS') return '*';
  return absolute[1]!.startsWith('/') ? absolute[1]! : `/${absolute[1]}`;
}

export const passedOnTarget: FuzzTarget = {
  name: 'passed-on',
  watched: ['/parse/request-head.ts', '/parse/body-framing.ts', '/parse/chunked-body.ts', '/relay/request-head-builder.ts', '/relay/hop-headers.ts', '/relay/trailers.ts', '/listen/http1-request-body.ts', '/listen/open-exchange.ts'],
  seeds: [
    'GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n',
    'POST http://a/b HTTP/1.1\r\nHost: c\r\nContent-Length: 5\r\nConnection: close, x-a\r\nX-A: 1\r\nX-Forwarded-For: 1\r\n\r\nhello',
    'PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;x\r\nhello\r\n0\r\nX-Sum: 1\r\nHost: b\r\n\r\n',
    'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n',
    `GET http://${'a'.repeat(900)}/ HTTP/1.0\r\n\r\n`,
    ...[...fieldTokens, ...OURS.flatMap((name) => [`${name}: x\r\n`, `${name.replace('-', '_')}: x\r\n`])].flatMap((token) => [`GET / HTTP/1.1\r\nHost: a\r\n${token}X-A: b\r\n\r\nhello`, `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${token}\r\n`]),
  ],
  tokens: [...requestTokens, ...chunkTokens, ...OURS.map((name) => `${name}: x\r\n`)],
  bytesMax: 4000,
  check(input) {
    const came = readStrictHead(textOf(input).replace(/^(?:\r\n)+/, ''));
    // What the strict reader refuses must not be passed on at all; it takes more than we do, never less.
    if (typeof came === 'string') {
      demandSame(passOn(input, settings[0]!, input.length + 1), null, `passed on, though ${came}`);
      return 'refused';
    }
    return settings.map((setting) => checkOne(input, came, setting)).join();
  },
};
