/** The PROXY header in front of TLS to backends: whom HAProxy and nginx behind it, with TLS of their own, take a connection to be from. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { CheckIdentities } from '../../../src/control-plane/health/check-identity.ts';
import { Check } from '../../../src/control-plane/health/check.ts';
import { httpProbe } from '../../../src/control-plane/health/http-probe.ts';
import type { ProbeResult } from '../../../src/control-plane/health/probe.ts';
import { Prober } from '../../../src/control-plane/health/prober.ts';
import { dialUdp } from '../../../src/net/dial-udp.ts';
import { dial } from '../../../src/net/dial.ts';
import { backendSpec, healthSpec } from '../../support/backend-rig.ts';
import { Engine, makeListener, makePool, RawClient, RawOrigin, type ListenerPatch, type PoolPatch } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { hasHaproxy, hasNginxStream, startHaproxy, startNginxStream, type StreamPeer } from '../../support/stream-peers.ts';
import { TestCa } from '../../support/test-ca.ts';

const ca = new TestCa('Backends');
const site = ca.issue({ names: ['api.internal'] });
const pem = ca.write('site.pem', site.cert + site.key);
const tls = { ca: ca.ca, serverName: 'api.internal', cert: null, key: null, verify: true, minVersion: 'TLSv1.2' } as const;
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

let haproxy: StreamPeer | null = null;
beforeAll(async () => {
  if (hasHaproxy) haproxy = await startHaproxy((port) => `frontend in\n  mode http\n  bind 127.0.0.1:${port} accept-proxy ssl crt ${pem}\n  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port] tls=%[ssl_fc] id=%[fc_pp_unique_id]"`);
});
afterAll(async () => {
  await haproxy?.stop();
  ca.remove();
});

const toStop: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

async function weir(listener: ListenerPatch, backend: number, patch: PoolPatch): Promise<{ engine: Engine; port: number }> {
  const port = await freePort();
  const engine = await Engine.start([makeListener(port, listener)], [makePool([backend], patch)]);
  toStop.push(() => {
    engine.plane.cut();
    engine.stop();
  });
  return { engine, port };
}

async function open(port: number): Promise<RawClient> {
  const client = await RawClient.open(port);
  toStop.push(() => client.close());
  return client;
}

describe.skipIf(!hasHaproxy)('HAProxy with accept-proxy and ssl (Debian package haproxy)', () => {
  const told = (from: number, port: number, version: 'v1' | 'v2'): RegExp => new RegExp(`127\\.0\\.0\\.1 ${from} 127\\.0\\.0\\.1 ${port} tls=1 id=${version === 'v2' ? '[0-9a-f]{32}' : '$'}`);

  it.each(['v1', 'v2'] as const)('reads %s of each request of an http pool, every one over a connection of its own', async (proxyProtocol) => {
    const { port } = await weir({}, haproxy!.port, { proxyProtocol, tls });
    for (let round = 0; round < 2; round++) {
      const client = await open(port);
      for (let requests = 1; requests <= 3; requests++) {
        client.send(GET);
        const text = await client.until((received) => (received.match(/tls=1/g) ?? []).length === requests && /id=[0-9a-f]*$/.test(received));
        expect(text.split('HTTP/1.1 200').at(-1)).toMatch(told(client.socket.localPort!, port, proxyProtocol));
      }
    }
  });

  it.each(['v1', 'v2'] as const)('reads %s of a connection of a tcp pool', async (proxyProtocol) => {
    const { port } = await weir({ protocol: 'tcp' }, haproxy!.port, { proxyProtocol, tls });
    const client = await open(port);
    client.send(GET);
    expect(await client.until((received) => received.includes('id=') && received.includes('tls='))).toMatch(told(client.socket.localPort!, port, proxyProtocol));
  });

  it.each(['v1', 'v2'] as const)('is probed with %s of nobody', async (proxyProtocol) => {
    const [asked] = new CheckIdentities().of({ health: [healthSpec({ type: 'http', timeoutMs: 5000, options: httpProbe.options.parse({ body: 'tls=1' }) })], proxyProtocol, tls });
    const result = await new Promise<ProbeResult>((resolve) => {
      const prober = new Prober({ clock: systemClock, dial, dialUdp, concurrencyMax: 1, countVoid: () => undefined, names: { addressOf: () => null, failureOf: () => null, connectFailed: () => undefined }, judge: (_check, _startMs, outcome) => resolve(outcome) });
      toStop.push(() => prober.stop());
      prober.now(new Check('key', backendSpec(`127.0.0.1:${haproxy!.port}`), asked!.plan));
    });
    expect(result).toMatchObject({ ok: true });
  });

  it('without the header refuses the connection: it would else be taken for our own', async () => {
    const { port } = await weir({}, haproxy!.port, { tls });
    const client = await open(port);
    client.send(GET);
    expect(await client.until((received) => received.includes('\r\n\r\n'))).toMatch(/^HTTP\/1\.1 50/);
  });
});

describe.skipIf(!hasNginxStream)('nginx with ssl and proxy_protocol (Debian packages nginx and libnginx-mod-stream)', () => {
  it.each(['v1', 'v2'] as const)('reads %s', async (proxyProtocol) => {
    const back = await startNginxStream((port) => `server { listen 127.0.0.1:${port} ssl proxy_protocol; ssl_certificate ${site.certFile}; ssl_certificate_key ${site.keyFile}; return "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_port $ssl_protocol"; }`);
    toStop.push(() => back.stop());
    const { port } = await weir({ protocol: 'tcp' }, back.port, { proxyProtocol, tls });
    const client = await open(port);
    // Which of the two is nginx's default depends on its release.
    expect(await client.untilEnd()).toMatch(new RegExp(`^127\\.0\\.0\\.1 ${client.socket.localPort} ${port} TLSv1\\.[23]$`));
  });
});

describe.each(['http', 'tcp'] as const)('over %s', (protocol) => {
  it('the header is the first write, and a ClientHello follows: nothing of the client goes in the clear', async () => {
    let seen = Buffer.alloc(0);
    const origin = await RawOrigin.start((socket) => socket.on('data', (bytes: Buffer) => (seen = Buffer.concat([seen, bytes]))));
    toStop.push(() => origin.stop());
    const { port } = await weir({ protocol }, origin.port, { proxyProtocol: 'v1', tls });
    const client = await open(port);
    client.send(GET);
    const header = `PROXY TCP4 127.0.0.1 127.0.0.1 ${client.socket.localPort} ${port}\r\n`;
    while (seen.length < header.length + 6) await new Promise((resolve) => setImmediate(resolve));
    expect(seen.subarray(0, header.length).toString('latin1')).toBe(header);
    expect([seen[header.length], seen[header.length + 5]]).toEqual([22, 1]);
    expect(seen.includes('GET')).toBe(false);
  });
});
