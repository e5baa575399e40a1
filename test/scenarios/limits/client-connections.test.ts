/** limits.connections is one number for all workers: connections at rest give way, in whichever worker they are; then newcomers are closed. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { startBackends, type NamedBackend } from '../../support/named-backend.ts';
import { metricsOf, untilMetrics, visit, Visitor, visitorsOnBoth } from '../../support/visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

test('over both workers', async () => {
  const [backend] = (await startBackends('one')) as [NamedBackend];
  await using weir = await WeirProcess.start(`
listeners:
  web: { bind: "127.0.0.1:0", limits: { connections: 4 }, pool: web }
pools:
  web: { backends: ["${backend.address}"] }
admin: { bind: "127.0.0.1:0" }
`);
  const port = weir.port();
  const open = 'weir_listener_connections{listener="web"}';
  // Places go to newcomers as long as anyone is at rest, though it be in the other worker.
  const [near, far] = await visitorsOnBoth(port, 2);
  expect((await metricsOf(weir)).get(open)).toBeLessThanOrEqual(4);
  const workers = new Set<string>();
  for (let i = 0; i < 12 || workers.size < 2; i++) {
    const newcomer = new Visitor(port);
    const { status, worker } = await newcomer.ask();
    expect(status).toBe(200);
    workers.add(worker);
  }
  expect((await metricsOf(weir)).get('weir_listener_refused_total{listener="web",reason="limit"}')).toBe(0);
  for (const visitor of [...near, ...far]) visitor.close();

  // Four that are busy, whoever they are, keep everybody else out.
  const busy: ReturnType<typeof visit>[] = [];
  while (busy.length < 4) {
    busy.push(visit(port, '/hold'));
    await backend.until(() => backend.held.length === busy.length);
  }
  const refused = connect(port, '127.0.0.1');
  refused.on('error', () => undefined);
  await once(refused, 'close');
  expect((await untilMetrics(weir, (samples) => samples.get('weir_listener_refused_total{listener="web",reason="limit"}')! > 0)).get(open)).toBe(4);
  backend.release();
  expect((await Promise.all(busy)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect((await visit(port)).status).toBe(200);
  await backend.stop();
});
