/** An origin that breaks the protocol: 502 while nothing has gone out, and no connection with a doubt on it serves again. */
import { describe, expect, it } from 'vitest';
import { backendColumns, BACKEND_FAILURES } from '../../../src/shared/counter-pages.ts';
import { badOrigin, connectionGone, connectionOfNext, END, PAUSE, RESET, until, type Step } from '../../support/bad-origin.ts';
import { OK, type Scenario } from '../../support/engine-scenario.ts';
import type { RawClient } from '../../support/engine.ts';

/** A POST is never sent again, so that each answer is asked for once. */
const POST = 'POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n';
const GET = 'GET /bad HTTP/1.1\r\nHost: a\r\n\r\n';
const HEAD = 'HEAD /bad HTTP/1.1\r\nHost: a\r\n\r\n';
const repeat = (count: number, line: (i: number) => string): string => Array.from({ length: count }, (_, i) => line(i)).join('');

/** One whole answer to a request on a kept connection: the client of a 502 may go on with it. */
async function answerTo(client: RawClient, request: string): Promise<string> {
  const from = client.received.length;
  client.send(request);
  const received = await client.until((text) => wholeAnswer(text.slice(from)));
  return received.slice(from);
}

function wholeAnswer(text: string): boolean {
  const headEnd = text.indexOf('\r\n\r\n');
  const length = /\r\nContent-Length: *(\d+)/.exec(text.slice(0, headEnd));
  return headEnd !== -1 && text.length >= headEnd + 4 + Number(length?.[1] ?? 0);
}

