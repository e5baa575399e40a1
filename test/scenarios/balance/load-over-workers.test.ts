/** Load is that of all workers: what one worker's clients keep busy, the other worker spares. */
import { expect, test } from 'vitest';
import { startBackends } from '../../support/named-backend.ts';
import { metricsOf, untilMetrics, visitorsOnBoth } from '../../support/visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

test('long requests of one worker make the other one pick the idle backend', async () => {
  const backends = await startBackends('a', 'b', 'c');
  await using weir = await WeirProcess.start(`
listeners:
  web: { bind: "127.0.0.1:0", pool: web }
pools:
  web: { algorithm: least-connections, backends: ${JSON.stringify(backends.map(({ address }) => address))} }
admin: { bind: "127.0.0.1:0" }
`);
  const [near, far] = await visitorsOnBoth(weir.port(), 2);
  const heldCount = (): number => backends.reduce((sum, { held }) => sum + held.length, 0);
  const answers = near.map((visitor) => visitor.ask('/hold'));
  await Promise.race(backends.map((backend) => backend.until(() => heldCount() === 2)));

  const idle = backends.filter(({ held }) => held.length === 0);
  expect(idle).toHaveLength(1);
  for (let i = 0; i < 10; i++) for (const visitor of far) expect((await visitor.ask()).backend).toBe(idle[0]!.name);
  const gauge = (address: string): string => `weir_backend_in_flight{pool="web",backend="${address}"}`;
  const busy = await metricsOf(weir);
  for (const { address, held } of backends) expect(busy.get(gauge(address))).toBe(held.length);

  for (const backend of backends) backend.release();
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
  await untilMetrics(weir, (samples) => backends.every(({ address }) => samples.get(gauge(address)) === 0));
  const used = new Set<string>();
  for (let i = 0; i < 9; i++) used.add((await far[0]!.ask()).backend);
  expect([...used].sort()).toEqual(['a', 'b', 'c']);
  for (const visitor of [...near, ...far]) visitor.close();
  for (const backend of backends) await backend.stop();
});
