/**
 * A bound on how long a step of the store is waited for. What comes later is
 * passed over: calls are numbered, so that a step taken late does no harm.
 */
import type { Clock } from '../../base/clock.ts';
import { StoreAway } from '../store/tier-store.ts';

/** After a busy turn timers run before the sockets are read: an answer that is here already must win. */
const READ_GRACE_MS = 1;

/** Rejects with StoreAway if `step` has not settled within `withinMs`. */
export function answerInTime<T>(clock: Clock, withinMs: number, step: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer = clock.after(withinMs, () => {
      timer = clock.after(READ_GRACE_MS, () => reject(new StoreAway(`no answer in ${Math.round(withinMs)} ms`)));
    });
    step.then(resolve, reject).finally(() => timer.cancel());
  });
}
