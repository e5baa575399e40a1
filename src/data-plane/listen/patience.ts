/** How long, and for how much, a client's connection waits where no limit of the config says so. */
import { TICK_MS } from '../../base/timer-wheel.ts';

/** Of requests that came before their turn. */
export const HELD_BYTES_MAX = 16 * 1024;

/** A connection that is not read, for what it sent is not taken, cannot tell that its client reset it: how often it is asked. */
export const GONE_CHECK_MS = 1000;

/** How long a client may take to close after our last word (RFC 9112 §9.6). */
export const LINGER_MS = 2000;

/**
 * A connection that has to go closes at rest only after so long a silence. A
 * close that crosses a request on its way costs that request, and a POST is
 * lost for good; whoever sends more often than this is told in an answer.
 */
export const QUIET_MS = 1000;
export const QUIET_TICKS = QUIET_MS / TICK_MS;
/** The first request of a connection that has just come is on its way. */
export const FRESH_TICKS = 2;
