import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { statusAnswer } from '../../../../src/control-plane/admin/answers.ts';
import { AdminWorld, largeSnapshot, LOADED_AT_MS, startAdmin, type StartedAdmin } from '../../../support/admin-world.ts';
import { turnsDuring } from '../../../support/loop-turns.ts';
import { plainBackend, plainListener, plainPool } from '../../../support/plain-snapshot.ts';
import { backendColumns } from '../../../../src/shared/counter-pages.ts';
import { statusText } from '../../../../src/control-plane/admin/status-text.ts';

let world: AdminWorld;
let started: StartedAdmin;
const HASH = 'a'.repeat(64);

beforeEach(async () => {
  const web = { ...plainPool('web', []), backends: [plainBackend('10.0.0.1:80'), { ...plainBackend('10.0.0.2:80'), weight: 3, priority: 1 }] };
  world = new AdminWorld({ snapshot: { listeners: [plainListener('front', 0, null)], pools: [web, plainPool('other', ['10.0.1.1:80'])] } });
  started = await startAdmin(world);
});
afterEach(() => started.close());

async function get(path: string): Promise<unknown> {
  const answer = await fetch(started.url + path);
  expect(answer.status).toBe(200);
  return answer.json();
}

describe('/api/v1/status', () => {
  it('tells the proxy, its listeners and its pools', async () => {
    for (const worker of [0, 1]) {
      const { cells, base } = world.counters[worker]!.backends.at(1);
      cells[base + backendColumns.codeClass + 1]! += 10;
      cells[base + backendColumns.errors]! += 1;
      cells[base + backendColumns.failures]! += 1;
    }
    const row = world.table.backend(1);
    row.verdict = 'down';
    row.storeLatency(2500, 0);
    row.addInFlight(4);
    world.notes.set(1, { sinceMs: LOADED_AT_MS, reason: 'refused', operator: null });
    world.table.listener(0).addConnections(3);
    const backends = [
      { address: '10.0.0.1:80', verdict: 'up', state: 'ready', ejected: false, since: '2026-01-02T03:04:05.678Z', reason: '', weight: 1, priority: 0, inFlight: 0, requests: 0, failures: 0, latencyMs: null },
      { address: '10.0.0.2:80', verdict: 'down', state: 'ready', ejected: false, since: '2026-01-02T03:04:05.678Z', reason: 'refused', weight: 3, priority: 1, inFlight: 4, requests: 22, failures: 2, latencyMs: 2.5 },
    ];
    expect(await get('/api/v1/status')).toMatchObject({
      node: 'proxy-a',
      state: 'ready',
      version: '1.2.3',
      config: { version: 1, hash: HASH, effectiveHash: HASH, loadedAt: '2026-01-02T03:04:05.678Z' },
      controlPlane: 'embedded',
      workers: [{ index: 0, state: 'running' }, { index: 1 }],
      listeners: { front: { protocol: 'http', binds: ['*:18080'], connections: 3 } },
      pools: {
        web: { algorithm: 'round-robin', panic: false, counts: { total: 2, usable: 1, up: 1, down: 1 }, requests: 22, failures: 2, inFlight: 4, backends },
        other: { counts: { total: 1, usable: 1 } },
      },
    });
  });

  it('shows one pool, or none of the backends', async () => {
    expect(Object.keys(statusAnswer.parse(await get('/api/v1/status?pool=other')).pools)).toEqual(['other']);
    const without = statusAnswer.parse(await get('/api/v1/status?backends=none')).pools;
    expect(Object.values(without).map(({ backends }) => backends)).toEqual([undefined, undefined]);
    expect((await fetch(`${started.url}/api/v1/status?pool=absent`)).status).toBe(404);
  });

  it('tells panic by the workers’ rule, requests or none', async () => {
    world.table.backend(0).verdict = 'down';
    world.table.backend(1).verdict = 'down';
    expect(statusAnswer.parse(await get('/api/v1/status')).pools['web']!.panic).toBe(true);
  });

  it.each([
    [1, 5000],
    [500, 10],
  ])('turns the loop at least once for each 500 backends, in %i pools of %i', async (pools, each) => {
    const large = new AdminWorld({ snapshot: largeSnapshot(pools, each) });
    let text = '';
    const turns = await turnsDuring(async () => {
      for await (const chunk of statusText(large, { pool: null, backends: true })) text += chunk;
    });
    expect(turns).toBeGreaterThanOrEqual(10);
    const shown = statusAnswer.parse(JSON.parse(text)).pools;
    expect(Object.keys(shown)).toHaveLength(pools);
    expect(shown['pool0']!.backends).toHaveLength(each);
  });
});

describe('/healthz', () => {
  it('is 503 when no worker’s loop has turned for 5 s', async () => {
    const silent = (index: number, silentMs: number): void => void (world.workerViews = world.workerViews.map((view) => (view.index === index ? { ...view, silentMs } : view)));
    silent(0, 6000);
    expect((await fetch(`${started.url}/healthz`)).status).toBe(200);
    silent(1, 6000);
    expect((await fetch(`${started.url}/healthz`)).status).toBe(503);
  });

  it('is 503 without workers, but for the start', async () => {
    world.workerViews = [];
    expect((await fetch(`${started.url}/healthz`)).status).toBe(503);
    world.proxyState = 'starting';
    expect((await fetch(`${started.url}/healthz`)).status).toBe(200);
  });
});

describe('/readyz', () => {
  it('is 503 with its reasons, and never because backends are down', async () => {
    world.table.backend(0).verdict = 'down';
    world.table.backend(1).verdict = 'down';
    world.table.backend(2).verdict = 'down';
    expect(await get('/readyz')).toEqual({ ready: true, reasons: [] });
    world.reasons = ['draining'];
    const answer = await fetch(`${started.url}/readyz`);
    expect([answer.status, await answer.json()]).toEqual([503, expect.objectContaining({ reasons: ['draining'], detail: 'This proxy is not ready: draining.' })]);
  });
});
