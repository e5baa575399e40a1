/** Who does not read holds up who sends, and what is held in between is bounded. */
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { listenerColumns } from '../../../src/shared/counter-pages.ts';
import { listenerCount, tcpScenario, until, type TcpScenario } from '../../support/tcp-scenario.ts';

const MB = 1024 * 1024;
/** More than the kernel holds on four sockets. */
const SENT = 96 * MB;
/** Reads of the proxy that may wait in it: two, of 64 KiB each. */
const HELD_MAX = 4 * 64 * 1024;

/** Writes SENT bytes as they are taken, then ends. */
function pour(socket: Socket): void {
  const part = Buffer.alloc(MB, 1);
  let left = SENT / MB;
  const more = (): void => {
    while (left > 0) {
      left--;
      if (!socket.write(part)) return void socket.once('drain', more);
    }
    socket.end();
  };
  more();
}

/** Resolves with the count once it has stood still for some ticks. */
async function untilStill(s: TcpScenario, column: number): Promise<number> {
  const { wheel } = s.engine.context;
  let count = -1;
  for (let sinceTick = wheel.now; wheel.now < sinceTick + 4 || count < MB; ) {
    const now = listenerCount(s, column);
    if (now !== count) sinceTick = wheel.now;
    count = now;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return count;
}

test('a client that does not read holds up the backend, and misses nothing', async () => {
  const s = await tcpScenario(pour);
  const client = await s.client();
  client.socket.pause();
  const before = process.memoryUsage().arrayBuffers;
  const read = await untilStill(s, listenerColumns.bytesOut);
  expect(read).toBeLessThan(SENT / 2);
  // The backend's own part is its socket's queue.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * MB + HELD_MAX);
  let received = 0;
  client.socket.removeAllListeners('data').on('data', (bytes: Buffer) => (received += bytes.length));
  client.socket.resume();
  await client.untilEnd();
  expect(received).toBe(SENT);
});

test('a backend that does not read holds up the client, and misses nothing', async () => {
  const s = await tcpScenario((socket) => void socket.pause());
  const client = await s.client();
  pour(client.socket);
  expect(await untilStill(s, listenerColumns.bytesIn)).toBeLessThan(SENT / 2);
  const [backend] = s.origins[0]!.sockets;
  let received = 0;
  let ended = false;
  backend!.on('data', (bytes: Buffer) => (received += bytes.length)).on('end', () => (ended = true)).resume();
  await until(() => ended);
  expect(received).toBe(SENT);
});

test('a client that is reset while it is held up takes its backend with it', async () => {
  const s = await tcpScenario(pour);
  const client = await s.client();
  client.socket.pause();
  await untilStill(s, listenerColumns.bytesOut);
  client.socket.resetAndDestroy();
  await until(() => s.origins[0]!.sockets[0]!.destroyed);
  await until(() => s.engine.plane.openConnections === 0);
});
