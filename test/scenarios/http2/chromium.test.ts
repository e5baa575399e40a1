/** A real browser: a page of a hundred parts and a WebSocket, over one connection of HTTP/2 through a whole proxy. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Chromium } from '../../support/chromium.ts';
import { hasProgram } from '../../support/real-server.ts';
import { TestCa } from '../../support/test-ca.ts';
import { until, WeirProcess } from '../../support/weir-process.ts';

// A browser starts here, and shares the machine's cores with other tests.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const NAME = 'site.example';
const PARTS = 100;
/** From a few bytes to more than a stream's window. */
const textOf = (part: number): string => `${part}:`.repeat(1 + ((part * 619) % 20_000));

const page = `<!doctype html><title>parts</title><script>const got = {}; const take = (part, text) => (got[part] = text);</script>
${Array.from({ length: PARTS }, (_, part) => `<script async src="/part/${part}.js"></script>`).join('\n')}`;

/** In the page: what came, and over which protocol. */
const parts = `({ got, protocols: [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource').filter(({ name }) => name.includes('/part/'))].map(({ nextHopProtocol }) => nextHopProtocol) })`;

const MESSAGES = ['one', 'two', 'x'.repeat(100_000)];
/** In the page: what a WebSocket gives back. */
const echo = `new Promise((resolve, reject) => {
  const socket = new WebSocket('wss://' + location.host + '/echo');
  const echoed = [];
  const messages = ${JSON.stringify(MESSAGES)};
  socket.onerror = () => reject(new Error('the WebSocket failed'));
  socket.onopen = () => messages.forEach((text) => socket.send(text));
  socket.onmessage = ({ data }) => echoed.push(data) === messages.length && socket.close();
  socket.onclose = () => resolve(echoed);
})`;

interface Parts {
  readonly got: Readonly<Record<string, string>>;
  readonly protocols: readonly string[];
}

/** Of the access log. */
interface Line {
  readonly target: string;
  readonly httpVersion: string;
}

describe.skipIf(!hasProgram('chromium'))('Chromium (Debian package chromium)', () => {
  const ca = new TestCa();
  const site = ca.issue({ names: [NAME] });
  let origin: Server;
  let weir: WeirProcess;

  beforeAll(async () => {
    origin = createServer((request, response) => {
      const part = /^\/part\/(\d+)\.js$/.exec(request.url ?? '')?.[1];
      if (part !== undefined) response.setHeader('content-type', 'text/javascript').end(`take(${part}, ${JSON.stringify(textOf(Number(part)))})`);
      else if (request.url === '/') response.setHeader('content-type', 'text/html').end(page);
      else response.writeHead(404).end();
    });
    new WebSocketServer({ server: origin, path: '/echo' }).on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));
    origin.listen(0, '127.0.0.1');
    await once(origin, 'listening');
    weir = await WeirProcess.start(`
listeners:
  web: { bind: "127.0.0.1:0", pool: web, tls: { certificates: [{ cert: "file:${site.certFile}", key: "file:${site.keyFile}" }] } }
pools:
  web: { backends: ["127.0.0.1:${(origin.address() as AddressInfo).port}"] }
admin: { bind: "127.0.0.1:0" }
log: { access: { format: json, to: stdout } }
`);
  });
  afterAll(async () => {
    await weir.stop();
    origin.closeAllConnections();
    origin.close();
    ca.remove();
  });

  const connections = async (): Promise<string> => (await weir.admin('/metrics')).body.split('\n').find((line) => line.startsWith('weir_listener_connections_total'))!;

  it('loads a page of a hundred parts over HTTP/2, and a WebSocket over the same connection', async () => {
    await using browser = await Chromium.start(site.cert, NAME);
    const run = await browser.open(`https://${NAME}:${weir.port()}/`);
    const { got, protocols } = (await run(parts)) as Parts;
    expect(Object.keys(got)).toHaveLength(PARTS);
    for (let part = 0; part < PARTS; part++) expect(got[part] === textOf(part), `part ${part}`).toBe(true);
    expect(protocols).toEqual(Array.from({ length: 1 + PARTS }, () => 'h2'));
    const before = await connections();
    expect(await run(echo)).toEqual(MESSAGES);
    expect(await connections()).toBe(before);
    const lines = (): Line[] => weir.out.split('\n').filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as Line);
    await until(() => lines().some(({ target }) => target === '/echo'));
    expect(lines().find(({ target }) => target === '/echo')).toMatchObject({ httpVersion: '2', status: 101 });
  });
});
