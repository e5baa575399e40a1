/** After a known set of requests the counters say exactly that, gauges are back at zero, and no counter falls with a worker. */
import { expect, test } from 'vitest';
import type { NamedBackend} from '../../support/named-backend.ts';
import { startBackends } from '../../support/named-backend.ts';
import { refusingPort } from '../../support/odd-backends.ts';
import { rawVisit } from '../../support/raw-visit.ts';
import { metricsOf, untilMetrics, untilStatus, type Samples } from '../../support/visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

function config(good: NamedBackend, refusing: string): string {
  return `
listeners:
  web:
    bind: "127.0.0.1:0"
    limits: { bodySize: 1KiB }
    routes:
      - { name: gone, match: { path: /gone }, respond: { status: 410 } }
      - { name: moved, match: { path: /old }, redirect: { prefix: /new, status: 308 } }
      - { name: flaky, match: { path: /flaky }, pool: flaky }
      - { name: dead, match: { path: /dead }, pool: dead }
      - { name: late, match: { path: /hold }, pool: web, timeouts: { response: 200ms } }
      - { name: main, match: { path: [/x, /status, /drop] }, pool: web }
pools:
  web: { backends: ["${good.address}"], connections: { idle: 200ms } }
  flaky: { algorithm: first, backends: ["${refusing}", "${good.address}"], outlier: off, connections: { idle: 200ms } }
  dead: { backends: ["${refusing}"], outlier: off }
admin: { bind: "127.0.0.1:0" }
`;
}

/** Each over a connection of its own: [request line and more, status, how often]. */
const requests: readonly (readonly [head: string, status: number, times: number, body?: string])[] = [
  ['GET /x', 200, 3],
  ['HEAD /x', 200, 1],
  ['POST /x', 200, 2, 'hello'],
  ['PROPFIND /x', 200, 1],
  ['GET /status/404', 404, 1],
  ['DELETE /status/503', 503, 2],
  ['GET /gone', 410, 2],
  ['GET /old/a', 308, 1],
  ['GET /elsewhere', 404, 1],
  ['GET /flaky', 200, 2],
  ['PUT /flaky', 200, 1, 'again'],
  ['GET /dead', 503, 1],
  ['GET /drop', 502, 1],
  ['POST /drop', 502, 1, 'once'],
  ['GET /hold', 504, 1],
  ['POST /x', 413, 1, 'x'.repeat(1025)],
];
const sentCount = requests.reduce((sum, [, , times]) => sum + times, 0);

/** What the requests above, and one that cannot be read, leave behind on the clients' side. */
const frontCounters = {
  'http_requests_total{listener="web",method="GET",code="200"}': 5,
  'http_requests_total{listener="web",method="GET",code="308"}': 1,
  'http_requests_total{listener="web",method="GET",code="404"}': 2,
  'http_requests_total{listener="web",method="GET",code="410"}': 2,
  'http_requests_total{listener="web",method="GET",code="502"}': 1,
  'http_requests_total{listener="web",method="GET",code="503"}': 1,
  'http_requests_total{listener="web",method="GET",code="504"}': 1,
  'http_requests_total{listener="web",method="HEAD",code="200"}': 1,
  'http_requests_total{listener="web",method="POST",code="200"}': 2,
  'http_requests_total{listener="web",method="POST",code="413"}': 1,
  'http_requests_total{listener="web",method="POST",code="502"}': 1,
  'http_requests_total{listener="web",method="PUT",code="200"}': 1,
  'http_requests_total{listener="web",method="DELETE",code="503"}': 2,
  'http_requests_total{listener="web",method="other",code="200"}': 1,
  'http_requests_total{listener="web",method="other",code="400"}': 1,
  'http_errors_total{listener="web",error="bad-request",side="client"}': 1,
  'http_errors_total{listener="web",error="body-too-large",side="client"}': 1,
  'http_errors_total{listener="web",error="no-route",side="self"}': 1,
  'http_errors_total{listener="web",error="connect-refused",side="backend"}': 1,
  'http_errors_total{listener="web",error="connection-lost",side="backend"}': 2,
  'http_errors_total{listener="web",error="response-timeout",side="backend"}': 1,
  'listener_connections_total{listener="web"}': sentCount + 1,
  'route_requests_total{listener="web",route="gone",code="4xx"}': 2,
  'route_requests_total{listener="web",route="moved",code="3xx"}': 1,
  'route_requests_total{listener="web",route="flaky",code="2xx"}': 3,
  'route_requests_total{listener="web",route="dead",code="5xx"}': 1,
  'route_requests_total{listener="web",route="late",code="5xx"}': 1,
  'route_requests_total{listener="web",route="main",code="2xx"}': 7,
  'route_requests_total{listener="web",route="main",code="4xx"}': 1,
  'route_requests_total{listener="web",route="main",code="5xx"}': 4,
};

