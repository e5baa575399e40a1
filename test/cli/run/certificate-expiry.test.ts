/** A proxy that runs for longer than its certificates last says so each day. */
import { expect, it } from 'vitest';
import { warnOfExpiry } from '../../../src/cli/run/certificate-expiry.ts';
import type { ListenerSpec, TlsSpec } from '../../../src/shared/snapshot.ts';

const DAY_MS = 86_400_000;

it('warns of what ends within two weeks, by listener and file', () => {
  let nowMs = Date.UTC(2030, 0, 1);
  let daily = (): void => {};
  const told: unknown[] = [];
  const clock = { wallMs: () => nowMs, monotonicMs: () => 0, after: () => ({ cancel() {} }), every: (periodMs: number, run: () => void) => ((daily = run), expect(periodMs).toBe(DAY_MS), { cancel() {} }) };
  const certificates = [{ label: 'a.crt', expiresAtMs: nowMs + 15 * DAY_MS }, { label: 'b.crt', expiresAtMs: nowMs + 90 * DAY_MS }] as unknown as TlsSpec['certificates'];
  const listeners: Pick<ListenerSpec, 'name' | 'tls'>[] = [{ name: 'web', tls: { certificates } as TlsSpec }, { name: 'plain', tls: null }];
  warnOfExpiry(clock, { warn: (text, fields) => void told.push([text, fields]) }, () => listeners);
  daily();
  expect(told).toEqual([]);
  nowMs += 2 * DAY_MS;
  daily();
  nowMs += 14 * DAY_MS;
  daily();
  expect(told).toEqual([
    ['a certificate expires soon', { listener: 'web', certificate: 'a.crt', expires: '2030-01-16T00:00:00.000Z' }],
    ['a certificate has expired', { listener: 'web', certificate: 'a.crt', expires: '2030-01-16T00:00:00.000Z' }],
  ]);
});
