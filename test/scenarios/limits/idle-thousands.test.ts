/** Two thousand connections that stand still, at rest or in the middle of something: another client does not notice, and all that is left of them is nothing. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { startBackends, type NamedBackend } from '../../support/named-backend.ts';
import { metricsOf, untilMetrics, Visitor } from '../../support/visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

const EACH = 400;

/** What each kind sends before it falls silent. */
const kinds = {
  silent: '',
  'in a head': 'GET / HTTP/1.1\r\nHost: a\r\nX-Y: ',
  'in a body': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhal',
  'in a chunk': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhal',
  'at rest': 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
};

async function standStill(port: number, sends: string): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < EACH) {
    const part = Array.from({ length: 50 }, () => connect(port, '127.0.0.1'));
    for (const socket of part) socket.on('error', () => undefined);
    await Promise.all(part.map((socket) => once(socket, 'connect')));
    for (const socket of part) if (sends !== '') socket.write(sends);
    sockets.push(...part);
  }
  return sockets;
}

test('two thousand that stand still', async () => {
  const [backend] = (await startBackends('one')) as [NamedBackend];
  await using weir = await WeirProcess.start(`
listeners:
  web: { bind: "127.0.0.1:0", pool: web, timeouts: { header: 10m, body: 10m, idle: 10m } }
pools:
  web: { backends: ["${backend.address}"] }
admin: { bind: "127.0.0.1:0" }
`);
  const port = weir.port();
  const open = 'weir_listener_connections{listener="web"}';
  const inFlight = `weir_backend_in_flight{pool="web",backend="${backend.address}"}`;
  const still: Socket[] = [];
  using other = new Visitor(port);
  for (const sends of Object.values(kinds)) {
    still.push(...(await standStill(port, sends)));
    expect((await other.ask('/')).status).toBe(200);
  }
  await untilMetrics(weir, (samples) => samples.get(open) === 5 * EACH + 1 && samples.get(inFlight) === 2 * EACH);
  for (let i = 0; i < 200; i++) {
    const { status, isReused } = await other.ask(`/${i}`);
    expect([status, isReused]).toEqual([200, true]);
  }
  for (const socket of still) socket.resetAndDestroy();
  await untilMetrics(weir, (samples) => samples.get(open) === 1 && samples.get(inFlight) === 0);
  expect((await other.ask('/')).isReused).toBe(true);
  expect((await metricsOf(weir)).get('weir_http_errors_total{listener="web",error="client-aborted",side="client"}')).toBe(2 * EACH);
  await backend.stop();
});
