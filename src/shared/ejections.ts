/**
 * The two ways out of and into an ejection, over shared rows, for both planes:
 * a backend's flag and its pool's count change together, and of several
 * threads at once exactly one makes the change, so that the count cannot leak.
 *
 * Whoever gives a backend's row to another backend lifts its ejection first
 * (main thread); a worker that drops a backend on reload lifts it too.
 */
import { isAfter, type BackendRow, type PoolRow } from './backend-table.ts';

/** How many backends of a pool may be ejected at once: one of two always, the last one never. */
export function ejectionLimit(backends: number, maxEjectedShare: number): number {
  if (backends < 2) return 0;
  const share = Math.floor(backends * maxEjectedShare * (1 + 1e-12));
  return Math.min(Math.max(share, 1), backends - 1);
}

/** Ejects until table time `untilMs`; false if it is ejected already or `limit` backends of the pool are. */
export function placeEjection(pool: PoolRow, backend: BackendRow, untilMs: number, limit: number): boolean {
  if (backend.ejected || !pool.takeEjection(limit)) return false;
  if (backend.eject(untilMs)) {
    pool.bumpEpoch();
    return true;
  }
  pool.releaseEjection();
  return false;
}

/** True if this call lifted an ejection. */
export function liftEjection(pool: PoolRow, backend: BackendRow): boolean {
  if (!backend.readmit()) return false;
  pool.releaseEjection();
  pool.bumpEpoch();
  return true;
}

/** Lifts it if its time has ended at table time `nowMs`. */
export function liftExpiredEjection(pool: PoolRow, backend: BackendRow, nowMs: number): boolean {
  if (!backend.ejected || isAfter(backend.ejectedUntil, nowMs)) return false;
  return liftEjection(pool, backend);
}
