/** The date that answers carry: formatted once a tick for all connections (1.5 µs each time otherwise, and 0.1 µs only to ask for the time). */
import type { WorkerContext } from '../live/worker-context.ts';

/** What tells the date: the time, and how long a look at it is good for. */
export type AnswerClock = Pick<WorkerContext, 'wheel' | 'clock'>;

let tick = 0;
let text = '';

/** The value of Date; the same string as long as it is the same second. */
export function dateText({ wheel, clock }: AnswerClock): string {
  if (wheel.now !== tick) {
    tick = wheel.now;
    const now = new Date(clock.wallMs()).toUTCString();
    if (now !== text) text = now;
  }
  return text;
}
