/**
 * The head of an answer as the client gets it: rewritten in place or composed
 * anew it is the same one, well-formed, without what ends here, and the body
 * behind it stays where it was.
 */
import { LiveEdits } from '../../../src/data-plane/live/live-route.ts';
import { parseResponseHead, ResponseHead } from '../../../src/data-plane/parse/response-head.ts';
import { composeAnswerHead, rewriteAnswerHead, type AnswerRewrite } from '../../../src/data-plane/relay/response-head-rewriter.ts';
import { fieldTokens, responseTokens } from '../dictionary.ts';
import { foldName } from '../readers/strict-request.ts';
import { textOf } from './head-properties.ts';
import { readStrictAnswer, type StrictAnswer } from './response-head.ts';
import { demand, demandRead, demandSame, type FuzzTarget } from './target.ts';
import { fuzzLimits } from './request-head.ts';

const ROOM = 256;
const TAIL = 'BODY\r\n\r\nHTTP/1.1';
const head = new ResponseHead();

const ways: readonly AnswerRewrite[] = [
  { takesChunks: true, added: null, edits: null, isUpgrade: false },
  { takesChunks: false, added: Buffer.from('Connection: close\r\n'), edits: null, isUpgrade: false },
  { takesChunks: true, added: Buffer.from('Date: now\r\nVia: 1.1 weir\r\n'), edits: new LiveEdits({ remove: ['server', 'set-cookie'], set: [['X-A', 'ours']], add: [['X-B', '2']] }), isUpgrade: false },
  { takesChunks: false, added: null, edits: null, isUpgrade: true },
];

function rewrite(text: string, how: AnswerRewrite): string {
  const bytes = Buffer.concat([Buffer.alloc(ROOM, '.'), Buffer.from(text + TAIL, 'latin1')]);
  const end = ROOM + text.length;
  demandSame(parseResponseHead(bytes, ROOM, bytes.length, fuzzLimits, head), end, 'the end of the head');
  const composed = composeAnswerHead(head, ROOM, end, how).toString('latin1');
  const start = rewriteAnswerHead(head, ROOM, end, end, how);
  // Where it cannot be done in place, nothing may have been touched.
  demandSame(bytes.toString('latin1', start === -1 ? ROOM : start, end), start === -1 ? text : composed, 'in place and anew');
  demand(start !== -1 || head.nominatesFields, 'could not be done in place');
  demandSame(bytes.toString('latin1', end), TAIL, 'what follows the head');
  return composed;
}

/** Of one connection (RFC 9110 §7.6.1); a Connection field may name more. */
const ENDS_HERE = ['connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade'];
/** What frames or dates the message stays, whoever names it. */
const STAYS = ['content-length', 'transfer-encoding', 'date', 'trailer', 'via', 'host', 'expect', 'max-forwards'];

function checkAnswer(came: StrictAnswer, text: string, how: AnswerRewrite): void {
  const sent = demandRead(readStrictAnswer(text), 'not well-formed:');
  demandSame(sent.status, came.status, 'the status');
  demandSame(sent.minorVersion, 1, 'the version');
  const nominated = came.fields.filter(({ name }) => name.toLowerCase() === 'connection').flatMap(({ value }) => value.toLowerCase().split(',').map((member) => member.replace(/^[ \t]+|[ \t]+$/g, '')));
  const own = readStrictAnswer(`HTTP/1.1 200 OK\r\n${how.added?.toString('latin1') ?? ''}${how.edits?.lines.join('') ?? ''}\r\n`) as StrictAnswer;
  const expected = came.fields.filter(({ name }) => {
    const lower = name.toLowerCase();
    if (how.edits?.names.has(foldName(name)) ?? false) return false;
    if ((came.status < 200 || came.status === 204) && (lower === 'content-length' || lower === 'transfer-encoding')) return false;
    if (how.isUpgrade && (lower === 'connection' || lower === 'upgrade')) return true;
    if (ENDS_HERE.includes(lower) || (lower === 'transfer-encoding' && !how.takesChunks)) return false;
    return STAYS.includes(lower) || !nominated.includes(lower);
  });
  const show = (fields: StrictAnswer['fields']): string => fields.map(({ name, value }) => `${name}: ${value}`).join('\n');
  demandSame(show(sent.fields), show([...own.fields, ...expected]), 'the fields');
}

export const answerRewriteTarget: FuzzTarget = {
  name: 'answer-rewrite',
  watched: ['/relay/response-head-rewriter.ts', '/relay/hop-headers.ts', '/parse/response-head.ts', '/parse/body-framing.ts'],
  seeds: [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x\r\nX-A: b\r\n\r\n',
    'HTTP/1.0 200 OK\r\nConnection: keep-alive, x-a\r\nX-A: 1\r\nKeep-Alive: timeout=5\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: now\r\nTrailer: X\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    ...fieldTokens.map((token) => `HTTP/1.1 200 OK\r\n${token}X-A: b\r\n\r\n`),
  ],
  tokens: responseTokens,
  bytesMax: 2048,
  check(input) {
    const end = parseResponseHead(input, 0, input.length, fuzzLimits, head);
    if (end < 1) return 'none';
    const text = textOf(input, end);
    const came = demandRead(readStrictAnswer(text), 'accepted, though');
    for (const how of ways) checkAnswer(came, rewrite(text, how), how);
    return `${came.minorVersion} ${head.chunked} ${head.nominatesFields} ${came.fields.length}`;
  },
};
