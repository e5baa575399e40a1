/** WebSocket to backends of HTTP/2 (RFC 8441): node:http2 for the backend, the library ws for the frames at both ends. */
import { once } from 'node:events';
import { connect, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { H2_ERROR } from '../../../src/data-plane/parse/http2-frames.ts';
import { backendColumns } from '../../../src/shared/counter-pages.ts';
import type { ListenerPatch } from '../../support/engine.ts';
import { DATA, END_STREAM, frame, headersFrame, Http2Origin, inFrontOf, rawHttp2Origin, RST_STREAM, settingsFrame, uint32, type Http2Scenario } from '../../support/http2-origin.ts';
import { until } from '../../support/weir-process.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
const HANDSHAKE = `GET /chat?a=b HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n\r\n`;

/** A WebSocket over any stream of bytes. */
function over(stream: Duplex, isServer: boolean): WebSocket {
  const socket = new WebSocket(null as unknown as string, undefined, { autoPong: true, closeTimeout: 1000 } as object) as WebSocket & { _isServer: boolean; setSocket(stream: Duplex, head: Buffer, options: object): void };
  socket._isServer = isServer;
  socket.setSocket(stream, Buffer.alloc(0), { maxPayload: 100_000_000 });
  return socket;
}

interface Rig extends Http2Scenario {
  readonly origin: Http2Origin;
  readonly streams: ServerHttp2Stream[];
}

/** Behind it a backend that takes extended CONNECT; other requests it answers with "ok". */
async function rig(onTunnel: (stream: ServerHttp2Stream) => void, listener: ListenerPatch = {}, takesThem = true): Promise<Rig> {
  const streams: ServerHttp2Stream[] = [];
  const origin = await Http2Origin.start(
    (stream, headers) => {
      if (headers[':method'] !== 'CONNECT') {
        stream.respond({ ':status': 200 });
        return void stream.end('ok');
      }
      streams.push(stream);
      onTunnel(stream);
    },
    takesThem ? { enableConnectProtocol: true } : {},
  );
  return { ...(await inFrontOf([origin.port], { listener })), origin, streams };
}

const accept = (stream: ServerHttp2Stream): void => stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' });
const echoes = (stream: ServerHttp2Stream): void => {
  accept(stream);
  const socket = over(stream, true);
  socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }));
};

function http2Client(port: number): { open(): Promise<{ status: number; stream: Duplex }> } {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  return {
    async open() {
      await once(session, 'remoteSettings');
      const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat', 'sec-websocket-version': '13', 'sec-websocket-protocol': 'chat' });
      stream.on('error', () => {});
      const [headers] = (await once(stream, 'response')) as [{ ':status': number }];
      return { status: headers[':status'], stream };
    },
  };
}

async function ticks({ engine }: Rig, count: number): Promise<void> {
  const { wheel } = engine.context;
  const { now } = wheel;
  await until(() => wheel.now > now + count);
}

