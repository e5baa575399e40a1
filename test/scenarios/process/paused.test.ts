/** A proxy that stood still costs its clients the delay and nothing else: no deadline of theirs ran meanwhile. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { WeirProcess } from '../../support/weir-process.ts';

/** Longer than the listener's `idle` and `header`. */
const PAUSE_MS = 3500;

test('kept connections and half a request outlive a pause that is longer than their time', { timeout: 60_000 }, async () => {
  await using weir = await WeirProcess.start(`
listeners:
  web: { bind: "127.0.0.1:0", timeouts: { header: 3s, idle: 3s }, routes: [{ respond: { status: 200, body: here } }] }
pools: {}
admin: { bind: "127.0.0.1:0" }
`);
  const open = async (text: string): Promise<(rest: string) => Promise<string>> => {
    const socket = connect(weir.port(), '127.0.0.1');
    await once(socket, 'connect');
    const closed = once(socket, 'close').then(() => Promise.reject(new Error('closed')));
    closed.catch(() => undefined);
    socket.write(text);
    return async (rest) => {
      socket.write(rest);
      const [bytes] = (await Promise.race([once(socket, 'data'), closed])) as [Buffer];
      return bytes.toString();
    };
  };
  const kept = await open('');
  expect(await kept('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
  const begun = await open('GET / HTTP/1.1\r\n');
  weir.signal('SIGSTOP');
  await pause(PAUSE_MS);
  weir.signal('SIGCONT');
  // Its timers have run by then.
  for (let turn = 0; turn < 20; turn++) expect((await weir.get('/')).status).toBe(200);
  expect(await kept('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
  expect(await begun('Host: a\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
});
