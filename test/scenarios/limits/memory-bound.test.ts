/** What one connection of a client can make a proxy hold is bounded as docs/limits.md says, whatever the client and the origin do. */
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { heldByWorkers, startProbed, type ProbedProxy } from '../../support/probed-memory.ts';
import { metricsOf, visit } from '../../support/visitor.ts';
import { root } from '../../tidy/sources.ts';

const KIB = 1024;
const HEADER_BYTES = 32 * KIB;
/** The page's formula, and what a worker keeps besides, whoever is connected. */
const PER_CONNECTION_BYTES = 512 * KIB + 12 * HEADER_BYTES;
const PER_WORKER_BYTES = 36 * KIB * KIB;
const CLIENTS = 40;

const ENDLESS = Buffer.alloc(64 * KIB, 'x');

/** Writes without end, no faster than it is taken. */
function pour(socket: Socket, bytes: Buffer): void {
  while (!socket.destroyed && socket.write(bytes));
  socket.once('drain', () => pour(socket, bytes));
}

/** By path: /unread and /trailers answer without end, /deaf is never read on, everything else is answered at once. */
async function startOrigin(): Promise<number> {
  const sockets = new Set<Socket>();
  const origin = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      if (/ \/deaf/.test(text)) return void socket.pause();
      if (!text.includes('\r\n\r\n')) return;
      const fields = `X-Large: ${'y'.repeat(HEADER_BYTES - 200)}\r\n`;
      if (/ \/unread/.test(text)) {
        socket.write(`HTTP/1.1 200 OK\r\n${fields}Content-Length: 1000000000\r\n\r\n`);
        pour(socket, ENDLESS);
      } else if (/ \/trailers/.test(text)) {
        socket.write(`HTTP/1.1 200 OK\r\n${fields}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: ${'y'.repeat(HEADER_BYTES - 10)}`);
      } else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
      text = '';
      socket.removeAllListeners('data').on('data', () => undefined);
    });
  });
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    origin.close();
  });
  return (origin.address() as AddressInfo).port;
}

const large = `X-Large: ${'y'.repeat(HEADER_BYTES - 300)}\r\n`;
const pipelined = Buffer.from('GET /later HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(20_000));

/** What each client sends, and then without end; it reads nothing. */
const greedy: [string, string, Buffer | null][] = [
  ['answers unread, with requests behind them', `GET /unread HTTP/1.1\r\nHost: a\r\n${large}\r\n`, pipelined],
  ['bodies that the origin does not read', `POST /deaf HTTP/1.1\r\nHost: a\r\n${large}Content-Length: 1000000000\r\n\r\n`, ENDLESS],
  ['chunked bodies of tiny chunks that the origin does not read', `POST /deaf HTTP/1.1\r\nHost: a\r\n${large}Transfer-Encoding: chunked\r\n\r\n`, Buffer.from('1\r\nx\r\n'.repeat(10_000))],
  ['heads that are not complete', `GET / HTTP/1.1\r\nHost: a\r\n${large.slice(0, -2)}${'z'.repeat(200)}`, null],
  ['trailers that are not complete', `POST /sink HTTP/1.1\r\nHost: a\r\n${large}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: ${'y'.repeat(HEADER_BYTES - 10)}`, null],
  ['answers whose trailers are not complete', `GET /trailers HTTP/1.1\r\nHost: a\r\n${large}\r\n`, null],
];

/** Until no byte has moved for a while, as the proxy's own counters tell. */
async function untilStill({ weir }: ProbedProxy): Promise<void> {
  let unchanged = 0;
  for (let before = ''; unchanged < 20; ) {
    const now = [...(await metricsOf(weir))].filter(([name]) => /_bytes_total|_in_flight/.test(name)).map(([, value]) => value).join();
    unchanged = now === before ? unchanged + 1 : 0;
    before = now;
  }
}

it('for clients that take and give as much as they can', async () => {
  const originPort = await startOrigin();
  const proxy = await startProbed(
    `
listeners: { web: { bind: "127.0.0.1:0", pool: web } }
pools: { web: { outlier: off, backends: ["127.0.0.1:${originPort}"] } }
admin: { bind: "127.0.0.1:0" }
`,
    1,
  );
  onTestFinished(() => proxy.weir.stop());
  const port = proxy.weir.port();
  for (let i = 0; i < 20; i++) await visit(port);
  const first = heldByWorkers(await proxy.memory());
  let before = first;
  const perConnection: Record<string, number> = {};
  for (const [name, request, endless] of greedy) {
    const clients: Socket[] = [];
    for (let i = 0; i < CLIENTS; i++) {
      const client = connect({ port, host: '127.0.0.1' });
      client.on('error', () => undefined);
      client.pause();
      await once(client, 'connect');
      client.write(request);
      if (endless !== null) pour(client, endless);
      clients.push(client);
    }
    await untilStill(proxy);
    perConnection[name] = (heldByWorkers(await proxy.memory()) - before) / CLIENTS;
    expect((await visit(port)).status, `another client during: ${name}`).toBe(200);
    for (const client of clients) client.resetAndDestroy();
    while ((await metricsOf(proxy.weir)).get('weir_listener_connections{listener="web"}') !== 0);
    before = heldByWorkers(await proxy.memory());
    expect(before - first, `after: ${name}`).toBeLessThan(PER_WORKER_BYTES);
  }
  for (const [name, bytes] of Object.entries(perConnection)) expect(bytes, name).toBeLessThan(PER_CONNECTION_BYTES + PER_WORKER_BYTES / CLIENTS);
  // Half a minute by itself; a machine at work for others takes its time.
}, 300_000);

it('the page says so', () => {
  const page = readFileSync(join(root, 'docs/limits.md'), 'utf8');
  expect(page).toContain('512 KiB + 12 × headerSize');
  expect(page).toContain('36 MiB');
});
