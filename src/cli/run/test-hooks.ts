/**
 * Handles for tests of the whole process, which exist only with
 * WEIR_TEST_HOOKS=1 in the environment: USR2 makes a worker throw outside any
 * connection's boundary, WEIR_TEST_WORKER names another module for the
 * workers to run, WEIR_TEST_WALL_AHEAD_MS is by how much the main thread's
 * wall clock is wrong, and WEIR_TEST_TICKET_ROTATION_MS is how long a key of
 * session tickets is in use.
 */
import { pathToFileURL } from 'node:url';
import type { Clock } from '../../base/clock.ts';
import type { WorkerFleet } from '../../control-plane/workers/worker-fleet.ts';

const enabled = process.env['WEIR_TEST_HOOKS'] === '1';

export function workerUrlOr(standard: URL): URL {
  const own = process.env['WEIR_TEST_WORKER'];
  return enabled && own !== undefined ? pathToFileURL(own) : standard;
}

/** Each signal crashes the next worker in turn. */
export function crashOnSignal(fleet: WorkerFleet): void {
  if (!enabled) return;
  let next = 0;
  process.on('SIGUSR2', () => fleet.crash(next++ % fleet.counters.length));
}

export function ticketRotationOr(standardMs: number): number {
  const ownMs = Number(process.env['WEIR_TEST_TICKET_ROTATION_MS'] ?? 0);
  return enabled && ownMs > 0 ? ownMs : standardMs;
}

export function clockOr(standard: Clock): Clock {
  const aheadMs = Number(process.env['WEIR_TEST_WALL_AHEAD_MS'] ?? 0);
  return enabled && aheadMs !== 0 ? { ...standard, wallMs: () => standard.wallMs() + aheadMs } : standard;
}
