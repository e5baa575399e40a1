/** The load generators over real sockets, against the real backend of the benches and against broken ones. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkEcho } from '../../../bench/load/check-answers.ts';
import { HeldConnections } from '../../../bench/load/held-connections.ts';
import { runRawLoad } from '../../../bench/load/raw-load.ts';
import { findScenario, WEBSOCKET_PATH } from '../../../bench/load/scenarios.ts';
import { runWebSocketLoad } from '../../../bench/load/websocket-load.ts';

const small = { ...findScenario('small'), connections: 3 };
const echo = { ...small, path: WEBSOCKET_PATH, uploadBytes: 128 };

let origin: ChildProcess;
let port: number;
beforeAll(async () => {
  origin = fork(fileURLToPath(new URL('../../../bench/load/origin.ts', import.meta.url)), []);
  [{ port }] = (await once(origin, 'message')) as [{ port: number }];
});
afterAll(async () => {
  const ended = once(origin, 'exit');
  origin.disconnect();
  await ended;
});

const broken: Server[] = [];
afterEach(() => {
  for (const each of broken.splice(0)) each.close();
});

/** Answers everything it is sent with the same bytes. */
async function answering(bytes: string): Promise<number> {
  const listening = createServer((socket) => {
    socket.on('data', () => socket.write(bytes, 'latin1'));
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  broken.push(listening);
  await once(listening, 'listening');
  return (listening.address() as { port: number }).port;
}

describe('the closed loop', () => {
  it('counts answers, and none as an error', async () => {
    const result = await runRawLoad(small, port, 500);
    expect(result).toMatchObject({ errors: 0 });
    expect(result.requests).toBeGreaterThan(0);
  });

  it('counts an answer of another length or status as an error', async () => {
    for (const head of ['HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n'.padEnd(200, 'x'), 'HTTP/1.1 502 Bad\r\n\r\n']) {
      const result = await runRawLoad(small, await answering(head), 20);
      expect(result.requests).toBe(0);
      expect(result.errors).toBeGreaterThan(0);
    }
  });
});

describe('WebSockets', () => {
  it('have their messages back', async () => {
    const result = await runWebSocketLoad(echo, port, 50);
    expect(result).toMatchObject({ errors: 0 });
    // Each has one at least: the end is looked at when a message has come back.
    expect(result.requests).toBeGreaterThanOrEqual(echo.connections);
    await checkEcho('the backend itself', port, echo);
  });

  it('are an error where the upgrade is refused', async () => {
    const refusing = await answering('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    expect(await runWebSocketLoad(echo, refusing, 20)).toMatchObject({ requests: 0, errors: echo.connections });
    await expect(checkEcho('it', refusing, echo)).rejects.toThrow('does not give back');
  });
});

describe('held connections', () => {
  it('have one answer each, then as many as the rate asks for, and are released whole', async () => {
    const held = new HeldConnections(small, port);
    expect(await held.open()).toMatchObject({ requests: small.connections, errors: 0 });
    const paced = await held.pace(200, 250);
    expect(paced.errors).toBe(0);
    // Exponential gaps with a fixed seed: about 50, the same every time.
    expect(paced.requests).toBeGreaterThan(30);
    expect(paced.requests).toBeLessThan(70);
    expect(await held.pace(200, 250)).toMatchObject({ requests: paced.requests });
    expect(await held.release()).toMatchObject({ errors: 0 });
  });

  it('answers every request that was due, also when all connections were busy', async () => {
    const held = new HeldConnections({ ...small, connections: 1 }, port);
    await held.open();
    const burst = await held.pace(5000, 100);
    expect(burst.requests).toBeGreaterThan(400);
    await held.release();
  });

  it('are an error when the other side closes them', async () => {
    const listening = createServer((socket) => {
      socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${small.answerBytes}\r\n\r\n${'x'.repeat(small.answerBytes)}`));
      socket.on('error', () => {});
    }).listen(0, '127.0.0.1');
    broken.push(listening);
    await once(listening, 'listening');
    const closed = Promise.withResolvers<void>();
    let open = small.connections;
    listening.on('connection', (socket) => socket.on('close', () => (open -= 1) === 0 && closed.resolve()));
    const held = new HeldConnections(small, (listening.address() as { port: number }).port);
    await held.open();
    await closed.promise;
    expect((await held.release()).errors).toBe(small.connections);
  });
});
