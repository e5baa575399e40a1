import { expect, it } from 'vitest';
import { FailedHandshakes } from '../../../src/data-plane/live/failed-handshakes.ts';
import { TLS_RESULTS } from '../../../src/shared/counter-pages.ts';

it('tells one of each kind a minute, and how many it left out', () => {
  const failures = new FailedHandshakes();
  expect(failures.take('version', 0)).toBe(0);
  for (let i = 0; i < 1000; i++) expect(failures.take('version', i)).toBeNull();
  expect(failures.take('bad-certificate', 500)).toBe(0);
  expect(failures.take('version', 59_999)).toBeNull();
  expect(failures.take('version', 60_000)).toBe(1001);
  expect(failures.take('version', 119_999)).toBeNull();
  expect(failures.take('version', 200_000)).toBe(1);
});

it('writes no more than a line of each kind a minute, whoever fails', () => {
  const failures = new FailedHandshakes();
  let told = 0;
  for (let ms = 0; ms < 600_000; ms += 50) for (const result of TLS_RESULTS) if (failures.take(result, ms) !== null) told++;
  expect(told).toBe(10 * 10);
});

it('says nothing of what speaks no TLS, goes away, or succeeds', () => {
  const failures = new FailedHandshakes();
  for (const result of ['full', 'resumed', 'plain-text', 'no-tls', 'broken-hello', 'gone'] as const) expect(failures.take(result, 0)).toBeNull();
});
