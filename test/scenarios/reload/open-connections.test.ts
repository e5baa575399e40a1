/** Routes, limits and timeouts of a new config hold from the next request on, over connections that are open. */
import { expect, test } from 'vitest';
import { startBackends, type NamedBackend } from '../../support/named-backend.ts';
import { Visitor } from '../../support/visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

test('the next request on an open connection', async () => {
  const [a, b] = (await startBackends('a', 'b')) as [NamedBackend, NamedBackend];
  const config = (routes: string, more: string, log = ''): string => `
listeners:
  web: { bind: "127.0.0.1:0", routes: [${routes}]${more} }
pools:
  a: { backends: ["${a.address}"] }
  b: { backends: ["${b.address}"] }
admin: { bind: "127.0.0.1:0" }
${log}`;
  const routes = (to: string, timeouts = ''): string => `{ match: { path: /up }, respond: { status: 200, body: ${to} } }, { pool: ${to}${timeouts} }`;
  await using weir = await WeirProcess.start(config(routes('a'), ''));
  using visitor = new Visitor(weir.port());
  using other = new Visitor(weir.port());
  expect(await visitor.ask('/up')).toMatchObject({ body: 'a' });
  expect(await visitor.ask('/')).toMatchObject({ backend: 'a', isReused: true });

  // A request under way ends as it began, whatever its route is now.
  const held = other.ask('/hold');
  await a.until(() => a.held.length === 1);
  expect(await weir.edit(config(routes('b', ', timeouts: { response: 300ms }'), ', limits: { bodySize: 1KiB, headerCount: 20 }'))).toMatchObject({ text: 'config runs' });
  expect(await visitor.ask('/up')).toMatchObject({ body: 'b', isReused: true });
  expect(await visitor.ask('/')).toMatchObject({ backend: 'b', isReused: true });
  expect(await visitor.ask('/hold')).toMatchObject({ status: 504, isReused: true });
  expect(await visitor.ask('/', { method: 'POST', body: 'x'.repeat(1025) })).toMatchObject({ status: 413, isReused: true });
  a.release();
  expect(await held).toMatchObject({ status: 200, backend: 'a' });
  expect(await other.ask('/')).toMatchObject({ backend: 'b', isReused: true });

  // The log's level is that of the moment too.
  expect(weir.log.some(({ level }) => level === 'debug')).toBe(false);
  expect(await weir.edit(config(routes('b', ', timeouts: { response: 300ms }'), ', timeouts: { idle: 200ms }', 'log: { level: debug }'))).toMatchObject({ text: 'config runs' });
  expect(await other.ask('/hold')).toMatchObject({ status: 504, isReused: true });
  expect(await weir.line(({ text }) => text === 'an attempt failed')).toMatchObject({ level: 'debug', error: 'response-timeout', backend: b.address });
  // After that answer the new idle time counts: the connection is gone before it is an hour, or a minute, old.
  while (other.isOpen) await new Promise((resolve) => setImmediate(resolve));
  await a.stop();
  await b.stop();
});
