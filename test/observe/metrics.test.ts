import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { METRICS_CONTENT_TYPE, Metrics, families } from '../../src/observe/metrics.ts';
import { backendColumns, listenerColumns, poolColumns, requestCell, routeColumns, BACKEND_FAILURES, CounterPages } from '../../src/shared/counter-pages.ts';
import { errorIndex } from '../../src/base/errors.ts';
import { AdminWorld, largeSnapshot } from '../support/admin-world.ts';
import { plainListener, plainPool } from '../support/plain-snapshot.ts';

const small = { listeners: [plainListener('web', 0, '127.0.0.1', ['a"b\\c\nd'])], pools: [plainPool('web', ['10.0.0.1:80', '10.0.0.2:80'])] };

async function page(world: AdminWorld, backends = true): Promise<string> {
  let text = '';
  for await (const chunk of new Metrics(world).render({ backends })) text += chunk;
  return text;
}

/** `name{labels}` to value. */
function samples(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const space = line.lastIndexOf(' ');
    expect(found.has(line.slice(0, space)), line).toBe(false);
    found.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return found;
}

/** Adds to one cell of one worker. */
function add(world: AdminWorld, worker: number, kind: 'listeners' | 'routes' | 'pools' | 'backends', row: number, column: number, value: number): void {
  const { cells, base } = world.counters[worker]![kind].at(row);
  cells[base + column]! += value;
}