describe('a handshake', () => {
  it('of HTTP/1.1 becomes an extended CONNECT, and its 2xx the switch', async () => {
    const r = await rig((stream) => stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat', 'x-a': '1' }));
    const client = await r.client();
    client.send(HANDSHAKE);
    const head = await client.until((received) => received.includes('\r\n\r\n'));
    expect(head).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    for (const line of ['connection: upgrade', 'upgrade: websocket', `sec-websocket-accept: ${ACCEPT}`, 'sec-websocket-protocol: chat', 'x-a: 1']) expect(head).toContain(`\r\n${line}\r\n`);
    expect(head).not.toMatch(/content-length|transfer-encoding/i);
    expect(r.origin.requests[0]).toMatchObject({ ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':path': '/chat?a=b', ':authority': 'a', 'sec-websocket-version': '13', 'sec-websocket-protocol': 'chat' });
    for (const name of ['sec-websocket-key', 'connection', 'upgrade']) expect(r.origin.requests[0]).not.toHaveProperty(name);
  });

  it('that the backend refuses has its answer', async () => {
    const r = await rig((stream) => {
      stream.respond({ ':status': 403 });
      stream.end('no');
    });
    const client = await r.client();
    client.send(HANDSHAKE);
    expect(await client.until((received) => received.includes('no'))).toMatch(/^HTTP\/1\.1 403 /);
    expect((await http2Client(r.port).open()).status).toBe(403);
  });

  it.each([['no key', HANDSHAKE.replace(/Sec-WebSocket-Key.*\r\n/, '')], ['another protocol', HANDSHAKE.replace('websocket', 'foo')], ['a key that is none', HANDSHAKE.replace(KEY, 'abc')]])('with %s is a GET like any other', async (_what, request) => {
    const r = await rig(accept);
    const client = await r.client();
    client.send(request);
    expect(await client.until((received) => received.includes('ok'))).toMatch(/^HTTP\/1\.1 200 /);
    expect(r.origin.requests[0]).toMatchObject({ ':method': 'GET' });
  });

  it('is 501 where the backend takes none, and others of its connection go on', async () => {
    const r = await rig(accept, {}, false);
    const [client, other] = [await r.client(), await r.client()];
    client.send(HANDSHAKE);
    other.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.until((received) => received.includes('\n\n') || received.endsWith('it.\n'))).toMatch(/^HTTP\/1\.1 501 [^]*The backend speaks HTTP\/2 and takes no WebSocket over it\.\n$/);
    expect(await other.until((received) => received.includes('ok'))).toMatch(/^HTTP\/1\.1 200 /);
    expect((await http2Client(r.port).open()).status).toBe(501);
    expect(r.origin.requests).toHaveLength(1);
    expect(r.origin.sessions).toHaveLength(1);
  });

  it('that fails while the connection begins leaves it no rest before another request has its answer', async () => {
    let answer = (): void => {};
    const origin = await Http2Origin.start((stream) => {
      answer = () => {
        stream.respond({ ':status': 200 });
        stream.end('ok');
      };
    });
    const r = { ...(await inFrontOf([origin.port], { pool: { connections: { perBackend: 1, connectTimeoutMs: 2000, idleMs: 4000 } } })), origin, streams: [] };
    const [client, other] = [await r.client(), await r.client()];
    client.send(HANDSHAKE);
    other.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until((received) => received.startsWith('HTTP/1.1 501 '));
    await until(() => origin.requests.length === 1);
    const { cells, base } = r.engine.context.counters.backends.at(0);
    expect(cells[base + backendColumns.connectionsIdle]).toBe(0);
    answer();
    expect(await other.until((received) => received.includes('ok'))).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('a WebSocket', () => {
  it('of an HTTP/1.1 client says all and hears all, and closes in order', async () => {
    const r = await rig(echoes, { routes: [{ timeouts: { responseMs: 100, idleMs: 100, totalMs: 0 } }] });
    const socket = new WebSocket(`ws://127.0.0.1:${r.port}/chat`, 'chat');
    onTestFinished(() => socket.terminate());
    await once(socket, 'open');
    // Silence beyond what an answer may have is the tunnel's own affair.
    await ticks(r, 4);
    for (const text of ['', 'hello', 'x'.repeat(70_000), 'y'.repeat(1_000_000)]) {
      socket.send(text);
      const [message] = (await once(socket, 'message')) as [Buffer];
      expect(message.toString() === text).toBe(true);
    }
    socket.close(4001, 'done');
    expect(((await once(socket, 'close')) as [number])[0]).toBe(4001);
    await until(() => r.streams[0]!.closed);
    expect(r.streams[0]!.rstCode).toBe(0);
  });

  it('of an HTTP/2 client does, too', async () => {
    const r = await rig(echoes);
    const { status, stream } = await http2Client(r.port).open();
    expect(status).toBe(200);
    const socket = over(stream, false);
    for (const text of ['hello', 'y'.repeat(1_000_000)]) {
      socket.send(text);
      const [message] = (await once(socket, 'message')) as [Buffer];
      expect(message.toString() === text).toBe(true);
    }
    socket.close(4001);
    await until(() => r.streams[0]!.closed);
  });

  it('shares its connection with others, and with requests', async () => {
    const r = await rig(echoes);
    const sockets = Array.from({ length: 8 }, () => new WebSocket(`ws://127.0.0.1:${r.port}/chat`, 'chat'));
    onTestFinished(() => sockets.forEach((socket) => socket.terminate()));
    await Promise.all(sockets.map((socket) => once(socket, 'open')));
    const answers = sockets.map((socket) => once(socket, 'message'));
    sockets.forEach((socket, i) => socket.send(String(i)));
    expect((await Promise.all(answers)).map(([message]) => String(message))).toEqual(sockets.map((_, i) => String(i)));
    expect(await r.ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
    expect(r.origin.sessions).toHaveLength(1);
  });

  it('whose client takes nothing is waited for, in bounded memory', async () => {
    const part = Buffer.alloc(64 * 1024, 1);
    let written = 0;
    const r = await rig((stream) => {
      accept(stream);
      void (async () => {
        for (let i = 0; i < 400; i++) {
          written += part.length;
          if (!stream.write(part)) await once(stream, 'drain');
        }
        stream.end();
      })();
    });
    const client = await r.client();
    let got = 0;
    client.socket.on('data', (bytes: Buffer) => (got += bytes.length));
    client.send(HANDSHAKE);
    await client.until((received) => received.includes('\r\n\r\n'));
    client.socket.pause();
    let seen = -1;
    await until(() => {
      const isSame = seen === written;
      seen = written;
      return isSame;
    });
    expect(written).toBeLessThan(20_000_000);
    client.socket.resume();
    await client.untilEnd();
    expect(got).toBe(400 * part.length + client.received.indexOf('\r\n\r\n') + 4);
  });

  it('whose backend takes nothing is not read from', async () => {
    const r = await rig((stream) => {
      accept(stream);
      stream.pause();
    });
    const client = await r.client();
    client.send(HANDSHAKE);
    await client.until((received) => received.includes('\r\n\r\n'));
    const body = Buffer.alloc(20_000_000, 7);
    client.socket.write(body);
    client.socket.end();
    const before = (): number => client.socket.writableLength;
    let last = -1;
    await until(() => {
      const isSame = last === before();
      last = before();
      return isSame;
    });
    expect(before()).toBeGreaterThan(0);
    let got = 0;
    r.streams[0]!.on('data', (bytes: Buffer) => (got += bytes.length));
    r.streams[0]!.resume();
    await until(() => got === body.length);
  });

  it('that either side breaks off is broken off at the other', async () => {
    const r = await rig((stream) => {
      stream.resume();
      accept(stream);
    });
    const client = await r.client();
    client.send(HANDSHAKE);
    await client.until((received) => received.includes('\r\n\r\n'));
    client.socket.resetAndDestroy();
    await until(() => r.streams[0]!.closed);
    expect(r.streams[0]!.rstCode).toBe(H2_ERROR.cancel);
    const other = await r.client();
    other.send(HANDSHAKE);
    await other.until((received) => received.includes('\r\n\r\n'));
    r.streams[1]!.close(H2_ERROR.cancel);
    await other.untilEnd();
    await until(() => r.engine.context.table.backend(0).inFlight === 0);
  });

  it('is half closed by either side', async () => {
    let got = '';
    const r = await rig((stream) => {
      stream.on('data', (bytes: Buffer) => (got += bytes.toString()));
      stream.on('end', () => (got += '.'));
      accept(stream);
      stream.end('bye');
    });
    const client = await r.client();
    client.send(HANDSHAKE);
    expect(await client.untilEnd()).toMatch(/\r\n\r\nbye$/);
    client.socket.end('and you');
    await until(() => got === 'and you.');
    await until(() => r.engine.context.table.backend(0).inFlight === 0);
  });
});

describe('by hand', () => {
  const connectSettings = settingsFrame([[8, 1]]);

  it('what comes with the head of the switch is the tunnel’s, its end too, and a length means nothing', async () => {
    const origin = await rawHttp2Origin((stream) => [Buffer.concat([headersFrame(stream, [[':status', '200'], ['content-length', '3'], ['sec-websocket-accept', 'x']]), frame(DATA, 0, stream, 'early'), frame(DATA, END_STREAM, stream, ' and last')])], connectSettings);
    const s = await inFrontOf([origin.port]);
    const client = await s.client();
    client.send(HANDSHAKE);
    const received = await client.untilEnd();
    expect(received).toMatch(/^HTTP\/1\.1 101 [^]*\r\n\r\nearly and last$/);
    expect(received).not.toMatch(/content-length|accept: x/);
  });

  it('a reset in place of an answer is 502, after one more try', async () => {
    let asks = 0;
    const origin = await rawHttp2Origin((stream) => {
      asks++;
      return [frame(RST_STREAM, 0, stream, uint32(H2_ERROR.internalError))];
    }, connectSettings);
    const s = await inFrontOf([origin.port]);
    const client = await s.client();
    client.send(HANDSHAKE);
    expect(await client.until((received) => received.includes('\r\n\r\n'))).toMatch(/^HTTP\/1\.1 502 /);
    expect(asks).toBe(2);
  });

  it('a setting that is neither 0 nor 1 is no HTTP/2', async () => {
    const origin = await rawHttp2Origin(() => [], settingsFrame([[8, 2]]));
    const s = await inFrontOf([origin.port]);
    expect(await s.ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 503 /);
  });
});
