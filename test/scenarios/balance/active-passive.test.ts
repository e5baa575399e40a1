/** A backend of priority 1 serves only while those of priority 0 cannot; real probes say who can. */
import { expect, test } from 'vitest';
import type { NamedBackend} from '../../support/named-backend.ts';
import { startBackends } from '../../support/named-backend.ts';
import { metricsOf, statusOf, Visitor } from '../../support/visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

const HEALTH = '{ type: http, interval: 100ms, timeout: 2s, rise: 2, fall: 2, fastInterval: 50ms }';

test('the secondary serves while the primary is down, and no longer', async () => {
  const [primary, secondary] = (await startBackends('primary', 'secondary')) as [NamedBackend, NamedBackend];
  await using weir = await WeirProcess.start(`
listeners:
  web: { bind: "127.0.0.1:0", pool: web }
pools:
  web:
    backends: ["${primary.address}", { address: "${secondary.address}", priority: 1 }]
    health: ${HEALTH}
    outlier: off
admin: { bind: "127.0.0.1:0" }
`);
  using visitor = new Visitor(weir.port());
  for (let i = 0; i < 5; i++) expect((await visitor.ask()).backend).toBe('primary');

  let from = weir.log.length;
  await primary.stop();
  expect(await weir.line(({ text }) => text === 'backend down', from)).toMatchObject({ pool: 'web', address: primary.address, from: 'up', reason: expect.stringContaining('refused') });
  for (let i = 0; i < 5; i++) expect((await visitor.ask()).backend).toBe('secondary');
  const { pools } = await statusOf(weir);
  expect(pools['web']).toMatchObject({ panic: false, counts: { total: 2, usable: 1, up: 1, down: 1 }, backends: [{ verdict: 'down', priority: 0 }, { verdict: 'up', priority: 1 }] });

  from = weir.log.length;
  await primary.listen();
  await weir.line(({ text }) => text === 'backend up', from);
  for (let i = 0; i < 5; i++) expect((await visitor.ask()).backend).toBe('primary');
  const asked = (backend: NamedBackend): string[] => backend.asked.filter(({ worker }) => worker !== '').map(({ path }) => path);
  expect([asked(primary), asked(secondary)]).toEqual([Array(10).fill('/'), Array(5).fill('/')]);
  await primary.stop();
  await secondary.stop();
});

test('below the panic threshold verdicts no longer count, and status, metrics and log of it say so', async () => {
  const backends = await startBackends('a', 'b', 'c');
  const [a, b] = backends as [NamedBackend, NamedBackend];
  await using weir = await WeirProcess.start(`
listeners:
  web: { bind: "127.0.0.1:0", pool: web }
pools:
  web:
    backends: ${JSON.stringify(backends.map(({ address }) => address))}
    health: { type: http, path: /health, interval: 100ms, timeout: 2s, rise: 2, fall: 2, fastInterval: 50ms, expect: 200 }
    panicThreshold: 50%
admin: { bind: "127.0.0.1:0" }
`);
  const panic = 'weir_pool_panic{pool="web"}';
  const served = async (): Promise<string[]> => {
    const names = new Set<string>();
    for (let i = 0; i < 12; i++) names.add((await visitor.ask()).backend);
    return [...names].sort();
  };
  using visitor = new Visitor(weir.port());

  // One of three down is 67 % usable: the two others serve.
  a.unwell = true;
  await weir.line(({ text, address }) => text === 'backend down' && address === a.address);
  expect(await served()).toEqual(['b', 'c']);
  expect((await metricsOf(weir)).get(panic)).toBe(0);

  // Two of three down is 33 %: all serve, for probes may lie, and one of three would drown.
  b.unwell = true;
  await weir.line(({ text, address }) => text === 'backend down' && address === b.address);
  expect(await served()).toEqual(['a', 'b', 'c']);
  expect((await metricsOf(weir)).get(panic)).toBe(1);
  expect((await metricsOf(weir)).get('weir_pool_backends{pool="web",verdict="down"}')).toBe(2);
  expect((await statusOf(weir)).pools['web']).toMatchObject({ panic: true, counts: { usable: 1 } });

  const from = weir.log.length;
  b.unwell = false;
  await weir.line(({ text }) => text === 'backend up', from);
  expect(await served()).toEqual(['b', 'c']);
  expect((await metricsOf(weir)).get(panic)).toBe(0);
  for (const backend of backends) await backend.stop();
});