describe('the page', () => {
  it('is text that Prometheus reads: HELP and TYPE before the samples of each family, no family twice', async () => {
    const text = await page(new AdminWorld({ snapshot: small }));
    expect(METRICS_CONTENT_TYPE).toBe('text/plain; version=0.0.4; charset=utf-8');
    const seen: string[] = [];
    let family = '';
    for (const line of text.trimEnd().split('\n')) {
      if (line === '') continue;
      const header = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
      if (header !== null) {
        if (header[1] === 'HELP') seen.push((family = header[2]!));
        expect(header[2]).toBe(family);
        continue;
      }
      expect(line).toMatch(/^[a-z0-9_]+(\{([a-z]+="([^"\\\n]|\\["\\n])*",?)+\})? [-+0-9.e]+(Inf)?$/);
      expect(line.startsWith(family), line).toBe(true);
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((name) => !name.startsWith('weir_') && !name.startsWith('process_'))).toEqual([]);
    expect(seen).toContain('process_cpu_seconds_total');
    expect(text.endsWith('\n')).toBe(true);
  });

  it('sums the workers', async () => {
    const world = new AdminWorld({ snapshot: small });
    for (const worker of [0, 1]) {
      add(world, worker, 'listeners', 0, requestCell(0, 204), 2);
      add(world, worker, 'listeners', 0, listenerColumns.errors + errorIndex['no-route'], 1);
      add(world, worker, 'listeners', 0, listenerColumns.durationBuckets + 2, 3);
      add(world, worker, 'listeners', 0, listenerColumns.durationBuckets + 15, 1);
      add(world, worker, 'listeners', 0, listenerColumns.bytesOut, 100);
      add(world, worker, 'routes', 0, routeColumns.codeClass + 4, 5);
      add(world, worker, 'routes', 0, routeColumns.errors, 6);
      add(world, worker, 'pools', 0, poolColumns.responseSecondsSum, 0.25);
      add(world, worker, 'backends', 1, backendColumns.codeClass + 1, 7);
      for (let f = 0; f < BACKEND_FAILURES.length; f++) add(world, worker, 'backends', 1, backendColumns.failures + f, 1);
      add(world, worker, 'backends', 1, backendColumns.connectionsIdle, 2);
    }
    world.table.backend(1).takeConnection(0);
    for (let i = 0; i < 5; i++) world.table.backend(1).takeConnection(0);
    world.table.listener(0).addConnections(9);
    const found = samples(await page(world));
    const expected = {
      'weir_http_requests_total{listener="web",method="GET",code="204"}': 4,
      'weir_http_errors_total{listener="web",error="no-route",side="self"}': 2,
      'weir_http_errors_total{listener="web",error="internal",side="self"}': 0,
      'weir_http_request_duration_seconds_bucket{listener="web",le="0.001"}': 0,
      'weir_http_request_duration_seconds_bucket{listener="web",le="0.0025"}': 6,
      'weir_http_request_duration_seconds_bucket{listener="web",le="30"}': 6,
      'weir_http_request_duration_seconds_bucket{listener="web",le="+Inf"}': 8,
      'weir_http_request_duration_seconds_count{listener="web"}': 8,
      'weir_listener_connections{listener="web"}': 9,
      'weir_listener_bytes_total{listener="web",direction="sent"}': 200,
      'weir_route_requests_total{listener="web",route="a\\"b\\\\c\\nd",code="5xx"}': 10,
      'weir_route_requests_total{listener="web",route="a\\"b\\\\c\\nd",code="error"}': 12,
      'weir_pool_response_seconds_sum{pool="web"}': 0.5,
      'weir_backend_requests_total{pool="web",backend="10.0.0.2:80",code="2xx"}': 14,
      'weir_backend_failures_total{pool="web",backend="10.0.0.2:80",reason="connect"}': 8,
      'weir_backend_failures_total{pool="web",backend="10.0.0.2:80",reason="timeout"}': 4,
      'weir_backend_failures_total{pool="web",backend="10.0.0.2:80",reason="broken"}': 6,
      'weir_backend_connections{pool="web",backend="10.0.0.2:80",state="idle"}': 4,
      'weir_backend_connections{pool="web",backend="10.0.0.2:80",state="active"}': 2,
      'weir_build_info{version="1.2.3"}': 1,
      'weir_config_version': 1,
    };
    for (const [name, value] of Object.entries(expected)) expect(found.get(name), name).toBe(value);
  });

  it('tells verdicts, probes and panic of an idle pool too', async () => {
    const world = new AdminWorld({ snapshot: small });
    world.table.backend(0).verdict = 'down';
    world.table.backend(1).verdict = 'down';
    world.probes.set('web', { passed: 10, failed: 4, toUp: 1, toDown: 2 });
    const found = samples(await page(world));
    expect(found.get('weir_pool_backends{pool="web",verdict="down"}')).toBe(2);
    expect(found.get('weir_pool_backends{pool="web",verdict="up"}')).toBe(0);
    expect(found.get('weir_pool_panic{pool="web"}')).toBe(1);
    expect(found.get('weir_probes_total{pool="web",result="fail"}')).toBe(4);
    expect(found.get('weir_verdict_changes_total{pool="web",to="down"}')).toBe(2);
    expect(found.get('weir_backend_up{pool="web",backend="10.0.0.1:80"}')).toBe(0);
  });

  it('does not let a counter fall when a worker is replaced', async () => {
    const world = new AdminWorld({ snapshot: small });
    add(world, 1, 'listeners', 0, requestCell(2, 200), 41);
    const key = 'weir_http_requests_total{listener="web",method="POST",code="200"}';
    const before = samples(await page(world)).get(key);
    // Its replacement maps the pages of its index and counts on.
    const replacement = new CounterPages();
    replacement.adopt(world.counters[1]!.memory());
    const { cells, base } = replacement.listeners.at(0);
    cells[base + requestCell(2, 200)]! += 1;
    world.workerViews = [world.workerViews[0]!, { ...world.workerViews[1]!, restarts: 1 }];
    const after = samples(await page(world));
    expect([before, after.get(key), after.get('weir_worker_restarts_total')]).toEqual([41, 42, 1]);
  });

  it('forgets what a config no longer names', async () => {
    const world = new AdminWorld({ snapshot: { ...small, pools: [...small.pools, plainPool('old', ['10.9.9.9:80'])] } });
    expect(await page(world)).toContain('10.9.9.9');
    world.load(small);
    const text = await page(world);
    expect(text).not.toMatch(/10\.9\.9\.9|pool="old"/);
    expect(text).toContain('10.0.0.2:80');
  });

  it('without backends has no series of a single one, and all the rest', async () => {
    const world = new AdminWorld({ snapshot: small });
    const names = (text: string): string[] => [...text.matchAll(/^# TYPE (weir_\S+)/gm)].map(([, name]) => name!);
    const without = await page(world, false);
    expect(without).not.toContain('10.0.0.1:80');
    expect(names(without)).toEqual(names(await page(world)).filter((name) => !name.startsWith('weir_backend_')));
  });

  it('has at most 20 series a backend', async () => {
    const text = await page(new AdminWorld({ snapshot: small }));
    const lines = text.split('\n').filter((line) => line.includes('backend="10.0.0.1:80"'));
    expect(lines.length).toBeLessThanOrEqual(20);
    expect(lines.length).toBeGreaterThan(0);
  });

  it('is there before the first config', async () => {
    const world = new AdminWorld();
    world.config = null;
    const found = samples(await page(world));
    expect(found.get('weir_worker_utilization_ratio{worker="0"}')).toBe(0.25);
    expect(found.has('weir_config_version')).toBe(false);
  });
});

describe('a page of many backends', () => {
  it('turns the loop at least once for each 500 of a family’s', async () => {
    const world = new AdminWorld({ snapshot: largeSnapshot(4, 1000) });
    let turns = 0;
    let counting = true;
    const count = (): void => {
      turns += 1;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    await page(world);
    counting = false;
    const perBackend = families.filter(({ name }) => name.startsWith('weir_backend_')).length;
    expect(turns).toBeGreaterThan((perBackend * 4000) / 500);
  });
});

describe('docs/metrics.md', () => {
  const doc = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  /** Rows of the form | `weir_name` | type | labels | … |. */
  const rows = [...doc.matchAll(/^\| `(weir_\w+)` \| (\w+) \| ([^|]*) \|/gm)].map(([, name, type, labels]) => ({ name, type, labels: [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label) }));

  it('has exactly the families there are, with type and labels', () => {
    const sorted = <T extends { name?: string | undefined }>(list: T[]): T[] => list.sort((a, b) => (a.name! < b.name! ? -1 : 1));
    expect(sorted(rows)).toEqual(sorted(families.map(({ name, type, labels }) => ({ name, type, labels: [...labels] }))));
  });

  it('has the names that are promised', () => {
    const promised = `http_requests_total http_request_duration_seconds http_errors_total listener_connections listener_connections_total
      listener_refused_total listener_bytes_total route_requests_total route_request_seconds pool_response_seconds pool_backends pool_panic
      probes_total verdict_changes_total backend_up backend_ejected backend_weight backend_in_flight backend_connections backend_requests_total
      backend_response_seconds backend_failures_total backend_retries_total backend_bytes_total config_version config_last_reload_successful
      config_last_reload_success_timestamp_seconds worker_utilization_ratio worker_restarts_total build_info
      tier_members tier_autonomous store_operation_seconds pool_primary pool_role_epoch pool_fenced tcp_connection_seconds http2_connections_total http2_refused_total udp_sessions udp_datagrams_total udp_dropped_total tls_handshakes_total tls_certificate_expiry_timestamp_seconds`;
    expect(families.map(({ name }) => name).sort()).toEqual(promised.split(/\s+/).map((name) => `weir_${name}`).sort());
  });
});
