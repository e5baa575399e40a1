import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LimitTable } from '../../../src/shared/limit-table.ts';
import { limitRequest, limitTable, passes, routeLimit } from '../../support/limit-rig.ts';

const HOUR_MS = 3_600_000;

describe('a bucket', () => {
  it('holds its burst exactly, and fills at its rate', () => {
    const limit = routeLimit(limitTable());
    expect(passes(limit, '10.0.0.1', 0, 300)).toBe(200);
    expect(passes(limit, '10.0.0.1', 9, 1)).toBe(0);
    expect(passes(limit, '10.0.0.1', 500, 300)).toBe(50);
    expect(passes(limit, '10.0.0.1', 60_000, 300)).toBe(200);
  });

  it.each([
    [1, 1000, 1], [3, 1000, 1], [7, 60_000, 3], [5, HOUR_MS, 5], [1, HOUR_MS, 24], [333, 1000, 1000], [1_000_000, 1000, 1_000_000], [1_000_000, 1000, 1000],
  ])('of %d in %d ms with burst %d gives what it says over a long time', (count, periodMs, burst) => {
    const limit = routeLimit(limitTable(), { count, periodMs, burst });
    expect(passes(limit, 'a', 0, burst + 5)).toBe(burst);
    const perMs = count / periodMs;
    const stepMs = Math.max(1, Math.floor(burst / perMs / 50));
    let admitted = 0;
    for (let step = 1; step <= 500; step++) admitted += passes(limit, 'a', step * stepMs, Math.min(burst, Math.ceil(stepMs * perMs) + 1));
    const due = 500 * stepMs * perMs;
    expect(admitted).toBeLessThanOrEqual(due + 1e-6);
    expect(admitted).toBeGreaterThanOrEqual(Math.floor(due * 0.97) - 1);
  });

  it('never gives more than rate × T + burst', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 2, max: 500 }), fc.array(fc.tuple(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 1, max: 40 })), { maxLength: 60 }), (count, burst, visits) => {
        const limit = routeLimit(limitTable({ nowMs: 2 ** 31 - 20_000 }), { count, burst });
        const startMs = 2 ** 31 - 20_000;
        let nowMs = startMs;
        const admitted: { atMs: number; requests: number }[] = [];
        for (const [waitMs, requests] of visits) {
          nowMs += waitMs;
          admitted.push({ atMs: nowMs, requests: passes(limit, 'a', nowMs, requests) });
        }
        let worst = -Infinity;
        for (let from = 0; from < admitted.length; from++) {
          let sum = 0;
          for (let to = from; to < admitted.length; to++) {
            sum += admitted[to]!.requests;
            worst = Math.max(worst, sum - ((admitted[to]!.atMs - admitted[from]!.atMs) * count) / 1000 - burst);
          }
        }
        expect(worst).toBeLessThanOrEqual(1e-6);
      }),
      { seed: 7, numRuns: 150 },
    );
  });

  it('fills on when the table’s time wraps', () => {
    const wrapMs = 2 ** 31;
    const limit = routeLimit(limitTable({ nowMs: wrapMs - 1000 }));
    expect(passes(limit, 'a', wrapMs - 500, 300)).toBe(200);
    expect(passes(limit, 'a', wrapMs + 500, 300)).toBe(100);
  });

  it('stays as full as it was when a reload changes what it holds', () => {
    const table = limitTable();
    expect(passes(routeLimit(table, { burst: 200 }), 'a', 0, 150)).toBe(150);
    expect(passes(routeLimit(table, { burst: 400 }), 'a', 0, 400)).toBe(100);
    expect(passes(routeLimit(table, { burst: 400, count: 10 }), 'a', 1000, 400)).toBe(10);
  });
});

