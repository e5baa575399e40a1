/** Programs of others as clients, and the same requests over HTTP/1.1: what arrives and what comes back is the same. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request as request1, type IncomingMessage } from 'node:http';
import { connect, type ClientHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { H2CClient } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine, makeListener, makePool } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { hasProgram } from '../../support/real-server.ts';

const run = promisify(execFile);
const LARGE_BYTES = 3_000_000;

/** Tells what it was sent; of /large so many bytes. */
const origin = createServer((incoming, response) => {
  const hash = createHash('sha1');
  incoming.on('data', (bytes: Buffer) => hash.update(bytes));
  incoming.on('end', () => {
    const { method, url, rawHeaders, trailers } = incoming;
    if (url === '/large') return response.end(Buffer.alloc(LARGE_BYTES, 'x'));
    const fields = rawHeaders.reduce<string[]>((all, text, i) => (i % 2 === 0 ? [...all, text.toLowerCase()] : [...all.slice(0, -1), `${all.at(-1)}: ${text}`]), []);
    const own = /^(x-request-id|host|x-forwarded-host|content-length|transfer-encoding|connection|te|cookie|expect)/;
    response.setHeader('X-Mixed-Case', 'Yes').setHeader('Set-Cookie', ['a=b', 'c=d']).setHeader('Trailer', 'x-sum');
    response.write(JSON.stringify({ method, url, fields: fields.filter((field) => !own.test(field)).sort(), cookie: incoming.headers.cookie ?? '', body: hash.digest('hex'), trailers }));
    response.addTrailers({ 'X-Sum': '1' });
    return response.end();
  });
});

let engine: Engine;
let port: number;
let session: ClientHttp2Session;
beforeAll(async () => {
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  port = await freePort();
  engine = await Engine.start([makeListener(port)], [makePool([(origin.address() as AddressInfo).port])]);
  // Node counts what waits for windows as memory of the session, and resets streams beyond 10 MB.
  session = connect(`http://127.0.0.1:${port}`, { maxSessionMemory: 100 });
});
afterAll(() => {
  session.destroy();
  engine.stop();
  origin.closeAllConnections();
  origin.close();
});

interface Answer {
  readonly status: number;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly trailers: Readonly<Record<string, unknown>>;
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly cookies: readonly string[];
  readonly body: readonly Buffer[];
}

async function overHttp2({ method, path, fields, cookies, body }: Asked): Promise<Answer> {
  const stream = session.request({ ':method': method, ':path': path, ...fields, ...(cookies.length > 0 ? { cookie: [...cookies] } : {}) }, { endStream: body.length === 0 });
  const head = once(stream, 'response');
  let trailers = {};
  stream.on('trailers', (found) => (trailers = found));
  for (const part of body) stream.write(part);
  stream.end();
  const [found] = (await head) as [Record<string, unknown>];
  const { ':status': status, ...others } = found;
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return { status: Number(status), fields: plain(others), body: Buffer.concat(chunks).toString('latin1'), trailers: Object.fromEntries(Object.entries(trailers)) };
}

async function overHttp1({ method, path, fields, cookies, body }: Asked): Promise<Answer> {
  const request = request1({ host: '127.0.0.1', port, method, path, agent: false, headers: { ...fields, ...(body.length > 0 ? { 'transfer-encoding': 'chunked' } : {}), ...(cookies.length > 0 ? { cookie: cookies.join('; ') } : {}) } });
  for (const part of body) request.write(part);
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode!, fields: plain(response.headers), body: Buffer.concat(chunks).toString('latin1'), trailers: { ...response.trailers } };
}

/** Without what the version or the moment sets. */
function plain(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !['date', 'connection', 'keep-alive', 'transfer-encoding', 'content-length'].includes(name)));
}

