/** One line for each tcp connection, with the bytes of both directions and how it ended. */
import { expect, test } from 'vitest';
import type { RawClient } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { RecordedLines } from '../../support/recorded-lines.ts';
import { echo, openConnections, tcpScenario, until, type OnConnection, type TcpPatch, type TcpScenario } from '../../support/tcp-scenario.ts';

interface Logged extends TcpScenario {
  readonly lines: RecordedLines;
}

async function logged(onConnection: OnConnection, patch: TcpPatch = {}): Promise<Logged> {
  const scenario = await tcpScenario(onConnection, patch);
  const lines = new RecordedLines();
  scenario.engine.context.accessLog = lines.log;
  return { ...scenario, lines };
}

/** Connected, and the backend has answered. */
async function busy(s: TcpScenario): Promise<RawClient> {
  const client = await s.client();
  client.send('hello');
  await client.until((received) => received === 'hello');
  return client;
}

async function untilErrors(s: Logged, ...errors: string[]): Promise<void> {
  await until(() => s.lines.entries.length >= errors.length && openConnections(s) === 0);
  expect(s.lines.errors).toEqual(errors);
}

test('ended by its peers: its bytes, its times, its backend, and no error', async () => {
  const s = await logged(echo);
  const client = await busy(s);
  expect(s.lines.entries).toEqual([]);
  client.socket.end();
  await untilErrors(s, '');
  expect(s.lines.entries).toEqual([
    {
      time: expect.any(Number), listener: 'front', route: 'all', pool: 'web', backend: `127.0.0.1:${s.origins[0]!.port}`, client: '127.0.0.1', method: 'TCP', target: '-', httpVersion: 0, host: '', status: 0,
      bytesIn: 5, bytesOut: 5, durationMs: expect.any(Number), backendMs: expect.any(Number), attempts: 1, error: '', requestId: '', referer: '', userAgent: '',
    },
  ]);
});

test('reset by the client, by the backend after bytes, and by the backend before any', async () => {
  let isSilent = false;
  const s = await logged((socket) => {
    if (!isSilent) return void socket.pipe(socket);
    socket.once('data', () => socket.resetAndDestroy());
  });
  (await busy(s)).socket.resetAndDestroy();
  await untilErrors(s, 'client-aborted');
  await busy(s);
  s.origins[0]!.sockets.at(-1)!.resetAndDestroy();
  await untilErrors(s, 'client-aborted', 'response-incomplete');
  isSilent = true;
  const last = await s.client();
  last.send('x');
  await untilErrors(s, 'client-aborted', 'response-incomplete', 'connection-lost');
  expect(s.lines.entries.at(-1)).toMatchObject({ bytesIn: 1, bytesOut: 0 });
});

test('silent for too long, and cut at the end of the proxy', async () => {
  const s = await logged(echo, { listener: { timeouts: { idleMs: 200 } } });
  await busy(s);
  await untilErrors(s, 'idle-timeout');
  await busy(s);
  s.engine.plane.cut();
  await untilErrors(s, 'idle-timeout', 'shutting-down');
});

test('its backend went down, and the pool says close', async () => {
  const s = await logged(echo, { pool: { onDown: 'close' } });
  await busy(s);
  s.engine.context.table.backend(0).verdict = 'down';
  s.engine.context.table.pool(0).bumpEpoch();
  await untilErrors(s, 'backend-gone');
});

test('no backend took it: how many were tried, and how the last one failed', async () => {
  const s = await logged(echo, { before: [await freePort(), await freePort()], pool: { algorithm: { name: 'first', module: null, options: {}, key: { kind: 'client-ip', name: '' } } } });
  await busy(s);
  s.engine.plane.cut();
  await untilErrors(s, 'shutting-down');
  expect(s.lines.entries[0]).toMatchObject({ attempts: 3, backend: `127.0.0.1:${s.origins[0]!.port}` });
  s.origins[0]!.stop();
  // It may hear of the reset before it knows that it is connected.
  await s.client().catch(() => undefined);
  await untilErrors(s, 'shutting-down', 'connect-refused');
  expect(s.lines.entries[1]).toMatchObject({ attempts: 3, bytesIn: 0, bytesOut: 0, backendMs: -1 });
});
