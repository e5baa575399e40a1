/** What every stream of server-sent events has in common: a bound on readers, heartbeats, and no patience with a reader that does not keep up. */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../base/clock.ts';

const HEARTBEAT_MS = 15_000;
const UNREAD_BYTES_MAX = 256 * 1024;
const RECONNECT_MS = 2000;
/** Of the 256 connections of the admin interface, so that streams cannot keep /healthz out. */
export const STREAMS_MAX = 64;

/** Begins a stream whose head has been written; `onClose` is called once, when the reader is gone. */
export function beginStream(response: ServerResponse, clock: Clock, onClose: () => void): void {
  response.write(`retry: ${RECONNECT_MS}\n\n`);
  const heartbeat = clock.every(HEARTBEAT_MS, () => sendEvent(response, ': heartbeat\n\n'));
  response.once('close', () => {
    heartbeat.cancel();
    onClose();
  });
}

export function sendEvent(response: ServerResponse, text: string): void {
  if (response.destroyed || response.writableEnded) return;
  if (response.writableLength > UNREAD_BYTES_MAX) response.destroy();
  else response.write(text);
}

export const GAP_EVENT = 'event: gap\ndata: {}\n\n';

/** `RUN-NUMBER`: what an event's id says. -1: of another run, or not an id of ours. */
export function numberInRun(lastId: string, run: string): number {
  const dash = lastId.lastIndexOf('-');
  const number = lastId.slice(dash + 1);
  return dash > 0 && lastId.slice(0, dash) === run && /^[0-9]{1,15}$/.test(number) ? Number(number) : -1;
}