const word = fc.stringMatching(/^[a-z0-9]{1,12}$/);
const value = fc.stringMatching(/^[!-~]([ -~]{0,40}[!-~])?$/);
const asked: fc.Arbitrary<Asked> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'),
  path: fc.stringMatching(/^\/[a-zA-Z0-9/_~=&?-]{0,40}$/),
  fields: fc.dictionary(word.map((name) => `x-${name}`), value, { maxKeys: 6 }),
  cookies: fc.array(fc.tuple(word, word).map(([a, b]) => `${a}=${b}`), { maxLength: 3 }),
  body: fc.array(fc.uint8Array({ minLength: 1, maxLength: 400 }).map((bytes) => Buffer.from(bytes)), { maxLength: 3 }),
});

describe('node:http2', () => {
  it('and node:http are told the same, and so is the origin', async () => {
    await fc.assert(
      fc.asyncProperty(asked, async (request) => {
        const [two, one] = await Promise.all([overHttp2(request), overHttp1(request)]);
        expect(two).toEqual(one);
      }),
      { numRuns: 80 },
    );
  });

  it('a hundred at once, each its own', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => overHttp2({ method: 'POST', path: `/${i}`, fields: {}, cookies: [], body: [Buffer.from(`body ${i}`)] })));
    answers.forEach(({ body }, i) => expect(JSON.parse(body)).toMatchObject({ url: `/${i}`, body: createHash('sha1').update(`body ${i}`).digest('hex') }));
  });

  it('large answers and bodies, several at once', async () => {
    const bytes = Buffer.alloc(LARGE_BYTES, 'y');
    const down = Array.from({ length: 5 }, () => overHttp2({ method: 'GET', path: '/large', fields: {}, cookies: [], body: [] }));
    const up = Array.from({ length: 5 }, () => overHttp2({ method: 'POST', path: '/up', fields: {}, cookies: [], body: [bytes] }));
    for (const { body } of await Promise.all(down)) expect(body.length).toBe(LARGE_BYTES);
    for (const { body } of await Promise.all(up)) expect(JSON.parse(body)).toMatchObject({ body: createHash('sha1').update(bytes).digest('hex') });
  });
});

describe('undici', () => {
  it('asks over HTTP/2 in the clear', async () => {
    const client = new H2CClient(`http://127.0.0.1:${port}`);
    try {
      const { statusCode, body } = await client.request({ method: 'POST', path: '/undici', body: 'hello' });
      expect(statusCode).toBe(200);
      expect(await body.json()).toMatchObject({ url: '/undici', body: createHash('sha1').update('hello').digest('hex') });
    } finally {
      await client.destroy();
    }
  });
});

describe.skipIf(!hasProgram('curl'))('curl (Debian package curl)', () => {
  it('asks with prior knowledge, and sends a body', async () => {
    const { stdout } = await run('curl', ['-s', '--http2-prior-knowledge', '-w', '\n%{http_version} %{http_code}', '-d', 'hello', `http://127.0.0.1:${port}/curl`]);
    const [body, told] = stdout.split('\n');
    expect(told).toBe('2 200');
    expect(JSON.parse(body!)).toMatchObject({ method: 'POST', url: '/curl', body: createHash('sha1').update('hello').digest('hex') });
  });

  it('an upgrade to h2c is not taken: the answer is HTTP/1.1', async () => {
    const { stdout } = await run('curl', ['-s', '--http2', '-o', '/dev/null', '-w', '%{http_version} %{http_code}', `http://127.0.0.1:${port}/curl`]);
    expect(stdout).toBe('1.1 200');
  });
});

describe.skipIf(!hasProgram('nghttp'))('nghttp and h2load (Debian package nghttp2-client)', () => {
  it('nghttp takes many answers with padding, priorities and trailers', async () => {
    const { stdout } = await run('nghttp', ['-n', '-s', '-m', '10', '-b', '50', `http://127.0.0.1:${port}/large`], { maxBuffer: 1 << 24 });
    expect(stdout.match(/ 200 +\S+ \/large/g)).toHaveLength(10);
  });

  it('h2load has no request fail', async () => {
    const { stdout } = await run('h2load', ['-n', '1000', '-c', '4', '-m', '50', `http://127.0.0.1:${port}/a`]);
    expect(stdout).toContain('1000 succeeded, 0 failed, 0 errored, 0 timeout');
  });
});
