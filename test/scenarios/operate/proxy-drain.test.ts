/** `weir drain` takes a proxy out of rotation without turning anyone away, and `weir undrain` brings it back. */
import { expect, test } from 'vitest';
import { startBackends, type NamedBackend } from '../../support/named-backend.ts';
import { statusOf, visit, Visitor } from '../../support/visitor.ts';
import { weirCommand } from '../../support/weir-command.ts';
import { WeirProcess } from '../../support/weir-process.ts';

test('readyz says so, open connections leave with their next answer, new ones are served', async () => {
  const [backend] = (await startBackends('one')) as [NamedBackend];
  await using weir = await WeirProcess.start(`
listeners:
  web: { bind: "127.0.0.1:0", pool: web }
pools:
  web: { backends: ["${backend.address}"] }
admin: { bind: "127.0.0.1:0" }
`);
  const port = weir.port();
  const admin = ['--admin', `http://127.0.0.1:${weir.adminPort}`];
  const visitors = Array.from({ length: 6 }, () => new Visitor(port));
  for (const visitor of visitors) expect((await visitor.ask()).headers.connection).toBeUndefined();
  using late = new Visitor(port);
  const held = late.ask('/hold');
  await backend.until(() => backend.held.length === 1);

  expect(await weirCommand('drain', ...admin, '--reason', 'kernel')).toEqual({ code: 0, out: 'this proxy is draining\n', said: '' });
  const ready = await weir.admin('/readyz');
  expect([ready.status, JSON.parse(ready.body)]).toMatchObject([503, { reasons: ['draining'] }]);
  // Workers are told in messages of their own, so an answer or two may still be without.
  for (const visitor of visitors) {
    let answer = await visitor.ask();
    while (answer.headers.connection !== 'close') {
      expect(answer).toMatchObject({ status: 200, isReused: true });
      answer = await visitor.ask();
    }
    expect(answer).toMatchObject({ status: 200, isReused: true, backend: 'one' });
  }
  expect(await visit(port)).toMatchObject({ status: 200, headers: { connection: 'close' } });
  backend.release();
  expect(await held).toMatchObject({ status: 200, headers: { connection: 'close' } });
  expect((await statusOf(weir)).state).toBe('draining');

  expect(await weirCommand('undrain', ...admin)).toEqual({ code: 0, out: 'this proxy is ready\n', said: '' });
  expect((await weir.admin('/readyz')).status).toBe(200);
  for (const visitor of visitors) while ((await visitor.ask()).headers.connection === 'close');
  for (const visitor of visitors) expect(await visitor.ask()).toMatchObject({ status: 200, isReused: true });
  for (const visitor of visitors) visitor.close();
  await backend.stop();
});
