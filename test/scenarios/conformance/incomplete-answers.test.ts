/** An answer that breaks off once its head has gone out: the client can see in every framing that it is incomplete, and its connection ends. */
import { describe, expect, it } from 'vitest';
import { BACKEND_FAILURES, backendColumns } from '../../../src/shared/counter-pages.ts';
import { badOrigin, connectionGone, connectionOfNext, END, isVisiblyIncomplete, PAUSE, RESET, until, type Step } from '../../support/bad-origin.ts';

const LENGTH = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const UNTIL_CLOSE = 'HTTP/1.1 200 OK\r\n\r\n';
const OLD = 'HTTP/1.0 200 OK\r\n\r\n';

/** What the origin sends, and how it breaks off after the client has seen "begun". */
const breaks: [string, string, Step[]][] = [
  ['length: closed', `${LENGTH}begun`, [END]],
  ['length: reset', `${LENGTH}begun`, [RESET]],
  ['length: a little more, then closed', `${LENGTH}begun`, ['or', END]],
  ['chunked: closed between chunks', `${CHUNKED}5\r\nbegun\r\n`, [END]],
  ['chunked: reset between chunks', `${CHUNKED}5\r\nbegun\r\n`, [RESET]],
  ['chunked: closed in a chunk', `${CHUNKED}ff\r\nbegun`, [END]],
  ['chunked: closed in a size', `${CHUNKED}5\r\nbegun\r\n`, ['f', END]],
  ['chunked: closed in the last size', `${CHUNKED}5\r\nbegun\r\n`, ['0', END]],
  ['chunked: closed after the last chunk, before the empty line', `${CHUNKED}5\r\nbegun\r\n`, ['0\r\n', END]],
  ['chunked: closed in a trailer', `${CHUNKED}5\r\nbegun\r\n`, ['0\r\nX: 1\r\n', END]],
  ['chunked: a size that is none', `${CHUNKED}5\r\nbegun\r\n`, ['xyz\r\n']],
  ['chunked: a size with a sign', `${CHUNKED}5\r\nbegun\r\n`, ['-1\r\n']],
  ['chunked: bare LF after a size', `${CHUNKED}5\r\nbegun\r\n`, ['1\na\r\n0\r\n\r\n']],
  ['chunked: more octets than the size says', `${CHUNKED}5\r\nbegun\r\n`, ['1\r\nab\r\n0\r\n\r\n']],
  ['chunked: garbage for the empty line', `${CHUNKED}5\r\nbegun\r\n`, ['0\r\n\rX']],
  ['chunked: a trailer that is no field', `${CHUNKED}5\r\nbegun\r\n`, ['0\r\nnonsense\r\n\r\n']],
  ['chunked: a trailer with bare LF', `${CHUNKED}5\r\nbegun\r\n`, ['0\r\nX: 1\n\r\n']],
  ['chunked: a trailer that frames', `${CHUNKED}5\r\nbegun\r\n`, ['0\r\nX: 1\r\nContent-Length: 5\r\n\r\n']],
  ['chunked: an extension outside of its grammar', `${CHUNKED}5\r\nbegun\r\n`, ['1;a="\r\nx\r\n0\r\n\r\n']],
  ['chunked: a trailer section over headerSize', `${CHUNKED}5\r\nbegun\r\n`, [`0\r\nX: ${'x'.repeat(33_000)}\r\n\r\n`]],
  ['until close: reset', `${UNTIL_CLOSE}begun`, [RESET]],
  ['HTTP/1.0 until close: reset', `${OLD}begun`, [RESET]],
];

describe.each(['1.1', '1.0'])('to a client of HTTP/%s', (version) => {
  const request = `GET /bad HTTP/${version}\r\nHost: a\r\n\r\n`;

  it.each(breaks)('%s', async (_name, first, then) => {
    const s = await badOrigin([first, PAUSE, ...then]);
    const client = await s.client();
    client.send(request);
    await client.until((text) => text.includes('begun'));
    s.goOn();
    await until(() => client.isEnded || client.isClosed);
    expect(isVisiblyIncomplete(client)).toBe(true);
    expect(client.received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(client.received).not.toContain(' 502 ');
    await connectionGone(s);
    expect(await connectionOfNext(s)).toBe(1);
    await until(() => s.engine.context.table.backend(0).inFlight === 0 && s.engine.plane.openConnections === 0);
  });

  it.each([
    ['a trailer that is no field', `${CHUNKED}5\r\nbegun\r\n0\r\nnonsense\r\n\r\n`],
    ['a trailer field with a space before its colon', `${CHUNKED}5\r\nbegun\r\n0\r\nX : 1\r\n\r\n`],
    ...['Content-Length: 5', 'transfer-encoding: chunked', 'Host: a', 'Connection: close', 'Trailer: x', 'Upgrade: x'].map((line) => [`a trailer that frames or routes: ${line}`, `${CHUNKED}5\r\nbegun\r\n0\r\n${line}\r\nX: 1\r\n\r\n`]),
  ])('chunked, all in one piece: %s', async (_name, text) => {
    const s = await badOrigin([text]);
    const client = await s.client();
    client.send(request);
    await until(() => client.isEnded || client.isClosed);
    expect(isVisiblyIncomplete(client)).toBe(true);
    expect(await connectionOfNext(s)).toBe(1);
  });

  it.each([
    ['until close', `${UNTIL_CLOSE}begun`],
    ['HTTP/1.0 until close', `${OLD}begun`],
  ])('%s: what ends by its own framing is whole', async (_name, first) => {
    const s = await badOrigin([first, PAUSE, ' done', END]);
    const client = await s.client();
    client.send(request);
    await client.until((text) => text.includes('begun'));
    s.goOn();
    if (version === '1.0') await client.untilEnd();
    else await client.until((text) => text.endsWith('0\r\n\r\n'));
    expect(client.error).toBeNull();
    expect(client.received.replaceAll(/\r\n[0-9a-f]+\r\n/g, '')).toContain('begun done');
  });
});

it('a client that shuts down in mid body while its answer runs sees that it breaks off', async () => {
  const s = await badOrigin([]);
  const client = await s.client();
  client.send('POST /bad HTTP/1.0\r\nContent-Length: 10\r\n\r\nhal');
  await until(() => s.origin.origin.sockets.length === 1);
  s.origin.origin.sockets[0]!.write(`${UNTIL_CLOSE}begun`);
  await client.until((text) => text.endsWith('begun'));
  client.socket.end();
  await until(() => client.isClosed);
  expect(client.error?.code).toBe('ECONNRESET');
  await connectionGone(s);
});

it('counts as incomplete, once, and as no failure of the client', async () => {
  const s = await badOrigin([`${LENGTH}begun`, PAUSE, END]);
  const client = await s.client();
  client.send('GET /bad HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until((text) => text.includes('begun'));
  s.goOn();
  await client.untilEnd();
  const { cells, base } = s.engine.context.counters.backends.at(0);
  expect(BACKEND_FAILURES.map((label, i) => [label, cells[base + backendColumns.failures + i]!] as const).filter(([, count]) => count > 0)).toEqual([['incomplete', 1]]);
});
