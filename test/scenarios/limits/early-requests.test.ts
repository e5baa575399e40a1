/** What a client sent while its connection still waited for a place is read once it has one: heads, bodies and what follows them. */
import { expect, test } from 'vitest';
import { listenerColumns } from '../../../src/shared/counter-pages.ts';
import { OK, scenario, type Scenario } from '../../support/engine-scenario.ts';

/** Turns of the loop that all sockets of this process share: what has arrived is read within a few. */
async function untilRead(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
}

function accepted(s: Scenario): number {
  const { cells, base } = s.engine.context.counters.listeners.at(0);
  return cells[base + listenerColumns.connectionsTotal]!;
}

test('a request with a body, and a pipelined one behind it', async () => {
  const s = await scenario((request) => (request.path === '/first' ? null : OK), { listener: { limits: { connections: 1 } } });
  const first = await s.client();
  first.send('GET /first HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await s.origin.until(1);
  const second = await s.client();
  second.send('POST /second HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /third HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  while (accepted(s) < 2) await untilRead();
  await untilRead();
  s.origin.seen[0]!.socket.write(OK);
  await first.untilEnd();
  expect((await second.untilEnd()).split('HTTP/1.1 200 OK').length - 1).toBe(2);
  expect(s.origin.seen.map(({ path }) => path)).toEqual(['/first', '/second', '/third']);
  expect(s.origin.seen[1]!.raw).toMatch(/\r\n\r\nhello$/);
});