/** Sends /bad, expects `status`, then another request over the same client connection, which must come over a new one to the origin. */
async function expectRefused(s: Scenario, request = POST): Promise<void> {
  const client = await s.client();
  expect(await answerTo(client, request)).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
  expect(await answerTo(client, 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nok$/);
  const [bad, next] = s.origin.seen;
  expect(s.origin.seen).toHaveLength(2);
  expect(next!.socket).not.toBe(bad!.socket);
  await connectionGone(s);
}

function failures(s: Scenario, label: (typeof BACKEND_FAILURES)[number]): number {
  const { cells, base } = s.engine.context.counters.backends.at(0);
  return cells[base + backendColumns.failures + BACKEND_FAILURES.indexOf(label)]!;
}

const statusLines: [string, string][] = [
  ['garbage', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['a TLS alert', '\x15\x03\x01\x00\x02\x02\x46'],
  ['an HTML page without a head', '<html>busy</html>\r\n\r\n'],
  ['an empty line before it', '\r\nHTTP/1.1 200 OK\r\n\r\n'],
  ['HTTP/2', 'HTTP/2 200\r\n\r\n'],
  ['HTTP/2.0', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['HTTP/0.9', 'HTTP/0.9 200 OK\r\n\r\n'],
  ['HTTP/1', 'HTTP/1 200 OK\r\n\r\n'],
  ['HTTP/1.10', 'HTTP/1.10 200 OK\r\n\r\n'],
  ['HTTP/1.x', 'HTTP/1.x 200 OK\r\n\r\n'],
  ['lower case', 'http/1.1 200 OK\r\n\r\n'],
  ['another protocol', 'ICY 200 OK\r\n\r\n'],
  ['a space before it', ' HTTP/1.1 200 OK\r\n\r\n'],
  ['two spaces', 'HTTP/1.1  200 OK\r\n\r\n'],
  ['a tab for the space', 'HTTP/1.1\t200 OK\r\n\r\n'],
  ['no space', 'HTTP/1.1200 OK\r\n\r\n'],
  ['no status', 'HTTP/1.1 \r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['a status with a sign', 'HTTP/1.1 +20 OK\r\n\r\n'],
  ['a status in hexadecimal', 'HTTP/1.1 0xC OK\r\n\r\n'],
  ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
  ['a status above 599', 'HTTP/1.1 600 OK\r\n\r\n'],
  ['a reason right behind the status', 'HTTP/1.1 200OK\r\n\r\n'],
  ['NUL in the reason', 'HTTP/1.1 200 O\0K\r\n\r\n'],
  ['bare CR in the reason', 'HTTP/1.1 200 O\rK\r\n\r\n'],
  ['bare LF at its end', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'],
];

const heads: [string, string][] = [
  ['bare LF after a field', 'HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n'],
  ['bare LF for the empty line', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n'],
  ['bare CR in a value', 'HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n'],
  ['NUL in a value', 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n'],
  ['DEL in a value', 'HTTP/1.1 200 OK\r\nX: a\x7fb\r\nContent-Length: 0\r\n\r\n'],
  ['NUL in a name', 'HTTP/1.1 200 OK\r\nX\0: a\r\nContent-Length: 0\r\n\r\n'],
  ['a folded field', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n'],
  ['a first line that is folded', 'HTTP/1.1 200 OK\r\n X: a\r\nContent-Length: 0\r\n\r\n'],
  ['a space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n'],
  ['a tab before the colon', 'HTTP/1.1 200 OK\r\nContent-Length\t: 0\r\n\r\n'],
  ['an empty name', 'HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 0\r\n\r\n'],
  ['no colon', 'HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 0\r\n\r\n'],
  ['a name with a space', 'HTTP/1.1 200 OK\r\nX Y: a\r\nContent-Length: 0\r\n\r\n'],
  ['a name in parentheses', 'HTTP/1.1 200 OK\r\n(X): a\r\nContent-Length: 0\r\n\r\n'],
  ['a name beyond ASCII', 'HTTP/1.1 200 OK\r\nX\xe9: a\r\nContent-Length: 0\r\n\r\n'],
  ['more fields than headerCount', `HTTP/1.1 200 OK\r\n${repeat(129, (i) => `X-${i}: 1\r\n`)}\r\n`],
  ['more bytes than headerSize', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(32_768)}\r\n\r\n`],
  ['more bytes than headerSize, without an end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(40_000)}`],
  ['a reason longer than headerSize', `HTTP/1.1 200 ${'x'.repeat(40_000)}`],
];

const framings: [string, string][] = [
  ['an empty length', 'Content-Length: \r\n\r\n'],
  ['a negative length', 'Content-Length: -1\r\n\r\n'],
  ['a length with a sign', 'Content-Length: +2\r\n\r\nok'],
  ['a length in hexadecimal', 'Content-Length: 0x2\r\n\r\nok'],
  ['a length with a fraction', 'Content-Length: 2.0\r\n\r\nok'],
  ['a length with text', 'Content-Length: 2 bytes\r\n\r\nok'],
  ['a length beyond 2^53', 'Content-Length: 9007199254740993\r\n\r\nok'],
  ['a length of twenty digits', 'Content-Length: 00000000000000000002\r\n\r\nok'],
  ['a list of lengths', 'Content-Length: 2, 2\r\n\r\nok'],
  ['a list of differing lengths', 'Content-Length: 2, 3\r\n\r\nok'],
  ['differing lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n\r\nok'],
  ['the same length twice', 'Content-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
  ['length and coding', 'Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
  ['coding and length', 'Transfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
  ['a coding we do not know', 'Transfer-Encoding: gzip\r\n\r\nok'],
  ['a coding before chunked', 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['a coding after chunked', 'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n'],
  ['chunked twice', 'Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n'],
  ['two fields of chunked', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['identity', 'Transfer-Encoding: identity\r\n\r\nok'],
  ['an empty coding', 'Transfer-Encoding: \r\n\r\nok'],
  ['chunked in quotes', 'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n'],
  ['chunked with a parameter', 'Transfer-Encoding: chunked;x=y\r\n\r\n0\r\n\r\n'],
];

const firstChunks: [string, string][] = [
  ['no size', '\r\nok\r\n0\r\n\r\n'],
  ['a size that is none', 'g\r\nok\r\n0\r\n\r\n'],
  ['a size with a sign', '+2\r\nok\r\n0\r\n\r\n'],
  ['a negative size', '-2\r\nok\r\n0\r\n\r\n'],
  ['a size with 0x', '0x2\r\nok\r\n0\r\n\r\n'],
  ['a space before the size', ' 2\r\nok\r\n0\r\n\r\n'],
  ['a space after the size', '2 \r\nok\r\n0\r\n\r\n'],
  ['a size of fourteen digits', '00000000000002\r\nok\r\n0\r\n\r\n'],
  ['bare LF after the size', '2\nok\r\n0\r\n\r\n'],
  ['bare CR after the size', '2\rok\r\n0\r\n\r\n'],
  ['NUL in an extension', '2;a=\0\r\nok\r\n0\r\n\r\n'],
  ['an extension without name', '2;=a\r\nok\r\n0\r\n\r\n'],
  ['a quoted extension that does not end', '2;a="\r\nok\r\n0\r\n\r\n'],
  ['an extension without end', `2;${'a'.repeat(2000)}\r\nok\r\n0\r\n\r\n`],
  ['more octets than the size says', '2\r\nokay\r\n0\r\n\r\n'],
  ['bare LF after the octets', '2\r\nok\n0\r\n\r\n'],
];

const chunkHead = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

describe('an answer that cannot be read is 502, and its connection is closed', () => {
  it.each(statusLines)('its status line: %s', async (_name, text) => expectRefused(await badOrigin([text, END])));
  it.each(heads)('its head: %s', async (_name, text) => expectRefused(await badOrigin([text, END])));
  it.each(framings)('its framing: %s', async (_name, text) => expectRefused(await badOrigin([`HTTP/1.1 200 OK\r\n${text}`])));
  it('its framing: chunked from an origin of HTTP/1.0', async () => expectRefused(await badOrigin(['HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'])));
  it.each(firstChunks)('its first chunk: %s', async (_name, text) => expectRefused(await badOrigin([chunkHead + text])));

  it('a byte at a time', async () => expectRefused(await badOrigin([...'HTTP/1.1 2xx OK'])));

  it('it counts as malformed', async () => {
    const s = await badOrigin(['nonsense']);
    await expectRefused(s);
    expect(failures(s, 'malformed')).toBe(1);
  });
});

describe('an answer that does not come is 502', () => {
  const ends: [string, Step[]][] = [
    ['closed before the head', [END]],
    ['reset before the head', [RESET]],
    ['closed in the status line', ['HTTP/1.1 20', END]],
    ['closed in the head', ['HTTP/1.1 200 OK\r\nContent-Le', END]],
    ['closed before the empty line', ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n', END]],
    ['closed after an interim answer', ['HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n', END]],
  ];

  it.each(ends)('%s', async (_name, steps) => {
    const s = await badOrigin(steps);
    const client = await s.client();
    client.send(POST);
    await client.until((received) => /HTTP\/1\.1 502 Bad Gateway\r\n[^]*\r\n\r\n./.test(received));
    await connectionGone(s);
    expect(await connectionOfNext(s)).toBe(1);
    expect(s.engine.context.table.backend(0).inFlight).toBe(0);
  });

  it('a GET that lost its connection after an interim answer is not sent again', async () => {
    const s = await badOrigin(['HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n', END]);
    const answer = await s.ask('GET /bad HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 103 [^]*\r\n\r\nHTTP\/1\.1 502 /);
    expect(s.origin.seen).toHaveLength(1);
  });

  it.each([
    ['asked for by nobody', GET],
    ['after a body', 'POST /bad HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\nContent-Length: 2\r\n\r\nhi'],
  ])('101 %s', async (_name, request) => expectRefused(await badOrigin(['HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nbytes']), request));
});

describe('interim answers', () => {
  const interim = 'HTTP/1.1 102 Processing\r\n\r\n';

  it('without end are 502 once they exceed headerSize together', async () => {
    const s = await badOrigin([interim.repeat(2000)]);
    const client = await s.client();
    client.send(POST);
    const received = await client.until((text) => /HTTP\/1\.1 502 Bad Gateway\r\n[^]*\r\n\r\n./.test(text));
    expect(received.split(' 102 ').length - 1).toBeLessThanOrEqual(32_768 / interim.length);
    await connectionGone(s);
    expect(await connectionOfNext(s)).toBe(1);
  });

  it('count anew for each request', async () => {
    const s = await badOrigin([interim.repeat(1000) + OK]);
    const client = await s.client();
    for (let i = 1; i <= 3; i++) {
      client.send(GET);
      await client.until((text) => text.split('\r\n\r\nok').length === i + 1);
    }
    expect(s.origin.origin.sockets).toHaveLength(1);
  });

  it('are read no faster than the client takes them', async () => {
    // Their limit far away: what holds them back here is the client alone.
    const s = await badOrigin([], { limits: { headerBytesMax: 1 << 30 } });
    const client = await s.client();
    client.socket.pause();
    client.send(GET);
    await s.origin.until(1);
    const socket = s.origin.origin.sockets[0]!;
    const flood = interim.repeat(20_000);
    // The kernel's buffers are full on both sides of the proxy when the origin's own begin to fill for good.
    let stalledTurns = 0;
    let takenBefore = -1;
    while (stalledTurns < 300) {
      if (socket.writableLength < 1 << 20) socket.write(flood);
      await new Promise((resolve) => setTimeout(resolve, 1));
      const taken = socket.bytesWritten - socket.writableLength;
      stalledTurns = taken === takenBefore ? stalledTurns + 1 : 0;
      takenBefore = taken;
      expect(taken).toBeLessThan(64 << 20);
    }
    client.close();
    await connectionGone(s);
    await until(() => s.engine.context.table.backend(0).inFlight === 0);
  });
});

describe('an answer is right but its connection is in doubt: it serves nobody else', () => {
  const fake = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfake';
  const doubts: [string, string, Step[], string][] = [
    ['surplus bytes after a length', GET, ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokSURPLUS'], 'ok'],
    ['a whole answer nobody asked for behind it', GET, [OK + fake], 'ok'],
    ['surplus bytes with the last of a length', GET, ['HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok', PAUSE, `ayy${fake}`], 'okay'],
    ['surplus bytes after the last chunk', GET, [`${chunkHead}2\r\nok\r\n0\r\n\r\n${fake}`], '2\r\nok\r\n0\r\n\r\n'],
    ['surplus bytes with the last of the chunks', GET, [`${chunkHead}2\r\nok\r\n`, PAUSE, `0\r\n\r\n${fake}`], '2\r\nok\r\n0\r\n\r\n'],
    ['a body with an answer to HEAD', HEAD, [OK], ''],
    ['chunks with an answer to HEAD', HEAD, [`${chunkHead}2\r\nok\r\n0\r\n\r\n`], ''],
    ['a body with 204', GET, ['HTTP/1.1 204 No Content\r\n\r\nok'], ''],
    ['a body and its length with 204', GET, ['HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok'], ''],
    ['a body with 304', GET, ['HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok'], ''],
    ['Connection: close', GET, ['HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'], 'ok'],
    ['HTTP/1.0', GET, ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'], 'ok'],
    ['an end right behind it', GET, [OK, END], 'ok'],
    ['a reset right behind it', GET, [OK, RESET], 'ok'],
  ];

  it.each(doubts)('%s', async (_name, request, steps, body) => {
    const s = await badOrigin(steps);
    const client = await s.client();
    client.send(request);
    if (steps.includes(PAUSE)) {
      await client.until((text) => text.includes('ok'));
      s.goOn();
    }
    await client.until((text) => text.includes('\r\n\r\n') && text.endsWith(body));
    expect(await connectionOfNext(s)).toBe(1);
    await connectionGone(s);
    expect(client.received.slice(client.received.indexOf('\r\n\r\n') + 4)).toBe(body);
  });

  it('bytes on an idle connection: it is closed, and the next client gets its own answer', async () => {
    const s = await badOrigin([OK]);
    expect(await s.ask(GET, '\r\n\r\nok')).toMatch(/^HTTP\/1\.1 200 /);
    const [socket] = s.origin.origin.sockets;
    expect(s.engine.context.counters.backends.at(0).cells[backendColumns.connectionsIdle]).toBe(1);
    socket!.write(fake);
    await connectionGone(s);
    await until(() => s.engine.context.table.backend(0).connections === 0);
    expect(await connectionOfNext(s)).toBe(1);
  });

  it('an answer before the request is whole', async () => {
    const s = await badOrigin([]);
    const client = await s.client();
    client.send('POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhal');
    await until(() => s.origin.origin.sockets.length === 1);
    s.origin.origin.sockets[0]!.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n');
    expect(await client.until((text) => text.includes('\r\n\r\n'))).toMatch(/^HTTP\/1\.1 413 [^]*\r\nConnection: close\r\n/);
    expect(await connectionOfNext(s)).toBe(1);
    await connectionGone(s);
  });

  it('one in no doubt at all serves again', async () => {
    const s = await badOrigin([OK]);
    await s.ask(GET, '\r\n\r\nok');
    expect(await connectionOfNext(s)).toBe(0);
  });
});
