import { afterEach, beforeEach, expect, test } from 'vitest';
import { onSignals } from '../../../src/cli/run/signals.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
let end = (): void => {};
/** Those of whoever else lives in this process: they would take the signals for real. */
let others: NodeJS.SignalsListener[][] = [];

beforeEach(() => {
  others = SIGNALS.map((signal) => process.listeners(signal) as NodeJS.SignalsListener[]);
  for (const signal of SIGNALS) process.removeAllListeners(signal);
});
afterEach(() => {
  end();
  SIGNALS.forEach((signal, i) => others[i]!.forEach((listener) => process.on(signal, listener)));
});

function listen(): { clock: VirtualClock; seen: string[] } {
  const clock = new VirtualClock();
  const seen: string[] = [];
  end = onSignals({ stop: (signal) => seen.push(`stop ${signal}`), exitNow: (code) => seen.push(`exit ${code}`), reload: () => seen.push('reload') }, clock);
  return { clock, seen };
}

test('the same signal twice in a moment, as npm passes it on, counts once', () => {
  const { seen } = listen();
  process.emit('SIGINT', 'SIGINT');
  process.emit('SIGINT', 'SIGINT');
  expect(seen).toEqual(['stop SIGINT']);
});

test('a second one later ends it at once, and so does another one at any time', async () => {
  const { clock, seen } = listen();
  process.emit('SIGTERM', 'SIGTERM');
  process.emit('SIGINT', 'SIGINT');
  await clock.advance(300);
  process.emit('SIGTERM', 'SIGTERM');
  expect(seen).toEqual(['stop SIGTERM', 'exit 130', 'exit 143']);
});

test('HUP reloads, however often', () => {
  const { seen } = listen();
  process.emit('SIGHUP', 'SIGHUP');
  process.emit('SIGHUP', 'SIGHUP');
  expect(seen).toEqual(['reload', 'reload']);
});
