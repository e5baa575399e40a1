/** When its listener closes, a kept connection is told so in an answer; it is not closed under a request on its way. */
import { expect, test } from 'vitest';
import { makeListener, makePool } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { OK, scenario, type Scenario } from '../../support/engine-scenario.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const CLOSING = /^HTTP\/1\.1 200 OK\r\n(?:[^\r\n]+\r\n)*Connection: close\r\n(?:[^\r\n]+\r\n)*\r\nok$/;

const ways: [string, (s: Scenario) => void | Promise<void>][] = [
  ['the proxy stops', (s) => s.engine.plane.stop()],
  ['its listener is removed', async (s) => s.engine.load([makeListener(await freePort(), { name: 'other' })], [makePool([s.origin.port])])],
];

test.each(ways)('%s: the next request on a kept connection is answered, with Connection: close', async (_way, close) => {
  const s = await scenario(() => OK);
  const client = await s.client();
  client.send(GET);
  const first = await client.until((received) => received.endsWith('ok'));
  expect(first).not.toContain('Connection: close');
  await close(s);
  client.send(GET);
  expect((await client.untilEnd()).slice(first.length)).toMatch(CLOSING);
});

test.each(ways)('%s: the first request of a connection that was accepted before is answered', async (_way, close) => {
  const s = await scenario(() => OK);
  const client = await s.client();
  await until(() => s.engine.plane.openConnections === 1);
  await close(s);
  client.send(GET);
  expect(await client.untilEnd()).toMatch(CLOSING);
});

test.each(ways)('%s: after an answer that began before, one more request is answered', async (_way, close) => {
  let finish = (): void => {};
  const s = await scenario(({ path, socket }) => {
    if (path === '/') return OK;
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl');
    finish = () => void socket.write('ow');
    return null;
  });
  const client = await s.client();
  client.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until((received) => received.endsWith('sl'));
  await close(s);
  finish();
  const first = await client.until((received) => received.endsWith('slow'));
  expect(first).not.toContain('Connection: close');
  client.send(GET);
  expect((await client.untilEnd()).slice(first.length)).toMatch(CLOSING);
});

test.each(ways)('%s: a connection that stays silent is closed', async (_way, close) => {
  const s = await scenario(() => OK);
  const [fresh, kept] = [await s.client(), await s.client()];
  kept.send(GET);
  const first = await kept.until((received) => received.endsWith('ok'));
  await close(s);
  expect(await kept.untilEnd()).toBe(first);
  expect(await fresh.untilEnd()).toBe('');
});

/** Turns the loop until `condition` holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
