/** Whole exchanges: interim and early answers, bodiless ones, upgrades, connections that end, pipelining, expectations. */
import { describe, expect, it } from 'vitest';
import { OK, scenario, type Scenario } from '../../support/engine-scenario.ts';
import { arrivals } from '../../support/raw-cases.ts';
import type { Script } from '../../support/scripted-origin.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const LAST = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const dated = (raw: string): string => raw.replace(/^(HTTP\/1\.1 \d{3}[^\r]*\r\n)/, '$1Date: then\r\n');

/** The answer to one request on a connection that goes on: what came before the answer to LAST. */
async function answerTo(request: string, script: Script): Promise<string> {
  const s = await scenario((seen) => (seen.path === '/last' ? 'HTTP/1.1 200 Last\r\nContent-Length: 0\r\n\r\n' : script(seen)));
  const all = await s.ask(request + LAST);
  expect(all).toContain('HTTP/1.1 200 Last\r\n');
  return all.slice(0, all.indexOf('HTTP/1.1 200 Last'));
}

/** The socket of the origin's first connection, once there is one. */
async function originSocket(s: Scenario): Promise<Scenario['origin']['origin']['sockets'][number]> {
  while (s.origin.origin.sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
  return s.origin.origin.sockets[0]!;
}

describe('interim answers', () => {
  const answer = dated(OK);
  it.each([
    ['100 that nobody asked for', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['102', 'HTTP/1.1 102 Processing\r\n\r\n'],
    ['103 with fields', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n'],
    ['one without a name', 'HTTP/1.1 199 \r\n\r\n'],
    ['several, in order', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n'],
  ])('%s: passed on as they are', async (_name, interim) => {
    expect(await answerTo(GET, () => interim + answer)).toBe(interim + answer);
  });

  it('without what ends here, and without a length', async () => {
    const interim = 'HTTP/1.1 103 Early Hints\r\nConnection: keep-alive, X-A\r\nKeep-Alive: timeout=5\r\nX-A: 1\r\nContent-Length: 5\r\nLink: </a>\r\n\r\n';
    expect(await answerTo(GET, () => interim + answer)).toBe(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${answer}`);
  });

  it('do not reach HTTP/1.0', async () => {
    const s = await scenario(() => `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n${OK}`);
    expect(await s.ask('GET / HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it('arrive before the answer they announce', async () => {
    const s = await scenario((request) => {
      request.socket.write('HTTP/1.1 103 Early Hints\r\n\r\n');
      return null;
    });
    const client = await s.client();
    client.send(GET);
    await client.until((received) => received === 'HTTP/1.1 103 Early Hints\r\n\r\n');
    (await originSocket(s)).write(OK);
    await client.until((received) => received.endsWith('ok'));
  });
});

describe('an answer before the request is whole', () => {
  const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n';

  it('that goes on while the body still comes: both end well, and both connections go on', async () => {
    const s = await scenario(() => null);
    const client = await s.client();
    client.send(`${POST}01234`);
    const socket = await originSocket(s);
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    await client.until((received) => received.endsWith('abc\r\n'));
    client.send('56789');
    await s.origin.until(1);
    socket.write('0\r\n\r\n');
    expect(await client.until((received) => received.endsWith('0\r\n\r\n'))).not.toContain('Connection: close');
    client.send(GET);
    await s.origin.until(2);
    socket.write(OK);
    await client.until((received) => received.endsWith('ok'));
    expect(s.origin.origin.sockets).toHaveLength(1);
  });

  it('that is whole: says that it closes', async () => {
    const s = await scenario(() => null);
    const client = await s.client();
    client.send(`${POST}01234`);
    (await originSocket(s)).write('HTTP/1.1 413 Too Large\r\nDate: then\r\nContent-Length: 2\r\n\r\nno');
    client.send(GET);
    expect(await client.untilEnd()).toBe('HTTP/1.1 413 Too Large\r\nConnection: close\r\nDate: then\r\nContent-Length: 2\r\n\r\nno');
  });

  it('that is large: arrives whole though the client sends on', async () => {
    const s = await scenario(() => null);
    const client = await s.client();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n01234');
    const body = 'n'.repeat(300_000);
    (await originSocket(s)).write(`HTTP/1.1 413 Too Large\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await client.until((received) => received.length > 0);
    client.send('x'.repeat(1_000_000));
    expect((await client.untilEnd()).endsWith(`\r\n\r\n${body}`)).toBe(true);
    expect(client.error).toBeNull();
  });

  it('to a client that waits for 100: says that it closes, and what follows is no request', async () => {
    const s = await scenario(() => null);
    const client = await s.client();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\nExpect: 100-continue\r\n\r\n');
    (await originSocket(s)).write('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    client.send(LAST);
    expect((await client.untilEnd()).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 403']);
    expect(s.origin.seen).toHaveLength(0);
  });
});

describe('answers without a body', () => {
  const HEAD = 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n';
  it.each([
    ['HEAD with a length keeps it', HEAD, 'HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 10\r\n\r\n', null],
    ['HEAD with a coding keeps it', HEAD, 'HTTP/1.1 200 OK\r\nDate: then\r\nTransfer-Encoding: chunked\r\n\r\n', null],
    ['HEAD with neither', HEAD, 'HTTP/1.1 200 OK\r\nDate: then\r\n\r\n', null],
    ['304 with a length keeps it', GET, 'HTTP/1.1 304 Not Modified\r\nDate: then\r\nContent-Length: 10\r\n\r\n', null],
    ['304 with a coding keeps it', GET, 'HTTP/1.1 304 Not Modified\r\nDate: then\r\nTransfer-Encoding: chunked\r\n\r\n', null],
    ['204', GET, 'HTTP/1.1 204 No Content\r\nDate: then\r\n\r\n', null],
    ['204 with a length loses it', GET, 'HTTP/1.1 204 No Content\r\nDate: then\r\nContent-Length: 10\r\n\r\n', 'HTTP/1.1 204 No Content\r\nDate: then\r\n\r\n'],
    ['204 with a coding loses it', GET, 'HTTP/1.1 204 No Content\r\nDate: then\r\nTransfer-Encoding: chunked\r\n\r\n', 'HTTP/1.1 204 No Content\r\nDate: then\r\n\r\n'],
    ['200 of length zero', GET, 'HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 0\r\n\r\n', null],
    ['205 of length zero', GET, 'HTTP/1.1 205 Reset Content\r\nDate: then\r\nContent-Length: 0\r\n\r\n', null],
  ])('%s', async (_name, request, raw, expected) => expect(await answerTo(request, () => raw)).toBe(expected ?? raw));

  it.each([
    ['HEAD', HEAD, 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
    ['204', GET, 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n'],
    ['304', GET, 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
  ])('%s: bytes that come behind it are dropped with their connection', async (_name, request, raw) => {
    const s = await scenario((seen) => (seen.path === '/last' ? OK : `${raw}hello`));
    const all = await s.ask(request + LAST);
    expect(all).not.toContain('hello');
    expect(all).toMatch(/\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nok$/);
    expect(s.origin.origin.sockets).toHaveLength(2);
  });

  it('keep the connection of an HTTP/1.0 client that asked for it', async () => {
    const s = await scenario(() => 'HTTP/1.1 204 No Content\r\n\r\n');
    const client = await s.client();
    for (let i = 1; i <= 2; i++) {
      client.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
      await client.until((received) => received.split('Connection: keep-alive\r\n\r\n').length === i + 1);
    }
  });
});

describe('answers to HTTP/1.0', () => {
  const OLD = 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n';

  it('in chunks: their bytes until the close, without trailers', async () => {
    const s = await scenario(() => 'HTTP/1.1 200 OK\r\nDate: then\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n');
    expect(await s.ask(OLD)).toBe('HTTP/1.1 200 OK\r\nConnection: close\r\nDate: then\r\n\r\nhello');
  });

  it('cut short: the connection is reset, since its end would be the end of the body', async () => {
    const s = await scenario((request) => {
      request.socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel');
      return null;
    });
    const client = await s.client();
    client.send(OLD);
    await client.untilEnd();
    while (!client.isClosed) await new Promise((resolve) => setImmediate(resolve));
    expect(client.error?.code).toBe('ECONNRESET');
  });
});

describe('upgrades', () => {
  const upgrade = (fields: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
  const WS = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

  it('accepted: both sides get the fields that say so, and no length', async () => {
    const s = await scenario((request) => {
      request.socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 5\r\nSec-WebSocket-Accept: x\r\n\r\nearly');
      return null;
    });
    const client = await s.client();
    client.send(upgrade('Upgrade: websocket\r\nX-A: 1\r\nConnection: keep-alive, Upgrade\r\n'));
    expect(await client.until((received) => received.endsWith('early'))).toBe('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nearly');
    expect(s.origin.seen[0]!.raw).toMatch(/\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n$/);
  });

  it('refused, with early bytes of the origin: they are its answer', async () => {
    expect(await answerTo(upgrade(WS), () => `HTTP/1.1 400 Bad\r\nDate: then\r\nUpgrade: x\r\nConnection: Upgrade\r\nContent-Length: 5\r\n\r\nearly`)).toBe(
      'HTTP/1.1 400 Bad\r\nDate: then\r\nContent-Length: 5\r\n\r\nearly',
    );
  });

  it('refused, with early bytes of the client that are no request: 400', async () => {
    const s = await scenario(() => OK);
    const answers = await s.ask(`${upgrade(WS)}\x81\x85\0\0\0\0hello`);
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
  });

  it('early bytes of the client wait for the answer', async () => {
    const s = await scenario(() => null);
    const client = await s.client();
    client.send(`${upgrade(WS)}first`);
    await s.origin.until(1);
    const socket = await originSocket(s);
    let text = '';
    const echoed = new Promise<void>((resolve) => socket.on('data', (bytes: Buffer) => ((text += bytes.toString('latin1')) === 'first' ? resolve() : undefined)));
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n');
    await echoed;
  });

  it.each([
    ['of HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade, keep-alive\r\nUpgrade: websocket\r\n\r\n'],
    ['that Connection does not name', upgrade('Upgrade: websocket\r\n')],
    ['without a protocol', upgrade('Connection: upgrade\r\n')],
    ['to h2c', upgrade('Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n')],
    ['to h2c among others', upgrade('Connection: upgrade\r\nUpgrade: websocket, H2C\r\n')],
  ])('%s: not passed on', async (_name, request) => {
    expect(await arrivals(request)).toEqual([GET]);
  });

  it('with a body: not passed on', async () => {
    expect(await arrivals(upgrade(`${WS}Content-Length: 2\r\n`) + 'hi')).toEqual([upgrade('Content-Length: 2\r\n') + 'hi']);
  });
});

describe('the end of a connection', () => {
  it.each([
    ['close before keep-alive', 'HTTP/1.1', 'Connection: close, keep-alive\r\n'],
    ['keep-alive before close', 'HTTP/1.1', 'Connection: keep-alive, close\r\n'],
    ['close before keep-alive, in two lines', 'HTTP/1.1', 'Connection: close\r\nConnection: keep-alive\r\n'],
    ['close before keep-alive, in HTTP/1.0', 'HTTP/1.0', 'Connection: close, keep-alive\r\n'],
    ['keep-alive before close, in HTTP/1.0', 'HTTP/1.0', 'Connection: keep-alive, close\r\n'],
    ['CLOSE in capitals', 'HTTP/1.1', 'Connection: CLOSE\r\n'],
    ['nothing said in HTTP/1.0', 'HTTP/1.0', ''],
  ])('%s: closed, and a request behind it is not served', async (_name, version, line) => {
    const s = await scenario(() => OK);
    const answer = await s.ask(`GET / ${version}\r\nHost: a\r\n${line}\r\n${GET}`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n(?:[^\r\n]+\r\n)*Connection: close\r\n(?:[^\r\n]+\r\n)*\r\nok$/);
    expect(s.origin.seen).toHaveLength(1);
  });

  it.each([
    ['close before keep-alive', 'HTTP/1.1', 'Connection: close, keep-alive\r\n', 2],
    ['keep-alive before close', 'HTTP/1.1', 'Connection: keep-alive\r\nConnection: close\r\n', 2],
    ['close before keep-alive, in HTTP/1.0', 'HTTP/1.0', 'Connection: close\r\nConnection: keep-alive\r\n', 2],
    ['nothing in HTTP/1.0', 'HTTP/1.0', '', 2],
    ['keep-alive in HTTP/1.0', 'HTTP/1.0', 'Connection: keep-alive\r\n', 1],
    ['nothing in HTTP/1.1', 'HTTP/1.1', '', 1],
  ])('the origin says %s', async (_name, version, line, connections) => {
    const s = await scenario(() => `${version} 200 OK\r\n${line}Content-Length: 2\r\n\r\nok`);
    await s.ask(GET + LAST);
    expect(s.origin.origin.sockets).toHaveLength(connections);
  });

  it('a client that shut down behind several requests gets all answers', async () => {
    const s = await scenario((request) => OK.replace('OK', request.path.slice(1)));
    const client = await s.client();
    client.send(`GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /3 HTTP/1.1\r\nHost: a\r\n\r\n`);
    client.socket.end();
    expect((await client.untilEnd()).match(/HTTP\/1\.1 200 \d/g)).toEqual(['HTTP/1.1 200 1', 'HTTP/1.1 200 2', 'HTTP/1.1 200 3']);
  });

  it('a client that shut down in the middle of a head gets no answer, and the origin no request', async () => {
    const s = await scenario(() => OK);
    const client = await s.client();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n');
    client.socket.end();
    expect(await client.untilEnd()).toBe('');
    expect(s.origin.origin.sockets).toHaveLength(0);
  });

  it('after a refusal nothing more is served', async () => {
    const s = await scenario(() => OK);
    expect((await s.ask(`${GET}GET / HTTP/1.1\r\n\r\n${LAST}`)).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
    expect(s.origin.seen).toHaveLength(1);
  });
});

describe('pipelined requests', () => {
  it('of all kinds are answered in order', async () => {
    const s = await scenario((request) => {
      const name = request.path.slice(1);
      if (request.raw.startsWith('HEAD')) return `HTTP/1.1 200 ${name}\r\nContent-Length: 5\r\n\r\n`;
      if (name === '3') return `HTTP/1.1 200 ${name}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`;
      return `HTTP/1.1 200 ${name}\r\nContent-Length: 2\r\n\r\nok`;
    });
    const requests = [
      'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n',
      'HEAD /2 HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET /3 HTTP/1.1\r\nHost: a\r\n\r\n',
      'POST /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
      'POST /5 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n',
      '\r\nOPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n',
      'GET /6 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    ];
    const answers = await s.ask(requests.join(''));
    expect(answers.match(/HTTP\/1\.1 200 \w+/g)).toEqual(['1', '2', '3', '4', '5', 'OK', '6'].map((name) => `HTTP/1.1 200 ${name}`));
    expect(s.origin.seen.map((request) => request.path)).toEqual(['/1', '/2', '/3', '/4', '/5', '/6']);
  });
});

describe('Expect', () => {
  const post = (fields: string, version = 'HTTP/1.1'): string => `POST / ${version}\r\nHost: a\r\nContent-Length: 2\r\n${fields}\r\nhi`;

  it.each([
    ['100-continue goes on', post('Expect: 100-continue\r\n'), post('Expect: 100-continue\r\n')],
    ['100-continue in capitals goes on', post('Expect: 100-CONTINUE\r\n'), post('Expect: 100-CONTINUE\r\n')],
    ['an unknown one goes on, for the origin to judge', post('Expect: tea\r\n'), post('Expect: tea\r\n')],
    ['of HTTP/1.0 is ignored', post('Expect: 100-continue\r\nConnection: keep-alive\r\n', 'HTTP/1.0'), post('')],
  ])('%s', async (_name, request, expected) => expect(await arrivals(request)).toEqual([expected]));

  it('417 of the origin is passed on', async () => {
    const answer = 'HTTP/1.1 417 Expectation Failed\r\nDate: then\r\nContent-Length: 0\r\n\r\n';
    expect(await answerTo(post('Expect: tea\r\n'), () => answer)).toBe(answer);
  });
});

describe('Via and Forwarded', () => {
  const listener = { via: true, forwarded: true };

  it.each([
    ['come behind what others said', 'HTTP/1.1', 'Via: 1.0 fred, 1.1 p.example\r\n', 'Via: 1.0 fred, 1.1 p.example\r\nForwarded: for=127.0.0.1;proto=http;host="a"\r\nVia: 1.1 weir\r\n'],
    ['say in which version the request came', 'HTTP/1.0', 'Connection: keep-alive\r\n', 'Forwarded: for=127.0.0.1;proto=http;host="a"\r\nVia: 1.0 weir\r\n'],
  ])('%s', async (_name, version, line, expected) => {
    expect(await arrivals(`GET / ${version}\r\nHost: a\r\n${line}\r\n`, listener)).toEqual([`GET / HTTP/1.1\r\nHost: a\r\n${expected}\r\n`]);
  });

  it('Forwarded of a trusted proxy stays, before ours', async () => {
    const [seen] = await arrivals('GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=9.9.9.9\r\n\r\n', { ...listener, trustedProxies: ['127.0.0.0/8'] });
    expect(seen!.match(/^Forwarded: .*$/gm)).toEqual(['Forwarded: for=9.9.9.9', 'Forwarded: for=127.0.0.1;proto=http;host="a"']);
  });

  it.each([
    ['HTTP/1.1', 'Via: 1.1 weir'],
    ['HTTP/1.0', 'Via: 1.0 weir'],
  ])('Via of an answer says in which version it came: %s', async (version, line) => {
    const s = await scenario(() => `${version} 200 OK\r\nVia: 1.1 cache\r\nContent-Length: 2\r\n\r\nok`, { listener });
    const answer = await s.ask(LAST);
    expect(answer.match(/^Via: .*$/gm)).toContain(line);
    expect(answer).toContain('\r\nVia: 1.1 cache\r\n');
  });

  it('are not added unless configured', async () => {
    expect(await arrivals(GET)).toEqual([GET]);
    expect(await answerTo(GET, () => dated(OK))).toBe(dated(OK));
  });
});

describe('fields', () => {
  it('keep their order, their repetition and their bytes', async () => {
    const lines = 'X-B:1\r\nX-A:  two  words \t\r\nx-b: 3\r\nX-Empty:\r\nX-Bytes: \xe4\xff\t"\r\nCookie: a\r\nCookie: b\r\n';
    expect(await arrivals(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`)).toEqual([`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`]);
    const answer = `HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nX-B:1\r\nSet-Cookie: b\r\nDate: then\r\nX-Bytes: \xe4\xff\r\nContent-Length: 2\r\n\r\nok`;
    expect(await answerTo(GET, () => answer)).toBe(answer);
  });

  it('between a client and the origin about proxies pass, but Proxy-Connection', async () => {
    const request = 'GET / HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic x\r\n';
    expect(await arrivals(`${request}Proxy-Connection: close\r\n\r\n`)).toEqual([`${request}\r\n`]);
    const answer = 'HTTP/1.1 407 Proxy Authentication Required\r\nDate: then\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n';
    expect(await answerTo(GET, () => answer)).toBe(answer);
  });

  it('Date is added to an answer without one, and to no interim one', async () => {
    const answer = await answerTo(GET, () => `HTTP/1.1 103 Early Hints\r\n\r\n${OK}`);
    expect(answer).toMatch(/^HTTP\/1\.1 103 Early Hints\r\n\r\nHTTP\/1\.1 200 OK\r\nDate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\nContent-Length: 2\r\n\r\nok$/);
  });

  it('of our own replies: a date, a length and a type', async () => {
    const s = await scenario(() => OK, { listener: { routes: [] } });
    expect(await s.ask(LAST)).toMatch(/^HTTP\/1\.1 404 Not Found\r\nDate: [^\r\n]+ GMT\r\nContent-Type: text\/plain; charset=utf-8\r\nContent-Length: \d+\r\nConnection: close\r\n\r\n/);
  });
});

describe('statuses', () => {
  it.each([
    ['that we do not know pass', 'HTTP/1.1 299 Odd\r\nDate: then\r\nContent-Length: 2\r\n\r\nok'],
    ['without a reason pass', 'HTTP/1.1 200 \r\nDate: then\r\nContent-Length: 2\r\n\r\nok'],
    ['with a reason of any bytes pass', 'HTTP/1.1 200 \xc3\xa4 b\tc\r\nDate: then\r\nContent-Length: 2\r\n\r\nok'],
    ['206 with its range passes', 'HTTP/1.1 206 Partial Content\r\nDate: then\r\nContent-Range: bytes 0-1/5\r\nContent-Length: 2\r\n\r\nok'],
  ])('%s', async (_name, answer) => expect(await answerTo(GET, () => answer)).toBe(answer));
});