describe('keys', () => {
  it('are apart: clients, routes, and what is counted', () => {
    const table = limitTable();
    const first = routeLimit(table, { burst: 1 });
    expect(passes(first, '10.0.0.1', 0, 2)).toBe(1);
    expect(passes(first, '10.0.0.2', 0, 2)).toBe(1);
    expect(passes(routeLimit(table, { burst: 1 }, { route: 'other' }), '10.0.0.1', 0, 2)).toBe(1);
    expect(passes(routeLimit(table, { burst: 1, key: { kind: 'path', name: '' } }), '10.0.0.1', 0, 2)).toBe(1);
    expect(passes(routeLimit(table, { burst: 1 }), '10.0.0.1', 0, 2)).toBe(0);
  });

  it.each([
    ['header', { headers: { name: ['x', 'y'] } }],
    ['cookie', { headers: { cookie: ['other=1; name=x'] } }],
    ['query', { query: 'name=x&name=y' }],
    ['path', { path: 'x' }],
  ] as const)('by %s', (kind, fields) => {
    const limit = routeLimit(limitTable(), { burst: 1, key: { kind, name: kind === 'path' ? '' : 'name' } });
    expect(limit.admits(limitRequest('10.0.0.1', fields), 0)).toBe(true);
    expect(limit.admits(limitRequest('10.0.0.2', fields), 0)).toBe(false);
  });

  it('that a request lacks are its client’s address, which no value passes for', () => {
    const limit = routeLimit(limitTable(), { burst: 1, key: { kind: 'header', name: 'x-user' } });
    expect(limit.admits(limitRequest('10.0.0.1', { headers: { 'x-user': ['10.0.0.1'] } }), 0)).toBe(true);
    expect(limit.admits(limitRequest('10.0.0.1'), 0)).toBe(true);
    expect(limit.admits(limitRequest('10.0.0.1'), 0)).toBe(false);
    expect(limit.admits(limitRequest('10.0.0.2', { headers: { 'x-user': [''] } }), 0)).toBe(true);
  });

  it('of IPv6 are the first 64 bits', () => {
    const limit = routeLimit(limitTable(), { burst: 1 });
    expect(passes(limit, '2001:db8:0:1::1', 0, 1)).toBe(1);
    expect(passes(limit, '2001:db8:0:1:ffff::2', 0, 1)).toBe(0);
    expect(passes(limit, '2001:db8:0:2::1', 0, 1)).toBe(1);
  });
});

describe('a full table', () => {
  it('keeps the buckets of busy keys while new ones pour in', () => {
    const table = limitTable({ sets: 16 });
    const limit = routeLimit(table, { count: 1, periodMs: 60_000, burst: 10 });
    for (const busy of ['a', 'b', 'c']) expect(passes(limit, busy, 0, 20)).toBe(10);
    for (let i = 0; i < 20_000; i++) expect(passes(limit, `flood ${i}`, 1, 1)).toBe(1);
    for (const busy of ['a', 'b', 'c']) expect(passes(limit, busy, 1, 20)).toBe(0);
  });

  it('takes no more memory', () => {
    const table = limitTable({ sets: 16 });
    const { byteLength } = table.memory.cells;
    const limit = routeLimit(table);
    for (let i = 0; i < 5000; i++) passes(limit, `${i}`, 0, 1);
    expect(table.memory.cells.byteLength).toBe(byteLength);
  });

  it('of the default size is a few MiB', () => {
    expect(LimitTable.create(8, new Int32Array(2), 0).memory.cells.byteLength).toBeLessThan(4 * 2 ** 20);
  });

  it('forgets what is full again, and nothing else', () => {
    const table = limitTable({ sets: 128 });
    const limit = routeLimit(table);
    passes(limit, 'quiet', 0, 1);
    passes(limit, 'busy', 0, 200);
    const { cells } = table.memory;
    const used = (): number => new Int32Array(cells).reduce((sum, cell) => sum + (cell === 0 ? 0 : 1), 0);
    const before = used();
    table.sweep(9);
    expect(used()).toBe(before);
    table.sweep(10);
    expect(used()).toBe(before - 1);
    expect(passes(limit, 'busy', 10, 200)).toBe(1);
  });
});

describe('workers', () => {
  it('share each bucket', () => {
    const table = limitTable({ workers: 2 });
    const first = routeLimit(new LimitTable(table.memory, 0), { burst: 10 });
    const second = routeLimit(new LimitTable(table.memory, 1), { burst: 10 });
    expect(passes(first, 'a', 0, 6)).toBe(6);
    expect(passes(second, 'a', 0, 6)).toBe(4);
    expect(passes(first, 'a', 0, 1)).toBe(0);
  });
});

describe('the answer to a refused request', () => {
  it.each([
    [{ burst: 1 }, 'Retry-After: 1\r\nRateLimit-Policy: "default";q=100;w=1\r\nRateLimit: "default";r=0;t=1\r\n'],
    [{ count: 4, periodMs: 60_000, burst: 1 }, 'Retry-After: 15\r\nRateLimit-Policy: "default";q=4;w=60\r\nRateLimit: "default";r=0;t=15\r\n'],
    [{ count: 5, periodMs: HOUR_MS, burst: 1 }, 'Retry-After: 720\r\nRateLimit-Policy: "default";q=5;w=3600\r\nRateLimit: "default";r=0;t=720\r\n'],
  ])('of %o says when one more passes', (patch, fields) => {
    const limit = routeLimit(limitTable(), patch);
    expect(passes(limit, 'a', 0, 2)).toBe(1);
    expect(limit.refusalFields()).toBe(fields);
    const seconds = Number(/^Retry-After: (\d+)/.exec(limit.refusalFields())![1]);
    expect(passes(limit, 'a', seconds * 1000, 1)).toBe(1);
  });
});
