/**
 * Handles for tests of the whole process, which exist only with
 * WEIR_TEST_HOOKS=1 in the environment: USR2 makes a worker throw outside any
 * connection's boundary, and WEIR_TEST_WORKER names another module for the
 * workers to run.
 */
import { pathToFileURL } from 'node:url';
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
