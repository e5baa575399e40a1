/** The PROXY protocol and TLS pass-through with those who speak them elsewhere: HAProxy, nginx, curl, openssl. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { HostPattern } from '../../../src/shared/snapshot.ts';
import { Engine, makeListener, makePool, makeRoute, RawClient, RawOrigin, type ListenerPatch, type PoolPatch } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { hasProgram } from '../../support/real-server.ts';
import { hasHaproxy, hasNginxStream, startHaproxy, startNginxStream } from '../../support/stream-peers.ts';
import { makeTlsFiles } from '../../support/tls-files.ts';

const toStop: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

async function weir(listener: ListenerPatch, pools: readonly [port: number, patch: PoolPatch][]): Promise<number> {
  const port = await freePort();
  const engine = await Engine.start([makeListener(port, listener)], pools.map(([backend, patch]) => makePool([backend], patch)));
  toStop.push(() => {
    engine.plane.cut();
    engine.stop();
  });
  return port;
}

/** Answers each connection, once bytes came that are no PROXY header alone, with them; keeps all of them. */
async function recorder(answer: (text: string) => string = (text) => text): Promise<{ port: number; seen: string[] }> {
  const seen: string[] = [];
  const origin = await RawOrigin.start((socket) => {
    let text = '';
    const take = (bytes: Buffer): void => {
      text += bytes.toString('latin1');
      // nginx sends a header by itself, before what it stands in front of.
      if (/^PROXY [^\n]*\n?$/.test(text)) return;
      socket.off('data', take).resume();
      seen.push(text);
      socket.end(Buffer.from(answer(text), 'latin1'));
    };
    socket.on('data', take);
  });
  toStop.push(() => origin.stop());
  return { port: origin.port, seen };
}

async function say(port: number, text: string): Promise<{ answer: string; from: number }> {
  const client = await RawClient.open(port);
  const from = client.socket.localPort!;
  client.send(text);
  const answer = await client.untilEnd();
  client.close();
  return { answer, from };
}

const respond = (name: string, source: string[] | null): ReturnType<typeof makeRoute> => ({ ...makeRoute({ name, action: { kind: 'respond', status: 200, body: name, contentType: 'text/plain' } }), match: { ...makeRoute().match, source } });
const trusted = { trustedProxies: ['127.0.0.0/8'], proxyProtocol: 'require' as const };