function backCounters(good: string, refusing: string): Record<string, number> {
  return {
    'pool_response_seconds_count{pool="web"}': 10,
    'pool_response_seconds_count{pool="flaky"}': 3,
    [`backend_requests_total{pool="web",backend="${good}",code="2xx"}`]: 7,
    [`backend_requests_total{pool="web",backend="${good}",code="4xx"}`]: 1,
    [`backend_requests_total{pool="web",backend="${good}",code="5xx"}`]: 2,
    // Three lost (a GET twice, a POST once) and one late.
    [`backend_requests_total{pool="web",backend="${good}",code="error"}`]: 4,
    [`backend_requests_total{pool="flaky",backend="${refusing}",code="error"}`]: 3,
    [`backend_requests_total{pool="flaky",backend="${good}",code="2xx"}`]: 3,
    [`backend_requests_total{pool="dead",backend="${refusing}",code="error"}`]: 3,
    [`backend_response_seconds_count{pool="web",backend="${good}"}`]: 10,
    [`backend_response_seconds_count{pool="flaky",backend="${good}"}`]: 3,
    [`backend_failures_total{pool="web",backend="${good}",reason="broken"}`]: 3,
    [`backend_failures_total{pool="web",backend="${good}",reason="timeout"}`]: 1,
    [`backend_failures_total{pool="flaky",backend="${refusing}",reason="connect"}`]: 3,
    [`backend_failures_total{pool="dead",backend="${refusing}",reason="connect"}`]: 3,
    [`backend_retries_total{pool="web",backend="${good}"}`]: 1,
    [`backend_retries_total{pool="flaky",backend="${good}"}`]: 3,
    [`backend_retries_total{pool="dead",backend="${refusing}"}`]: 2,
  };
}

async function sendAll(port: number): Promise<{ sent: number; received: number; statuses: number[] }> {
  const total = { sent: 0, received: 0, statuses: [] as number[] };
  for (const [head, , times, body = ''] of requests) {
    for (let i = 0; i < times; i++) {
      const visit = await rawVisit(port, `${head} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${body === '' ? '' : `Content-Length: ${body.length}\r\n`}\r\n${body}`);
      total.sent += visit.sent;
      total.received += visit.received;
      total.statuses.push(Number(visit.text.split(' ')[1]));
    }
  }
  return total;
}

/** Samples that are not zero of the families named, without their prefix. */
function nonZero(samples: Samples, families: RegExp): Record<string, number> {
  return Object.fromEntries([...samples].filter(([name, value]) => value !== 0 && families.test(name)).map(([name, value]) => [name.slice('weir_'.length), value]));
}

test('counters', async () => {
  const [good] = (await startBackends('good')) as [NamedBackend];
  const refusing = `127.0.0.1:${await refusingPort()}`;
  await using weir = await WeirProcess.start(config(good, refusing), { env: { WEIR_TEST_HOOKS: '1' } });
  const port = weir.port();
  const wire = await sendAll(port);
  expect(wire.statuses).toEqual(requests.flatMap(([, status, times]) => Array<number>(times).fill(status)));
  const bad = await rawVisit(port, 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');

  const counted = (samples: Samples): boolean => samples.get('weir_http_request_duration_seconds_count{listener="web"}') === sentCount;
  const open = (samples: Samples): number => [...samples].filter(([name]) => /^weir_(listener_connections\{|backend_(in_flight|connections)\{)/.test(name)).reduce((sum, [, value]) => sum + value, 0);
  const samples = await untilMetrics(weir, (now) => counted(now) && open(now) === 0);

  expect(nonZero(samples, /^weir_(http_requests_total|http_errors_total|listener_(connections|bytes)_total|route_requests_total)/)).toEqual({
    ...frontCounters,
    'listener_bytes_total{listener="web",direction="received"}': wire.sent + bad.sent,
    'listener_bytes_total{listener="web",direction="sent"}': wire.received + bad.received,
  });
  expect(nonZero(samples, /^weir_(pool_response_seconds_count|backend_(requests|failures|retries)_total|backend_response_seconds_count)/)).toEqual(backCounters(good.address, refusing));
  const wireOf = (direction: string): number => ['web', 'flaky'].reduce((sum, pool) => sum + samples.get(`weir_backend_bytes_total{pool="${pool}",backend="${good.address}",direction="${direction}"}`)!, 0);
  expect([wireOf('sent'), wireOf('received')]).toEqual([good.bytesIn, good.bytesOut]);

  // Both workers die; what they counted stays, what they held does not.
  for (const from of [weir.log.length, weir.log.length + 1]) {
    weir.signal('SIGUSR2');
    await weir.line(({ text }) => text === 'worker died', from);
  }
  await untilStatus(weir, ({ workers }) => workers.every(({ state, restarts }) => state === 'running' && restarts === 1));
  const after = await metricsOf(weir);
  const counters = /^weir_(http_|listener_(connections|bytes)_total|route_|pool_response|backend_(requests|failures|retries|bytes)_total|backend_response)/;
  expect(nonZero(after, counters)).toEqual(nonZero(samples, counters));
  expect((await sendAll(port)).statuses).toEqual(wire.statuses);
  await untilMetrics(weir, (now) => now.get('weir_http_request_duration_seconds_count{listener="web"}') === 2 * sentCount && open(now) === 0);
  await good.stop();
});
