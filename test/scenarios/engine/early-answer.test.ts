import { expect, it } from 'vitest';
import type { Socket } from 'node:net';
import { Engine, makeListener, makePool, RawClient, RawOrigin } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
/** More than the buffers of both sockets take from one who does not read. */
const LARGE_BYTES = 24 * 1024 * 1024;

it('a connection whose backend answered before it took the head serves no other request', async () => {
  // The second request of the first connection is answered at its first byte, and the rest of it never read.
  const origin = await RawOrigin.start((socket: Socket, { sockets }) => {
    socket.on('data', (bytes: Buffer) => {
      if (sockets.length === 1 && bytes.includes('/large')) socket.pause();
      if (bytes.toString('latin1', 0, 4) === 'GET ') socket.write(ANSWER);
    });
  });
  const port = await freePort();
  const engine = await Engine.start([makeListener(port, { limits: { headerBytesMax: 0 } })], [makePool([origin.port])]);
  const client = await RawClient.open(port);
  const answers = (count: number): Promise<string> => client.until((received) => received.split('\r\n\r\nok').length > count);
  client.send('GET /first HTTP/1.1\r\nHost: a\r\n\r\n');
  await answers(1);
  client.send(`GET /large HTTP/1.1\r\nHost: a\r\nX-Large: ${'x'.repeat(LARGE_BYTES)}\r\n\r\n`);
  await answers(2);
  expect(origin.sockets).toHaveLength(1);
  client.send('GET /third HTTP/1.1\r\nHost: a\r\n\r\n');
  await answers(3);
  expect(origin.sockets).toHaveLength(2);
  client.close();
  engine.stop();
  origin.stop();
});
