/** Backends given by a name: found off the data path, and a name nobody knows is a backend that is down, no config error. */
import { expect, test } from 'vitest';
import { startBackends, type NamedBackend } from '../../support/named-backend.ts';
import { statusOf, visit } from '../../support/visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

test.each(['', 'health: { type: http, path: /health, interval: 100ms, timeout: 2s }'])('a name serves, one that does not resolve is down with its reason [%s]', async (health) => {
  const [backend] = (await startBackends('here')) as [NamedBackend];
  await using weir = await WeirProcess.start(`
listeners:
  web: { bind: "127.0.0.1:0", pool: web }
pools:
  web:
    backends: ["localhost:${backend.port}", "nowhere.invalid:80"]
    ${health}
admin: { bind: "127.0.0.1:0" }
`);
  expect(await weir.line(({ text, address }) => text === 'backend down' && address === 'nowhere.invalid:80')).toMatchObject({ reason: expect.stringContaining('name does not resolve') });
  for (let i = 0; i < 6; i++) expect(await visit(weir.port())).toMatchObject({ status: 200, backend: 'here' });
  const { pools, state, reasons } = await statusOf(weir);
  expect([state, reasons]).toEqual(['ready', []]);
  expect(pools['web']!.backends).toMatchObject([
    { address: `localhost:${backend.port}`, verdict: 'up' },
    { address: 'nowhere.invalid:80', verdict: 'down', reason: expect.stringContaining('name does not resolve') },
  ]);
  // Host is the name as the client sent it; where the name leads is nobody's concern but the proxy's.
  expect(backend.asked.findLast(({ path }) => path !== '/health')!.headers.host).toBe(`127.0.0.1:${weir.port()}`);
  await backend.stop();
});
