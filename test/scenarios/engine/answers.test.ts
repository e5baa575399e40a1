import { describe, expect, it } from 'vitest';
import { OK, scenario } from '../../support/engine-scenario.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4);

describe('framing towards the client', () => {
  it('chunks pass as they are; extensions and forbidden trailers do not', async () => {
    const s = await scenario(() => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\n\r\n');
    const answer = await s.ask(GET);
    expect(answer).toContain('\r\nTransfer-Encoding: chunked\r\n');
    expect(bodyOf(answer)).toBe('5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n');
  });

  it('chunks become a body until close for HTTP/1.0', async () => {
    const s = await scenario(() => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n');
    const answer = await s.ask('GET / HTTP/1.0\r\n\r\n');
    expect(answer).not.toMatch(/transfer-encoding/i);
    expect(bodyOf(answer)).toBe('hello!');
  });

  it('a body until close becomes chunks, and stays one for HTTP/1.0', async () => {
    const s = await scenario((request) => {
      request.socket.end('HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello');
      return null;
    });
    const answer = await s.ask(GET);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toContain('\r\nTransfer-Encoding: chunked\r\n');
    expect(bodyOf(answer)).toBe('5\r\nhello\r\n0\r\n\r\n');
    expect(bodyOf(await s.ask('GET / HTTP/1.0\r\n\r\n'))).toBe('hello');
  });

  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n'],
    ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ])('%s and %j have no body, and the connection goes on', async (method, raw) => {
    const s = await scenario(() => raw);
    const client = await s.client();
    for (let i = 1; i <= 3; i++) {
      client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
      await client.until((received) => received.split('\r\n\r\n').length === i + 1);
    }
    expect(s.origin.origin.sockets).toHaveLength(1);
  });

  it('interim answers pass, but not to HTTP/1.0', async () => {
    const s = await scenario(() => `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}`);
    expect(await s.ask(GET)).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>\r\n\r\nHTTP\/1\.1 200 OK/);
    expect(await s.ask('GET / HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  it('hop-by-hop fields end here, a date is added only when missing', async () => {
    const s = await scenario(() => 'HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nX-Stay: 1\r\nDate: then\r\nContent-Length: 2\r\n\r\nok');
    const answer = await s.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'ok');
    expect(answer).toBe('HTTP/1.1 200 OK\r\nX-Stay: 1\r\nDate: then\r\nContent-Length: 2\r\n\r\nok');
    const other = await scenario(() => OK);
    expect(await other.ask(GET)).toMatch(/\r\nDate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\n/);
  });

  it('large bodies arrive whole, however framed', async () => {
    const body = 'abcdefghij'.repeat(200_000);
    const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
    const raw: Record<string, string> = {
      '/length': `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      '/chunks': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(body.slice(0, 999_999))}${chunk(body.slice(999_999))}0\r\n\r\n`,
    };
    const s = await scenario((request) => raw[request.path]!);
    const length = await s.ask('GET /length HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(bodyOf(length) === body).toBe(true);
    const chunks = await s.ask('GET /chunks HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(bodyOf(chunks).replaceAll(/\r?\n?[0-9a-f]+\r\n/g, '').replaceAll('\r\n', '') === body).toBe(true);
  });
});

describe('a bad origin', () => {
  it.each([
    ['no status line', 'hello\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
    ['both framings', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n'],
    ['an upgrade nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
    ['a bad first chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['an oversized head', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`],
  ])('%s: 502, and the backend connection is closed', async (_name, raw) => {
    const s = await scenario(() => raw);
    expect(await s.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n', '\n\n'.slice(0, 0) || '502')).toMatch(/^HTTP\/1\.1 502 /);
    const [socket] = s.origin.origin.sockets;
    while (!socket!.destroyed && !socket!.readableEnded) await new Promise((resolve) => setImmediate(resolve));
  });

  it('that closes in the middle of its body: the client sees an incomplete message', async () => {
    const s = await scenario((request) => {
      request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal');
      return null;
    });
    const client = await s.client();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(bodyOf(await client.untilEnd())).toBe('hal');
  });

  it('that breaks a later chunk: cut off without a last chunk', async () => {
    const s = await scenario((request) => {
      request.socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
      setTimeout(() => request.socket.write('zz\r\n'), 20);
      return null;
    });
    const answer = await s.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(bodyOf(answer)).toBe('3\r\nabc\r\n');
  });

  it('that sends more than it said: the answer is right and the connection not reused', async () => {
    const s = await scenario(() => `${OK}HTTP/1.1 200 OK\r\n`);
    expect(await s.ask(GET)).toMatch(/\r\n\r\nok$/);
    expect(await s.ask(GET)).toMatch(/\r\n\r\nok$/);
    expect(s.origin.origin.sockets).toHaveLength(2);
  });

  it('that answers before the body is whole: the answer goes out, the connection ends', async () => {
    const s = await scenario(() => OK);
    const client = await s.client();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nstart');
    while (s.origin.origin.sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
    s.origin.origin.sockets[0]!.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
    const answer = await client.untilEnd();
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).toContain('\r\nConnection: close\r\n');
    expect(answer).toMatch(/no$/);
  });
});
