/** Backends that come, go and change: new ones serve from their first pass, removed ones finish, and what is known stays known. */
import { expect, test } from 'vitest';
import { startBackends, type NamedBackend } from '../../support/named-backend.ts';
import { metricsOf, statusOf, untilMetrics, visit, type VisitorAnswer } from '../../support/visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

const HEALTH = '{ type: http, path: /health, interval: 100ms, timeout: 2s, fall: 1, fastInterval: 100ms, expect: 200 }';

function config(backends: readonly NamedBackend[], more = `health: ${HEALTH}`): string {
  return `
listeners:
  web: { bind: "127.0.0.1:0", pool: web }
pools:
  web:
    backends: ${JSON.stringify(backends.map(({ address }) => address))}
    panicThreshold: 0%
    ${more}
admin: { bind: "127.0.0.1:0" }
drain: { removed: 1s }
`;
}

async function served(weir: WeirProcess): Promise<string[]> {
  const names = new Set<string>();
  for (let i = 0; i < 12; i++) names.add((await visit(weir.port())).backend);
  return [...names].sort();
}

test('an added backend is used from its first pass, a removed one is let go', async () => {
  const backends = await startBackends('a', 'b');
  const [a, b] = backends as [NamedBackend, NamedBackend];
  await using weir = await WeirProcess.start(config([a]));
  b.unwell = true;
  await weir.edit(config([a, b]));
  await b.until(() => b.asked.length > 1);
  expect(await served(weir)).toEqual(['a']);
  b.unwell = false;
  await weir.line(({ text, address }) => text === 'backend up' && address === b.address);
  expect(await served(weir)).toEqual(['a', 'b']);

  // Of what it has under way one finishes and one outlasts drain.removed; connections at rest go at once.
  const answers: Promise<VisitorAnswer>[] = [];
  while (b.held.length < 2) {
    // A GET would be sent again elsewhere when it is cut.
    answers.push(visit(weir.port(), '/hold', { method: 'POST', body: 'x' }));
    await Promise.race(backends.map((backend) => backend.until(() => a.held.length + b.held.length === answers.length)));
  }
  a.release();
  expect(await weir.edit(config([a]))).toMatchObject({ text: 'config runs' });
  await b.until(() => b.sockets.size <= 2);
  expect(await served(weir)).toEqual(['a']);
  b.held.shift()!.end('finished');
  const ended = await Promise.all(answers);
  expect(ended.filter(({ body }) => body === 'finished')).toHaveLength(1);
  expect(ended.filter(({ status }) => status !== 200)).toMatchObject([{ status: 502 }]);
  await b.until(() => b.sockets.size === 0);
  for (const backend of backends) await backend.stop();
});

test('verdicts outlast a change of health, counters and requests under way one of the algorithm', async () => {
  const backends = await startBackends('a', 'b');
  const [a, b] = backends as [NamedBackend, NamedBackend];
  await using weir = await WeirProcess.start(config(backends));
  b.unwell = true;
  await weir.line(({ text, address }) => text === 'backend down' && address === b.address);
  expect(await served(weir)).toEqual(['a']);
  const held = visit(weir.port(), '/hold');
  await a.until(() => a.held.length === 1);

  // Seldom probed from now on: what is known is from before.
  const from = weir.log.length;
  await weir.edit(config(backends, 'health: { type: tcp, interval: 1h, fastInterval: 1h }'));
  expect((await weir.admin('/readyz')).status).toBe(200);
  expect((await statusOf(weir)).pools['web']!.backends).toMatchObject([{ verdict: 'up' }, { verdict: 'down' }]);
  expect(await served(weir)).toEqual(['a']);
  expect(weir.log.slice(from).filter(({ text }) => text.startsWith('backend '))).toEqual([]);

  const requests = `weir_backend_requests_total{pool="web",backend="${a.address}",code="2xx"}`;
  const inFlight = `weir_backend_in_flight{pool="web",backend="${a.address}"}`;
  const before = await untilMetrics(weir, (samples) => samples.get(requests) === 24);
  await weir.edit(config(backends, 'algorithm: maglev\n    health: { type: tcp, interval: 1h, fastInterval: 1h }'));
  const after = await metricsOf(weir);
  expect([after.get(requests), after.get(inFlight)]).toEqual([before.get(requests), 1]);
  a.release();
  expect(await held).toMatchObject({ status: 200, backend: 'a' });
  await untilMetrics(weir, (samples) => samples.get(requests) === 25 && samples.get(inFlight) === 0);
  for (const backend of backends) await backend.stop();
});
