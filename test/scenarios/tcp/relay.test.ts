/** What one side of a tcp connection does, the other meets: bytes, FIN by direction, RST. */
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { echo, openConnections, tcpScenario, until } from '../../support/tcp-scenario.ts';

test('bytes go over and back, and both ends close', async () => {
  const s = await tcpScenario(echo);
  const client = await s.client();
  client.send('one');
  await client.until((received) => received === 'one');
  client.send('two');
  await client.until((received) => received === 'onetwo');
  client.socket.end();
  await client.untilEnd();
  await until(() => openConnections(s) === 0 && s.origins[0]!.sockets[0]!.destroyed);
  expect(client.error).toBeNull();
});

test('a server that speaks first is not made to wait', async () => {
  const s = await tcpScenario((socket) => void socket.write('220 hello\r\n'));
  const client = await s.client();
  expect(await client.until((received) => received.endsWith('\n'))).toBe('220 hello\r\n');
});

test('large transfers arrive as they were, in both directions at once', async () => {
  const s = await tcpScenario(echo);
  const client = await s.client();
  const sent = randomBytes(24 * 1024 * 1024);
  const parts: Buffer[] = [];
  client.socket.removeAllListeners('data').on('data', (bytes: Buffer) => parts.push(bytes));
  client.socket.end(sent);
  await client.untilEnd();
  expect(Buffer.concat(parts).equals(sent)).toBe(true);
});

test('a client that ends its sending side still gets its answer', async () => {
  const s = await tcpScenario((socket) => {
    let asked = '';
    socket.on('data', (bytes: Buffer) => (asked += bytes.toString()));
    socket.on('end', () => socket.end(`answer to ${asked}`));
  });
  const client = await s.client();
  client.socket.end('all of it');
  expect(await client.untilEnd()).toBe('answer to all of it');
  await until(() => openConnections(s) === 0);
});

test('a backend that ends its sending side still gets what the client sends', async () => {
  let received = '';
  const s = await tcpScenario((socket) => {
    socket.end('bye');
    socket.on('data', (bytes: Buffer) => (received += bytes.toString()));
    socket.on('end', () => (received += ' END'));
  });
  const client = await s.client();
  expect(await client.untilEnd()).toBe('bye');
  expect(client.isClosed).toBe(false);
  client.socket.end('after that');
  await until(() => received === 'after that END');
  await until(() => openConnections(s) === 0);
});

test('a client that ends at once, without a byte, is passed on as that', async () => {
  let ended = false;
  const s = await tcpScenario((socket) => void socket.on('end', () => (ended = true)).resume());
  const client = await s.client();
  client.socket.end();
  await until(() => ended);
  s.origins[0]!.sockets[0]!.end('late');
  expect(await client.untilEnd()).toBe('late');
});

test('RST of the client is RST to the backend', async () => {
  const s = await tcpScenario(echo);
  const client = await s.client();
  client.send('x');
  await client.until((received) => received === 'x');
  const [socket] = s.origins[0]!.sockets;
  let error: NodeJS.ErrnoException | null = null;
  socket!.on('error', (met) => (error = met));
  client.socket.resetAndDestroy();
  await until(() => error !== null);
  expect(error!.code).toBe('ECONNRESET');
  await until(() => openConnections(s) === 0);
});

test('RST of the backend is RST to the client', async () => {
  const s = await tcpScenario((socket) => void socket.once('data', () => socket.resetAndDestroy()));
  const client = await s.client();
  client.send('x');
  await until(() => client.isClosed);
  expect(client.error?.code).toBe('ECONNRESET');
  await until(() => openConnections(s) === 0);
});

test('RST after half an end is passed on too', async () => {
  const s = await tcpScenario((socket) => void socket.on('end', () => socket.resetAndDestroy()).resume());
  const client = await s.client();
  client.socket.end('x');
  await until(() => client.isClosed);
  expect(client.error?.code).toBe('ECONNRESET');
  await until(() => openConnections(s) === 0);
});
