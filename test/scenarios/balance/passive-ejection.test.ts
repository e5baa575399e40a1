/** Without any probe a backend that refuses is left out at once, clients do not notice, and it comes back; never the last one. */
import { expect, test } from 'vitest';
import type { NamedBackend} from '../../support/named-backend.ts';
import { startBackends } from '../../support/named-backend.ts';
import { metricsOf, statusOf, untilStatus, visit, Visitor } from '../../support/visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

function config(addresses: readonly string[]): string {
  return `
listeners:
  web: { bind: "127.0.0.1:0", pool: web }
pools:
  web: { backends: ${JSON.stringify(addresses)}, outlier: { ejectFor: 5s } }
admin: { bind: "127.0.0.1:0" }
`;
}

test('one that refuses is ejected with the first connect, retried elsewhere, and back after its time', async () => {
  const backends = await startBackends('a', 'b', 'c');
  const [a, b] = backends as [NamedBackend, NamedBackend];
  await using weir = await WeirProcess.start(config(backends.map(({ address }) => address)));
  const port = weir.port();
  await a.stop();
  for (let i = 0; i < 12; i++) expect((await visit(port)).status).toBe(200);
  expect(await weir.line(({ text }) => text === 'backend ejected')).toMatchObject({ level: 'warn', pool: 'web', address: a.address, reason: 'refused' });

  // Back after its time, which traffic has to show: nothing probes it.
  await a.listen();
  await untilStatus(weir, ({ pools }) => pools['web']!.backends![0]!.ejected === false);
  while ((await visit(port)).backend !== 'a');
  const samples = await metricsOf(weir);
  const refused = samples.get(`weir_backend_failures_total{pool="web",backend="${a.address}",reason="connect"}`)!;
  expect(refused).toBeGreaterThan(0);
  const retried = backends.reduce((sum, { address }) => sum + samples.get(`weir_backend_retries_total{pool="web",backend="${address}"}`)!, 0);
  expect(retried).toBe(refused);

  // Two of three may not be out at once (maxEjected 50 %), so the second is only retried around.
  await a.stop();
  await b.stop();
  for (let i = 0; i < 12; i++) expect((await visit(port)).backend).toBe('c');
  expect((await statusOf(weir)).pools['web']!.counts.ejected).toBeLessThanOrEqual(1);
  for (const backend of backends) await backend.stop();
});

test('status and metrics show who is ejected', async () => {
  const [a, b] = (await startBackends('a', 'b')) as [NamedBackend, NamedBackend];
  await using weir = await WeirProcess.start(config([a.address, b.address]));
  await a.stop();
  // Ejections double up to 5 s: within one of them there is time to look.
  let seen = false;
  while (!seen) {
    expect((await visit(weir.port())).status).toBe(200);
    const { pools } = await statusOf(weir);
    const samples = await metricsOf(weir);
    const out = samples.get(`weir_backend_ejected{pool="web",backend="${a.address}"}`);
    if (pools['web']!.backends![0]!.ejected !== (out === 1)) continue;
    seen = out === 1;
    if (seen) expect(pools['web']).toMatchObject({ counts: { usable: 1, up: 2, ejected: 1 }, backends: [{ verdict: 'up', ejected: true }, { verdict: 'up', ejected: false }] });
  }
  await b.stop();
});

test('the last one is never ejected: it is tried, and serves as soon as it is back', async () => {
  const [only] = (await startBackends('only')) as [NamedBackend];
  await using weir = await WeirProcess.start(config([only.address]));
  using visitor = new Visitor(weir.port());
  await only.stop();
  for (let i = 0; i < 5; i++) expect((await visitor.ask()).status).toBe(503);
  expect((await statusOf(weir)).pools['web']).toMatchObject({ counts: { usable: 1, ejected: 0 } });
  await only.listen();
  expect((await visitor.ask()).backend).toBe('only');
});