describe.skipIf(!hasHaproxy)('HAProxy in front (Debian package haproxy)', () => {
  it.each(['send-proxy', 'send-proxy-v2', 'send-proxy-v2 proxy-v2-options crc32c,unique-id'])('with %s is read by tcp and http listeners', async (option) => {
    const { port: echo, seen } = await recorder();
    const tcp = await weir({ ...trusted, protocol: 'tcp' }, [[echo, { proxyProtocol: 'v1' }]]);
    const http = await weir(trusted, [[(await recorder((text) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`)).port, {}]]);
    const front = await startHaproxy((port) => `frontend tcp\n  bind 127.0.0.1:${port}\n  unique-id-format id-%pid\n  use_backend http if { req.len gt 0 } { req.payload(0,3) -m str GET }\n  tcp-request inspect-delay 5s\n  tcp-request content accept if { req.len gt 3 }\n  default_backend tcp\nbackend tcp\n  server weir 127.0.0.1:${tcp} ${option}\nbackend http\n  server weir 127.0.0.1:${http} ${option}`);
    toStop.push(() => front.stop());
    const { from } = await say(front.port, 'hello');
    // What HAProxy said of the client, as we say it on.
    expect(seen).toContain(`PROXY TCP4 127.0.0.1 127.0.0.1 ${from} ${front.port}\r\nhello`);
    const { answer } = await say(front.port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(answer).toContain('X-Forwarded-For: 127.0.0.1\r\n');
    expect(answer).toContain(`X-Forwarded-Port: ${front.port}\r\n`);
  });

  it('checks us with LOCAL', async () => {
    const port = await weir({ ...trusted, routes: [respond('peer', ['127.0.0.0/8'])] }, []);
    const front = await startHaproxy((own) => `frontend in\n  bind 127.0.0.1:${own}\n  mode http\n  monitor-uri /up\n  monitor fail if { nbsrv(weir) lt 1 }\n  default_backend weir\nbackend weir\n  mode http\n  option httpchk GET /\n  http-check expect status 200\n  server weir 127.0.0.1:${port} send-proxy-v2 check inter 100ms`);
    toStop.push(() => front.stop());
    let answer = '';
    while (!answer.startsWith('HTTP/1.1 200')) answer = (await say(front.port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).answer;
    expect(answer).toContain('peer');
  });
});

describe.skipIf(!hasHaproxy)('HAProxy behind (Debian package haproxy)', () => {
  it.each(['v1', 'v2'] as const)('with accept-proxy reads %s of tcp and of http pools', async (proxyProtocol) => {
    const back = await startHaproxy((port) => `frontend in\n  mode http\n  bind 127.0.0.1:${port} accept-proxy\n  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port] id=%[fc_pp_unique_id] name=%[fc_pp_authority]"`);
    toStop.push(() => back.stop());
    const get = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    const tcp = await weir({ protocol: 'tcp' }, [[back.port, { proxyProtocol }]]);
    const overTcp = await say(tcp, get);
    expect(overTcp.answer).toMatch(new RegExp(`127\\.0\\.0\\.1 ${overTcp.from} 127\\.0\\.0\\.1 ${tcp} id=${proxyProtocol === 'v2' ? '[0-9a-f]{32}' : ''} name=$`));
    const http = await weir({}, [[back.port, { proxyProtocol }]]);
    const overHttp = await say(http, get);
    expect(overHttp.answer).toMatch(new RegExp(`127\\.0\\.0\\.1 ${overHttp.from} 127\\.0\\.0\\.1 ${http} id=${proxyProtocol === 'v2' ? '[0-9a-f]{32}' : ''} name=`));
  });
});

describe.skipIf(!hasNginxStream)('nginx behind (Debian packages nginx and libnginx-mod-stream)', () => {
  it.each(['v1', 'v2'] as const)('with proxy_protocol reads %s', async (proxyProtocol) => {
    const back = await startNginxStream((port) => `server { listen 127.0.0.1:${port} proxy_protocol; return "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port"; }`);
    toStop.push(() => back.stop());
    const port = await weir({ protocol: 'tcp' }, [[back.port, { proxyProtocol }]]);
    const { answer, from } = await say(port, '');
    expect(answer).toBe(`127.0.0.1 ${from} 127.0.0.1 ${port}`);
  });
});

describe.skipIf(!hasNginxStream)('nginx in front (Debian packages nginx and libnginx-mod-stream)', () => {
  it('with proxy_protocol is read', async () => {
    const { port: echo, seen } = await recorder();
    const tcp = await weir({ ...trusted, protocol: 'tcp' }, [[echo, { proxyProtocol: 'v1' }]]);
    const front = await startNginxStream((port) => `server { listen 127.0.0.1:${port}; proxy_pass 127.0.0.1:${tcp}; proxy_protocol on; }`);
    toStop.push(() => front.stop());
    const { from } = await say(front.port, 'hello');
    expect(seen).toContain(`PROXY TCP4 127.0.0.1 127.0.0.1 ${from} ${front.port}\r\nhello`);
  });
});

const run = promisify(execFile);

describe.skipIf(!hasProgram('curl'))('curl (Debian package curl)', () => {
  it('with --haproxy-protocol is read', async () => {
    const port = await weir(trusted, [[(await recorder((text) => `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${text.length}\r\n\r\n${text}`)).port, {}]]);
    const { stdout } = await run('curl', ['-s', '--haproxy-protocol', `http://127.0.0.1:${port}/`]);
    expect(stdout).toContain('X-Forwarded-For: 127.0.0.1\r\n');
  });
});

describe('TLS passed through', () => {
  const exact = (value: string): HostPattern => ({ kind: 'exact', value });

  /** Two servers with a certificate each behind one listener, the second by HAProxy's header. */
  async function twoNames(): Promise<{ port: number; certs: string[] }> {
    const folder = mkdtempSync(join(tmpdir(), 'weir-tls-'));
    toStop.push(() => rmSync(folder, { recursive: true }));
    const certs: string[] = [];
    const pools: [number, PoolPatch][] = [];
    for (const name of ['a', 'b']) {
      const files = makeTlsFiles(folder);
      certs.push(readFileSync(files.cert, 'utf8').trim());
      const server = createTlsServer({ cert: certs.at(-1)!, key: readFileSync(files.key) }, (socket) => socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n${name}`)));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      toStop.push(() => void server.close());
      pools.push([(server.address() as AddressInfo).port, { name }]);
    }
    const routes = ['a', 'b'].map((name) => makeRoute({ name, match: { ...makeRoute().match, sni: [exact(`${name}.example.com`)] }, action: { kind: 'pool', pool: name } }));
    return { port: await weir({ protocol: 'tcp', routes }, pools), certs };
  }

  it.skipIf(!hasProgram('curl'))('to curl (Debian package curl)', async () => {
    const { port } = await twoNames();
    for (const [name, expected] of [['a.example.com', 'a'], ['B.example.com', 'b']] as const) {
      const { stdout } = await run('curl', ['-sk', '--resolve', `${name}:${port}:127.0.0.1`, `https://${name}:${port}/`]);
      expect(stdout).toBe(expected);
    }
    await expect(run('curl', ['-sk', `https://127.0.0.1:${port}/`])).rejects.toThrow();
  });

  it.skipIf(!hasProgram('openssl'))('to openssl s_client (Debian package openssl), in records and packets of all sizes', async () => {
    const { port, certs } = await twoNames();
    const slow = await slowly(port);
    for (const [target, more] of [[port, []], [port, ['-tls1_2']], [port, ['-split_send_frag', '512', '-max_send_frag', '512']], [slow, []]] as const) {
      for (const [i, name] of ['a', 'b'].entries()) {
        const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${target}`, '-servername', `${name}.example.com`, ...more]);
        let text = '';
        child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
        child.stdin.end('Q\n');
        await once(child, 'close');
        expect(text).toContain(certs[i]!);
      }
    }
  });

  /** A port that passes a client's bytes on one by one, each in a packet of its own. */
  async function slowly(to: number): Promise<number> {
    const server = createServer((client) => {
      void RawClient.open(to).then((onward) => {
        onward.socket.setNoDelay(true).pipe(client);
        let last = Promise.resolve();
        client.on('error', () => {}).on('data', (bytes: Buffer) => {
          for (const byte of bytes) {
            last = last.then(() => new Promise((resolve) => setImmediate(resolve))).then(() => onward.send(Buffer.from([byte])));
          }
        });
        client.on('close', () => onward.close());
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    toStop.push(() => void server.close());
    return (server.address() as AddressInfo).port;
  }
});
