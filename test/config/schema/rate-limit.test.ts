import { describe, expect, it } from 'vitest';
import { snapshotOf, routeOf } from '../../support/load-whole.ts';

describe('a rate limit', () => {
  it('is absent by default', () => {
    expect(routeOf('pool: web').rateLimit).toBeNull();
    expect(snapshotOf('listeners: { web: { bind: ":80", pool: web } }\npools: { web: { backends: [10.0.0.1:80] } }\n').listeners[0]!.routes[0]!.rateLimit).toBeNull();
  });

  it.each([
    ['100/s', 100, 1000, 100], ['10/m', 10, 60_000, 1], ['90/m', 90, 60_000, 1], ['600/m', 600, 60_000, 10], ['5/h', 5, 3_600_000, 1], ['1000000/s', 1_000_000, 1000, 1_000_000],
  ])('of %s has the burst of a second, 1 at least', (rate, count, periodMs, burst) => {
    expect(routeOf(`pool: web, rateLimit: { rate: ${rate} }`).rateLimit).toEqual({ key: { kind: 'client-ip', name: '' }, count, periodMs, burst, scope: 'tier' });
  });

  it('takes a key as for balancing', () => {
    expect(routeOf('pool: web, rateLimit: { rate: 1/s, key: "header:X-Api-Key", burst: 7, scope: proxy }').rateLimit).toMatchObject({ key: { kind: 'header', name: 'x-api-key' }, burst: 7, scope: 'proxy' });
  });
});
